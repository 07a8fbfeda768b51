"""The device passes, adapt and predict, over calls of one model. Knows tensors; no queue, tier or storage.

Every call's answer is its own: nothing in it depends on the other calls of the pass, beyond the rounding of
batched kernels.
"""

import hashlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.spec import MamlPolicySpec
from models.spec.algorithms.inner_loop import InnerLoop
from services.engine.batching import rung
from services.engine.layout import Layout
from services.engine.messages import (
    AdaptCall,
    AdaptPredictCall,
    AdaptReply,
    AnySupport,
    Array,
    EngineFault,
    PredictReply,
)
from services.engine.plans import Plans
from services.engine.programs import ProgramSpec, output_names
from services.engine.residents import ResidentModel
from services.engine.stacking import padded, stack_inputs, stack_supports
from services.finite import all_finite

# Bytes of a file from which hashing it takes longer than handing it to another thread.
_LARGE = 1 << 16

Arrays = dict[str, np.ndarray[Any, Any]]


class Adapted(NamedTuple):
    """What adapting gave one call: its reply, and the row of its parameters [P]."""

    reply: AdaptReply
    row: Tensor


class Passes:
    """Runs passes on one device by its plans."""

    def __init__(self, plans: Plans, device: torch.device, max_numbers: int) -> None:
        """`max_numbers` bounds the input numbers of one prediction pass; longer ones go in pieces."""
        self._plans = plans
        self._device = device
        self._max_numbers = max_numbers
        # Their threads start when they are needed first.
        self._hashers = ThreadPoolExecutor(torch.get_num_threads(), "hash")

    def in_haste(self) -> AbstractContextManager[list[ProgramSpec]]:
        """See `Plans`."""
        return self._plans.in_haste()

    def adapt(
        self, model: ResidentModel, calls: Sequence[AdaptCall], starts: Tensor | None
    ) -> tuple[Layout, list[Adapted | EngineFault]]:
        """Adapt M calls at once; `starts` are the rows [M, P] they go on from, None where they start afresh.

        Each gives what adapting gave, or a fault where the numbers did not stay finite.
        """
        options = calls[0].options
        supports = [call.support for call in calls]
        rows_MP, losses_M, *cut = self._adapt(model, options, supports, starts)
        layout = model.layout(self._slots(model, supports))
        finite = (rows_MP.isfinite().all(dim=1) & losses_M.isfinite()).tolist()
        losses, arrays_MP = losses_M.tolist(), rows_MP.cpu().numpy()
        files = [layout.file_of(row) if fine else b"" for row, fine in zip(arrays_MP, finite, strict=True)]
        digests = list(self._digests(files))
        clipped = cut[0].tolist() if cut else [0.0] * len(calls)
        answers: list[Adapted | EngineFault] = []
        for m, call in enumerate(calls):
            if not finite[m]:
                answers.append(_diverged(model, call))
                continue
            reply = AdaptReply(digests[m], memoryview(files[m]), losses[m], clipped[m])
            answers.append(Adapted(reply, rows_MP[m]))
        return layout, answers

    def predict(
        self, model: ResidentModel, layout: Layout, rows: Tensor, inputs: Sequence[Array]
    ) -> list[PredictReply | EngineFault]:
        """Query M adapted models, rows [M, P], at once; more than `max_numbers` inputs go in several pieces."""
        class_mask = layout.part(rows, "class_mask")
        slots = 0 if class_mask is None else class_mask.shape[1]
        ways = [0] * len(inputs) if class_mask is None else class_mask.sum(dim=1).int().tolist()
        outputs_M = self._predict(model, slots, rows, inputs)
        finite = _all_finite(outputs_M)
        return [
            _reply(outputs_M, m, len_, ways[m], finite) or _far()
            for m, len_ in enumerate(array.shape[0] for array in inputs)
        ]

    def adapt_predict(
        self, model: ResidentModel, calls: Sequence[AdaptPredictCall], starts: Tensor | None
    ) -> list[PredictReply | EngineFault]:
        """Adapt M calls, from `starts` as in `adapt`, and query each at once; nothing is kept."""
        supports = [call.support for call in calls]
        rows_MP, *_ = self._adapt(model, calls[0].options, supports, starts)
        inputs = [call.inputs for call in calls]
        outputs_M = self._predict(model, self._slots(model, supports), rows_MP, inputs)
        finite = _all_finite(outputs_M)
        return [
            _reply(outputs_M, m, call.inputs.shape[0], call.support.n_ways, finite)
            or (_far("/inputs") if bool(rows_MP[m].isfinite().all()) else _diverged(model, call))
            for m, call in enumerate(calls)
        ]

    def _digests(self, files: Sequence[bytes]) -> Iterable[str]:
        """Of large files several at a time: hashing lets go of Python's lock."""
        if max(map(len, files)) < _LARGE:
            return map(_digest, files)
        return self._hashers.map(_digest, files)

    def _slots(self, model: ResidentModel, supports: Sequence[AnySupport]) -> int:
        # The shape of what is stored follows from the call alone, never from its batch mates.
        return model.manifest.max_ways or rung(max(support.n_ways for support in supports))

    def _adapt(
        self,
        model: ResidentModel,
        options: dict[str, Any],
        supports: Sequence[AnySupport],
        starts: Tensor | None,
    ) -> Sequence[Tensor]:
        """Rows [M, P], losses on the support [M], and for policies the shares of ratios that were cut [M]."""
        examples = model.signature.actions is None
        spec = model.program(
            "adapt" if starts is None else "go_on",
            options,
            # One row at least: an empty support set is one row that the mask leaves out.
            support=max(1, *(rung(support.size) for support in supports)),
            steps=0 if examples else max(1, *(rung(support.steps) for support in supports)),
            ways=self._slots(model, supports),
        )
        calls = len(supports)
        tasks = self._plans.tasks(spec, calls, model.meta_params)
        size, steps, slots = spec.support, spec.steps, spec.ways
        tensors = stack_supports(supports, model.learned, size, slots, tasks, self._device, steps)
        if starts is not None:
            tensors.append(padded(starts, tasks))
        return self._plans.run(spec, calls, model.meta_params, tensors)

    def _predict(self, model: ResidentModel, slots: int, rows: Tensor, inputs: Sequence[Array]) -> Arrays:
        """Outputs by name, each [M, Q, ...]."""
        calls = len(inputs)
        longest = max(array.shape[0] for array in inputs)
        width = max(1, inputs[0].numbers // max(1, inputs[0].shape[0]))
        most = max(1, self._max_numbers // (calls * width))
        spec = model.program(
            "predict",
            ways=slots,
            queries=max(1, min(rung(longest), most)),
        )
        tasks = self._plans.tasks(spec, calls, model.meta_params)
        rows = padded(rows, tasks)
        pieces = []
        for start in range(0, longest, spec.queries):
            inputs_MQX = stack_inputs(inputs, model.learned, start, spec.queries, tasks, self._device)
            outputs = self._plans.run(spec, calls, model.meta_params, [rows, inputs_MQX])
            pieces.append([output.cpu().numpy() for output in outputs])
        names = output_names(spec)
        if len(pieces) == 1:
            return dict(zip(names, pieces[0], strict=True))
        return {
            name: np.concatenate(parts, axis=1)
            for name, parts in zip(names, zip(*pieces, strict=True), strict=True)
        }


def _digest(file: bytes) -> str:
    return hashlib.sha256(file).hexdigest()


_COLUMNS = ("mean", "std", "probabilities")  # a reply's, in its order


def _all_finite(outputs: Arrays) -> bool:
    return all(all_finite(value) for value in outputs.values())


def _reply(outputs: Arrays, m: int, queries: int, n_ways: int, finite: bool) -> PredictReply | None:
    """The reply of call m, None where it is not finite; `finite`: all calls' outputs are."""
    mine = {name: value[m, :queries] for name, value in outputs.items()}
    if "probabilities" in mine and n_ways:
        mine["probabilities"] = mine["probabilities"][:, :n_ways]
    if not finite and not _all_finite(mine):
        return None
    mean, std, probabilities = (Array.of(mine[name]) if name in mine else None for name in _COLUMNS)
    return PredictReply(mean, std, probabilities)


def _far(pointer: str = "") -> EngineFault:
    return EngineFault(
        "invalid",
        "the prediction is not finite: are the inputs of a size the model was trained for?",
        pointer=pointer,
    )


def _diverged(model: ResidentModel, call: AdaptCall | AdaptPredictCall) -> EngineFault:
    spec = model.spec(call.options).algorithm
    if isinstance(spec, InnerLoop | MamlPolicySpec) and spec.gradient_steps:
        return EngineFault(
            "invalid",
            f"the inner loop diverged: inner_lr {spec.inner_lr:g} over {spec.gradient_steps} steps is too much for "
            "this support set",
        )
    return EngineFault(
        "invalid", "adapting gave numbers that are not finite: are the support's values too large?"
    )
