"""The smallest task a model can be tried on, to see that it adapts and answers at all."""

import numpy as np

from models.spec import Signature
from services.engine.messages import AdaptPredictCall, Array, Support


def canary_call(artifact: str, signature: Signature, max_ways: int | None) -> AdaptPredictCall:
    """Two examples, of two classes where there are classes and the model takes two; the same every time."""
    example = signature.inputs.example_shape
    numbers = np.random.default_rng(0).random((2, *example), dtype=np.float32)
    inputs = Array.of_texts(("one", "another")) if signature.is_text else Array.of(numbers)
    if signature.task == "regression":
        support = Support(inputs, Array.of(np.ones((2, signature.target_width), np.float32)))
    else:
        ways = min(2, max_ways or 2)
        support = Support(inputs, Array.of(np.arange(2, dtype=np.int64) % ways), n_ways=ways)
    return AdaptPredictCall(artifact, support, inputs)
