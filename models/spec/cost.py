"""What a network takes for one example, estimated from its description. Pure, and rough on purpose.

It exists so that work which no machine could do is refused before any of it is queued: widths, examples and
steps each have sane bounds, and their product does not.
"""

import math
from itertools import pairwise
from typing import NamedTuple

from models.spec.networks import Conv4Spec, EncoderSpec, MlpSpec, NetworkSpec, TableTransformerSpec

_BLOCKS = 4

# What stands for an encoder, whose own description is not read here: a transformer of so many layers, and a text
# of so many tokens.
_LAYERS = 6
_TOKENS = 12
_UNKNOWN_WIDTH = 384


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
    match network:
        case MlpSpec():
            cost = _mlp(network, example_shape)
        case Conv4Spec():
            cost = _conv4(network.hidden, example_shape)
        case TableTransformerSpec():
            cost = _table_transformer(network, example_shape[0])
        case EncoderSpec():
            cost = _encoder(network)
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
    if isinstance(network, EncoderSpec):
        # Of the map's two axes, and of the mean.
        return 2 * features**2 + 2 * (network.width or _UNKNOWN_WIDTH) ** 2
    if not isinstance(network, Conv4Spec):
        # Convolutions have far more weights than their axes have pairs, and other networks' axes are of a width.
        return 3 * features**2 + network_cost(network, example_shape).weights
    channels, hidden = example_shape[2], network.hidden
    # Of a weight's kernel and its two axes, and of scale and shift.
    blocks = (81 + before**2 + 3 * hidden**2 for before in (channels, *[hidden] * (_BLOCKS - 1)))
    return features**2 + sum(blocks)


def _encoder(network: EncoderSpec) -> NetworkCost:
    """Its features are computed once and nothing of that is kept: what is learned begins behind them."""
    width, projection = network.width or _UNKNOWN_WIDTH, network.projection
    learned = width * projection
    encoding = 12 * _LAYERS * width * width * _TOKENS
    return NetworkCost(width + projection, width, projection or width, learned + width, learned + encoding)


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


def _table_transformer(network: TableTransformerSpec, columns: int) -> NetworkCost:
    """An example is a row of 1 + D tokens: to each other, to columns' summaries and to kept rows they attend."""
    width, tokens = network.width, 1 + columns
    one_head = width // network.heads
    weights = network.layers * (13 * width * width + 6 * width * one_head)
    attended = tokens * tokens + columns * network.summaries + network.rows
    multiply_adds = tokens * weights + 2 * network.layers * width * attended
    widest = 4 * tokens * width + network.heads * attended
    return NetworkCost(2 * network.layers * widest, widest, width, weights, multiply_adds)
