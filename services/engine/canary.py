"""The smallest task a model can be tried on, to see that it adapts and answers at all."""

import numpy as np

from models.spec import BoxSpace, Signature
from services.engine.messages import AdaptPredictCall, AnySupport, Array, Support, TrajectorySupport

_TEXTS = ("one", "another")


def canary_call(artifact: str, signature: Signature, max_ways: int | None) -> AdaptPredictCall:
    """Two examples, of two classes where there are classes and the model takes two; the same every time.

    Of a policy, two trajectories of one step.
    """
    example = signature.inputs.example_shape
    numbers = np.random.default_rng(0).random((2, *example), dtype=np.float32)
    inputs = Array.of_texts(_TEXTS) if signature.is_text else Array.of(numbers)
    support: AnySupport
    if signature.actions is not None:
        box = isinstance(signature.actions, BoxSpace)
        actions = np.zeros((2, signature.target_width), np.float32) if box else np.zeros(2, np.int64)
        ones = Array.of(np.ones(2, np.float32))
        lengths, rewards = Array.of(np.ones(2, np.int64)), Array.of(np.arange(2, dtype=np.float32))
        none = Array.of(np.zeros(2, np.float32))
        support = TrajectorySupport(lengths, inputs, Array.of(actions), rewards, none, none, ones)
    elif signature.task == "regression":
        support = Support(inputs, Array.of(np.ones((2, signature.target_width), np.float32)))
    else:
        ways = min(2, max_ways or 2)
        slots = np.arange(2, dtype=np.int64) % ways
        given = inputs
        if signature.class_names:
            given = Array.of_texts((*_TEXTS[:ways], *_TEXTS))
            slots = np.concatenate([np.arange(ways, dtype=np.int64), slots])
        support = Support(given, Array.of(slots), n_ways=len(signature.classes) or ways)
    return AdaptPredictCall(artifact, support, inputs)
