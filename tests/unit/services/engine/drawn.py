"""Supports and queries drawn for a signature, and how near two answers have to be."""

import numpy as np

from models.spec import Signature
from services.engine.messages import Array, PredictReply, Reply, Support
from tests.small_models import LINE


def inputs_of(signature: Signature, rows: int, seed: int) -> Array:
    rng = np.random.default_rng(seed)
    return Array.of(rng.random((rows, *signature.inputs.example_shape), dtype=np.float32))


def support_of(signature: Signature, rows: int, ways: int, seed: int) -> Support:
    """`rows` examples, of `ways` classes in unequal numbers where there are classes."""
    inputs = inputs_of(signature, rows, seed)
    rng = np.random.default_rng(seed + 1000)
    if signature.task == "regression":
        return Support(inputs, Array.of(rng.normal(size=(rows, 1)).astype(np.float32)))
    slots = np.concatenate([np.arange(ways), rng.integers(0, ways, rows - ways)])
    return Support(inputs, Array.of(slots.astype(np.int64)), n_ways=ways)


def check_close(one: Reply, other: Reply) -> None:
    assert isinstance(one, PredictReply)
    assert isinstance(other, PredictReply)
    for name in ("mean", "std", "probabilities"):
        left, right = getattr(one, name), getattr(other, name)
        assert (left is None) == (right is None)
        if left is not None:
            np.testing.assert_allclose(left.numpy(), right.numpy(), atol=1e-5, rtol=1e-5)


LINE_OF_FOUR = support_of(LINE, 4, 1, 0)
