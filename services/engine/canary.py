"""The smallest task a model can be tried on, to see that it adapts and answers at all."""

import numpy as np

from models.spec import Signature
from services.engine.messages import AdaptPredictCall, Array, Support


def canary_call(artifact: str, signature: Signature, max_ways: int | None) -> AdaptPredictCall:
    """Two examples, of two classes where there are classes and the model takes two; the same every time."""
    example = signature.inputs.example_shape
    inputs = np.random.default_rng(0).random((2, *example), dtype=np.float32)
    if signature.task == "regression":
        support = Support(Array.of(inputs), Array.of(np.ones((2, signature.target_width), np.float32)))
    else:
        ways = min(2, max_ways or 2)
        slots = np.arange(2, dtype=np.int64) % ways
        support = Support(Array.of(inputs), Array.of(slots), n_ways=len(signature.classes) or ways)
    return AdaptPredictCall(artifact, support, Array.of(inputs))
