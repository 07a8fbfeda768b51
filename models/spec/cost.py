"""What a network takes for one example, estimated from its description. Pure, and rough on purpose.

It exists so that work which no machine could do is refused before any of it is queued: widths, examples and
steps each have sane bounds, and their product does not.
"""

import math
from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

from models.spec.networks import (
    Conv1dSpec,
    Conv4Spec,
    EncoderSpec,
    MlpSpec,
    NetworkSpec,
    ResNet12Spec,
    ResNetMapsSpec,
    RowTransformerSpec,
    SeriesTransformerSpec,
    TableTransformerSpec,
)

_BLOCKS = 4

# What stands for an encoder, whose own description is not read here: a transformer of so many layers, and a text
# of so many tokens.
_LAYERS = 6
_TOKENS = 12
PATCHES = 197
"""Tokens of an image of 224 x 224 pixels, its patches 16 x 16 as is usual."""
_UNKNOWN_WIDTH = 384
# Closed-form heads of prior_fitted on rows, each with a kernel of its own.
_KERNELS = 10
# Numbers, in widths, that a gradient keeps of one token in one layer.
_KEPT_OF_LAYER = 20


class NetworkCost(NamedTuple):
    """Of one example, forwards; a backward pass takes twice the multiply-adds more."""

    activations: int
    """Numbers in all layers' outputs together: what a gradient has to keep."""
    widest: int
    """Numbers in the largest layer's output: what is held where nothing is kept."""
    features: int
    weights: int
    multiply_adds: int
    parts: int = 1
    """Places that the features go through, where the network keeps places."""


def network_cost(network: NetworkSpec, example_shape: tuple[int, ...], outputs: int = 0) -> NetworkCost:
    """Of the network on examples (D,), (T, C) or (H, W, C), and a linear last layer of `outputs` (0: without)."""
    cost = _backbone(network, example_shape)
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
    return features**2 + sum(
        outputs**2 + inputs**2 + (kernel**2 if kernel else 0) + own * outputs**2
        for outputs, inputs, kernel, own in _weights_of(network, example_shape)
    )


def _weights_of(network: NetworkSpec, example_shape: tuple[int, ...]) -> Iterator[tuple[int, int, int, int]]:
    """Of every weight its outputs, inputs and kernel size (0: it has none), and how many vectors of outputs beside
    it (biases, scales, shifts)."""
    channels = example_shape[-1]
    match network:
        case MlpSpec():
            for before, after in pairwise((math.prod(example_shape), *network.hidden)):
                yield after, before, 0, 1
        case Conv4Spec():
            for before in (channels, *[network.hidden] * (_BLOCKS - 1)):
                yield network.hidden, before, 9, 2
        case ResNet12Spec():
            for before, after in pairwise((channels, *network.widths)):
                yield from (
                    (after, before, 9, 2),
                    (after, after, 9, 2),
                    (after, after, 9, 2),
                    (after, before, 1, 2),
                )
        case ResNetMapsSpec():
            stem, middle, last = network.width // 2, network.width, 2 * network.width
            yield stem, channels, 9, 2
            for before, after in ((stem, middle), (middle, last)):
                yield from ((after, before, 9, 2), (after, after, 9, 2), (after, before, 1, 2))
        case Conv1dSpec():
            for before, after in pairwise((channels, *[network.hidden] * network.blocks)):
                sides = (network.kernel, network.kernel, 1)
                yield from zip([after] * 3, (before, after, before), sides, [2] * 3, strict=True)
        case SeriesTransformerSpec():
            width = network.hidden
            yield width, network.patch * channels, 0, 3  # with the last scale and shift
            for _ in range(network.layers):
                yield from ((3 * width, width, 0, 1), (width, width, 0, 5), (4 * width, width, 0, 1))
                yield width, 4 * width, 0, 1
        case EncoderSpec():
            yield network.projection, channels, 0, 0
            yield channels, 0, 0, 0  # the mean


def _backbone(network: NetworkSpec, example_shape: tuple[int, ...]) -> NetworkCost:
    match network:
        case MlpSpec():
            return _mlp(network, example_shape)
        case Conv4Spec():
            return _conv4(network.hidden, example_shape)
        case ResNet12Spec():
            return _resnet12(network.widths, example_shape)
        case ResNetMapsSpec():
            return _resnet_maps(network, example_shape)
        case Conv1dSpec():
            return _conv1d(network, example_shape)
        case SeriesTransformerSpec():
            return _series_transformer(network, example_shape)
        case TableTransformerSpec():
            return _table_transformer(network, example_shape[0])
        case RowTransformerSpec():
            return _row_transformer(network, example_shape[0])
        case EncoderSpec():
            return _encoder(network)


