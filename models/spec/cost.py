"""What a network takes for one example, estimated from its description. Pure, and rough on purpose.

It exists so that work which no machine could do is refused before any of it is queued: widths, examples and
steps each have sane bounds, and their product does not.
"""

import math
from itertools import pairwise
from typing import NamedTuple

from models.spec.networks import MlpSpec, NetworkSpec

_BLOCKS = 4


class NetworkCost(NamedTuple):
    """Of one example, forwards; a backward pass takes twice the multiply-adds more."""

    activations: int
    """Numbers in all layers' outputs together: what a gradient has to keep."""
    widest: int
    """Numbers in the largest layer's output: what is held where nothing is kept."""
    features: int
    weights: int
    multiply_adds: int


def network_cost(network: NetworkSpec, example_shape: tuple[int, ...], outputs: int = 0) -> NetworkCost:
    """Of the network on examples (D,) or (H, W, C), with a linear last layer of `outputs` (0: without one)."""
    cost = (
        _mlp(network, example_shape)
        if isinstance(network, MlpSpec)
        else _conv4(network.hidden, example_shape)
    )
    head = cost.features * outputs
    return cost._replace(
        activations=cost.activations + outputs,
        weights=cost.weights + head,
        multiply_adds=cost.multiply_adds + head,
    )


def curvature_numbers(network: NetworkSpec, example_shape: tuple[int, ...]) -> int:
    """Numbers in the square matrices that meta-curvature has for the axes of every parameter.

    Those of the last layer's few outputs do not count.
    """
    features = network_cost(network, example_shape).features
    if isinstance(network, MlpSpec):
        widths = (math.prod(example_shape), *network.hidden)
        # Of a weight's two axes, and of its bias.
        return features**2 + sum(before**2 + 2 * after**2 for before, after in pairwise(widths))
    channels, hidden = example_shape[2], network.hidden
    # Of a weight's kernel and its two axes, and of scale and shift.
    blocks = (81 + before**2 + 3 * hidden**2 for before in (channels, *[hidden] * (_BLOCKS - 1)))
    return features**2 + sum(blocks)


def _mlp(network: MlpSpec, example_shape: tuple[int, ...]) -> NetworkCost:
    widths = (math.prod(example_shape), *network.hidden)
    products = sum(before * after for before, after in pairwise(widths))
    return NetworkCost(sum(widths), max(widths), widths[-1], products, products)


def _conv4(hidden: int, example_shape: tuple[int, ...]) -> NetworkCost:
    """Each block convolves at full size, normalises, and halves height and width."""
    height, width, channels = example_shape
    maps, weights, multiply_adds = 0, 0, 0
    for block in range(_BLOCKS):
        pixels = (height >> block) * (width >> block)
        kernels = 9 * hidden * (hidden if block else channels)
        maps += pixels * hidden
        weights += kernels
        multiply_adds += pixels * kernels
    features = hidden * (height >> _BLOCKS) * (width >> _BLOCKS)
    return NetworkCost(2 * maps, hidden * height * width, features, weights, multiply_adds)
