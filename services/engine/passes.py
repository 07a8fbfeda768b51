"""The two device passes, adapt and predict, over calls of one model. Knows tensors; no queue, cache or storage.

Every call's answer is its own: nothing in it depends on the other calls of the pass, beyond the rounding of
batched kernels.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.algorithms.batched import adapt_batch, predict_batch, support_loss_batch
from models.algorithms.learner import MetaLearner
from models.episode import SupportSet
from models.functional import Params
from models.spec import MamlSpec
from services.engine.batching import rung
from services.engine.layout import Layout, layout_of
from services.engine.messages import (
    AdaptCall,
    AdaptPredictCall,
    AdaptReply,
    Array,
    EngineFault,
    PredictReply,
    Support,
)
from services.engine.residents import ResidentModel
from services.engine.stacking import stack_inputs, stack_supports

Arrays = dict[str, np.ndarray[Any, Any]]


class Rows(NamedTuple):
    """M adapted models of one layout, rows [M, P] on the device."""

    layout: Layout
    rows: Tensor

    @property
    def params(self) -> dict[str, Tensor]:
        return self.layout.views(self.rows)


class Adapted(NamedTuple):
    """What adapting gave one call: its reply, and the row of its parameters [P]."""

    reply: AdaptReply
    row: Tensor


def adapt_pass(
    model: ResidentModel, calls: Sequence[AdaptCall], starts: Rows | None, device: torch.device
) -> tuple[Layout, list[Adapted | EngineFault]]:
    """Adapt M calls at once; `starts` are the adapted models they go on from, None where they start afresh.

    Each gives what adapting gave, or a fault where the numbers did not stay finite.
    """
    learner = model.learner(calls[0].options)
    support, adapted_M = _adapt(model, learner, [call.support for call in calls], starts, device)
    losses_M = support_loss_batch(learner, model.meta_params, adapted_M, support)
    layout = layout_of(tuple((name, tuple(value.shape[1:])) for name, value in adapted_M.items()))
    rows_MP = layout.flat(adapted_M)
    finite = (rows_MP.isfinite().all(dim=1) & losses_M.isfinite()).tolist()
    losses, arrays_MP = losses_M.tolist(), rows_MP.cpu().numpy()
    answers: list[Adapted | EngineFault] = []
    for m, call in enumerate(calls):
        if not finite[m]:
            answers.append(_diverged(model, call))
            continue
        file = layout.file_of(arrays_MP[m])
        reply = AdaptReply(hashlib.sha256(file).hexdigest(), memoryview(file), losses[m])
        answers.append(Adapted(reply, rows_MP[m]))
    return layout, answers


def predict_pass(
    model: ResidentModel, adapted: Rows, inputs: Sequence[Array], device: torch.device, max_numbers: int
) -> list[PredictReply | EngineFault]:
    """Query M adapted models at once; more than `max_numbers` inputs go in several pieces."""
    adapted_M = adapted.params
    outputs_M = _predict(model, adapted_M, inputs, device, max_numbers)
    class_mask = adapted_M.get("class_mask")
    ways = [0] * len(inputs) if class_mask is None else class_mask.sum(dim=1).int().tolist()
    answers: list[PredictReply | EngineFault] = []
    for m, array in enumerate(inputs):
        outputs = {name: value[m, : array.shape[0]] for name, value in outputs_M.items()}
        answers.append(_reply(outputs, ways[m]) or EngineFault("invalid", _NOT_FINITE))
    return answers


def adapt_predict_pass(
    model: ResidentModel,
    calls: Sequence[AdaptPredictCall],
    starts: Rows | None,
    device: torch.device,
    max_numbers: int,
) -> list[PredictReply | EngineFault]:
    """Adapt M calls, from `starts` as in `adapt_pass`, and query each at once; nothing is kept."""
    learner = model.learner(calls[0].options)
    _, adapted_M = _adapt(model, learner, [call.support for call in calls], starts, device)
    outputs_M = _predict(model, adapted_M, [call.inputs for call in calls], device, max_numbers)
    answers: list[PredictReply | EngineFault] = []
    for m, call in enumerate(calls):
        outputs = {name: value[m, : call.inputs.shape[0]] for name, value in outputs_M.items()}
        answers.append(_reply(outputs, call.support.n_ways) or _diverged(model, call))
    return answers


def _adapt(
    model: ResidentModel,
    learner: MetaLearner,
    supports: Sequence[Support],
    starts: Rows | None,
    device: torch.device,
) -> tuple[SupportSet, dict[str, Tensor]]:
    # The shape of what is stored follows from the call alone, never from its batch mates.
    slots = model.manifest.max_ways or rung(max(support.n_ways for support in supports))
    support = stack_supports(supports, model.signature, slots, device)
    return support, adapt_batch(learner, model.meta_params, support, starts.params if starts else None)


def _predict(
    model: ResidentModel, adapted_M: Params, inputs: Sequence[Array], device: torch.device, max_numbers: int
) -> Arrays:
    """Outputs by name, each [M, Q, ...]; logits become probabilities."""
    learner = model.learner({})
    inputs_MQX = stack_inputs(inputs, model.signature, device)
    columns = max(1, inputs_MQX[:, :1].numel())
    pieces = [
        predict_batch(learner, model.meta_params, adapted_M, piece)
        for piece in torch.split(inputs_MQX, max(1, max_numbers // columns), dim=1)
    ]
    outputs = {name: torch.cat([piece[name] for piece in pieces], dim=1) for name in pieces[0]}
    if "logits" in outputs:
        outputs["probabilities"] = torch.softmax(outputs.pop("logits"), dim=-1)
    return {name: value.cpu().numpy() for name, value in outputs.items()}


def _reply(outputs: Arrays, n_ways: int) -> PredictReply | None:
    """The reply of one call, None where it is not finite."""
    if "probabilities" in outputs:
        outputs = {"probabilities": outputs["probabilities"][:, :n_ways]}
    if not _finite(outputs):
        return None
    return PredictReply(**{name: Array.of(value) for name, value in outputs.items()})


def _finite(arrays: Arrays) -> bool:
    return all(bool(np.isfinite(value).all()) for value in arrays.values())


_NOT_FINITE = "the prediction is not finite: are the inputs of a size the model was trained for?"


def _diverged(model: ResidentModel, call: AdaptCall | AdaptPredictCall) -> EngineFault:
    spec = model.algorithm(call.options)
    if isinstance(spec, MamlSpec) and spec.inner_steps:
        return EngineFault(
            "invalid",
            f"the inner loop diverged: inner_lr {spec.inner_lr:g} over {spec.inner_steps} steps is too much for "
            "this support set",
        )
    return EngineFault(
        "invalid", "adapting gave numbers that are not finite: are the support's values too large?"
    )