def _encoder(network: EncoderSpec) -> NetworkCost:
    """Of a frozen one nothing is kept but features: what is learned begins behind them. Of a tuned one, its top."""
    width, projection = network.width or _UNKNOWN_WIDTH, network.projection
    learned = width * projection
    encoding = 12 * _LAYERS * width * width * _TOKENS
    if network.is_tuned:
        kept = tuned_activations(width, network.layers)
        return NetworkCost(kept + projection, width, projection or width, learned + width, learned + encoding)
    return NetworkCost(width + projection, width, projection or width, learned + width, learned + encoding)


def tuned_activations(width: int, layers: int, tokens: int = _TOKENS) -> int:
    """Numbers that a gradient by the top `layers` of an encoder keeps of one text, or of so many tokens."""
    return layers * tokens * _KEPT_OF_LAYER * width


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


def _resnet12(widths: tuple[int, ...], example_shape: tuple[int, ...]) -> NetworkCost:
    """Each block has three convolutions and a shortcut at full size, then halves height and width, rounding up."""
    height, width, channels = example_shape
    maps, widest, weights, multiply_adds = 0, 0, 0, 0
    for hidden in widths:
        pixels = height * width
        kernels = hidden * (10 * channels + 18 * hidden)
        maps += 4 * pixels * hidden
        widest = max(widest, pixels * hidden)
        weights += kernels
        multiply_adds += pixels * kernels
        height, width, channels = -(-height // 2), -(-width // 2), hidden
    return NetworkCost(2 * maps, widest, channels, weights, multiply_adds)


def _resnet_maps(network: ResNetMapsSpec, example_shape: tuple[int, ...]) -> NetworkCost:
    """A convolution at full size; then two blocks of two and a shortcut, each at half of what was before."""
    height, width, channels = example_shape
    hidden = network.width // 2
    maps, weights = height * width * hidden, 9 * channels * hidden
    widest, multiply_adds = maps, height * width * weights
    for _ in range(2):
        height, width, channels, hidden = -(-height // 2), -(-width // 2), hidden, 2 * hidden
        kernels = hidden * (10 * channels + 9 * hidden)
        maps += 3 * height * width * hidden
        weights += kernels
        multiply_adds += height * width * kernels
    places = height * width
    return NetworkCost(2 * maps, widest, places * hidden, weights, multiply_adds, places)


def _conv1d(network: Conv1dSpec, example_shape: tuple[int, ...]) -> NetworkCost:
    """Each block has two convolutions and a shortcut at full length, then halves it, rounding up."""
    steps, channels = example_shape
    hidden, maps, widest, weights, multiply_adds = network.hidden, 0, 0, 0, 0
    for _ in range(network.blocks):
        kernels = hidden * ((network.kernel + 1) * channels + network.kernel * hidden)
        maps += 3 * steps * hidden
        widest = max(widest, steps * hidden)
        weights += kernels
        multiply_adds += steps * kernels
        steps, channels = -(-steps // 2), hidden
    return NetworkCost(2 * maps, widest, channels, weights, multiply_adds)


def _series_transformer(network: SeriesTransformerSpec, example_shape: tuple[int, ...]) -> NetworkCost:
    """Each layer has attention over all patches, and two products through four times the width."""
    steps, channels = example_shape
    hidden, patches = network.hidden, -(-steps // network.patch)
    embedding, layer = network.patch * channels * hidden, 12 * hidden * hidden
    scores = network.heads * patches * patches
    return NetworkCost(
        activations=patches * hidden + network.layers * (14 * patches * hidden + 2 * scores),
        widest=max(4 * patches * hidden, scores),
        features=hidden,
        weights=embedding + network.layers * layer,
        multiply_adds=patches * (embedding + network.layers * (layer + 2 * patches * hidden)),
    )


def _table_transformer(network: TableTransformerSpec, columns: int) -> NetworkCost:
    """An example is a row of 1 + D tokens: to each other, to columns' summaries and to kept rows they attend."""
    width, tokens = network.width, 1 + columns
    one_head = width // network.heads
    weights = network.layers * (13 * width * width + 6 * width * one_head)
    attended = tokens * tokens + columns * network.summaries + network.rows
    multiply_adds = tokens * weights + 2 * network.layers * width * attended
    widest = 4 * tokens * width + network.heads * attended
    return NetworkCost(2 * network.layers * widest, widest, width, weights, multiply_adds)


def _row_transformer(network: RowTransformerSpec, columns: int) -> NetworkCost:
    """A row is a token; it is held against every kept row, under every head's kernel, column by column."""
    width, rows = network.width, network.rows
    tokens = network.layers * (8 * width * width + network.heads * _KERNELS)
    attended = network.layers * rows * (2 * width + network.heads * _KERNELS)
    held = rows * (3 * columns + 2 * _KERNELS + network.heads)
    # A labelled row's share of the inverses, and of what each column tells by itself.
    fitted = _KERNELS * rows * rows + rows * columns * (_KERNELS + 8)
    return NetworkCost(
        activations=2 * held + network.layers * (10 * width + 2 * network.heads * rows),
        widest=held,
        features=width,
        weights=tokens,
        multiply_adds=tokens + attended + fitted,
    )
