"""What an algorithm takes beside its network, estimated from its description. Pure, and rough on purpose.

Of those that fit a last layer to the optimum, keep the support set, or read it by networks of their own. The closed
forms of ridge regression are counted where they are used.
"""

from typing import NamedTuple

from models.spec.algorithms import (
    AlgorithmSpec,
    AnpSpec,
    AutoSpec,
    CnpSpec,
    LocalMatchingSpec,
    LogisticSpec,
    MatchingNetSpec,
    SvmSpec,
)
from models.spec.algorithms.auto import (
    AT_ONCE,
    LOGISTIC_PENALTIES,
    PENALTIES,
    logistic_work,
    tries_logistic,
)
from models.spec.algorithms.logistic import NEWTON_STEPS
from models.spec.algorithms.svm import INTERIOR_STEPS

_DOUBLE = 2  # float32 numbers that one of float64 takes


class HeadCost(NamedTuple):
    """Float32 numbers that are held at once, and multiply-adds; both of adapting and of answering together."""

    numbers: int
    multiply_adds: int


class Sizes(NamedTuple):
    """Of one task: S, Q, N (regression: T), F, and the places that F goes through."""

    support: int
    query: int
    outputs: int
    features: int
    parts: int = 1


def head_cost(algorithm: AlgorithmSpec, sizes: Sizes) -> HeadCost:
    """Of one task; nothing for an algorithm that is its network's steps, or ridge regression's closed form."""
    match algorithm:
        case LogisticSpec():
            side = min(sizes.support, 1 + sizes.features)
            return _fits(sizes, side, NEWTON_STEPS + 1, sizes.support)
        case SvmSpec():
            # An S x S matrix a class is factored, and inverted.
            return _fits(sizes, sizes.support, INTERIOR_STEPS + 1, 2 * sizes.support)
        case AutoSpec():
            ridge, logistic = _penalties(sizes), _regressions(sizes)
            return HeadCost(ridge.numbers + logistic.numbers, ridge.multiply_adds + logistic.multiply_adds)
        case MatchingNetSpec():
            return _attention(sizes, algorithm.max_support, sizes.features, sizes.outputs, 1)
        case LocalMatchingSpec():
            return _parts(sizes, algorithm)
        case CnpSpec():
            return _networks(sizes, algorithm.representation)
        case AnpSpec():
            read, width = _networks(sizes, algorithm.representation), algorithm.representation
            attended = _attention(sizes, algorithm.max_support, width, width, algorithm.heads)
            projected = (sizes.features + width) * width * (sizes.support + sizes.query)
            return HeadCost(
                read.numbers + attended.numbers, read.multiply_adds + attended.multiply_adds + projected
            )
        case _:
            return HeadCost(0, 0)


def _fits(sizes: Sizes, side: int, steps: int, further: int) -> HeadCost:
    """Of systems of `side` equations for every class in every step, each of so many products a number of it."""
    products = sizes.outputs * side * side * (side + further)
    held = sizes.outputs * side * (side + sizes.support) + sizes.support * sizes.features
    return HeadCost(_DOUBLE * held, steps * products)


def _penalties(sizes: Sizes) -> HeadCost:
    """Of ridge regressions for all penalties together, each with an inverse and what it answers left out."""
    support, outputs, features = sizes.support, sizes.outputs, sizes.features
    side = min(support, features)
    # The examples' products are formed once; among features, every penalty has its own products with them.
    beside = outputs + (support if features < support else 0)
    products = 2 * support * features * (side + outputs) + PENALTIES * side * side * (side + beside)
    kept = PENALTIES * (support + side) * outputs + 2 * PENALTIES * side * side
    held = kept + 3 * support * features + 4 * support * outputs
    return HeadCost(_DOUBLE * held, products)


def _regressions(sizes: Sizes) -> HeadCost:
    """Of a logistic regression for each penalty, and of what each leaves out, of a matrix for every class."""
    support, outputs, features = sizes.support, sizes.outputs, sizes.features
    if not tries_logistic(support, features, outputs):
        return HeadCost(0, 0)
    side = min(support, features)
    fit = LOGISTIC_PENALTIES * outputs * (2 * features + 30 * support) + 2 * support * (support + features)
    matrices = LOGISTIC_PENALTIES * outputs * side * side
    held = fit + 4 * min(matrices, max(AT_ONCE, LOGISTIC_PENALTIES * side * side))
    return HeadCost(_DOUBLE * held, logistic_work(support, features, outputs))


def _attention(sizes: Sizes, places: int, keys: int, values: int, heads: int) -> HeadCost:
    """Of queries to every place, whether it is used or not."""
    kept = places * (keys + values)
    return HeadCost(kept + heads * sizes.query * places, sizes.query * kept)


def _parts(sizes: Sizes, algorithm: LocalMatchingSpec) -> HeadCost:
    """Of every query's parts to those of every place, used or not; where there are rivals, of examples' to all."""
    width, parts = algorithm.width, sizes.parts
    kept = algorithm.max_support * parts
    pairs = sizes.query * parts * kept + ((sizes.support * parts) ** 2 if algorithm.rivals else 0)
    projected = (sizes.support + sizes.query) * sizes.features * width
    return HeadCost(kept * width + 2 * pairs, projected + pairs * (width + 2))


def _networks(sizes: Sizes, width: int) -> HeadCost:
    """An encoder's of the support set and a decoder's of the queries, of two hidden layers each."""
    encoder = width * (sizes.features + sizes.outputs + 2 * width)
    decoder = width * (sizes.features + 2 * width + 2 * sizes.outputs)
    activations = (sizes.support + sizes.query) * (sizes.features + 4 * width)
    return HeadCost(activations + encoder + decoder, sizes.support * encoder + sizes.query * decoder)
