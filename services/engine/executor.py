"""Device passes: calls that share a `BatchKey` in, a reply for each out. Knows no queue, thread or transport.

A call that cannot be answered fails alone: what is wrong with it is found before the pass where it can be, and
a pass that fails all the same is repeated call by call.
"""

import hashlib
import logging
import os
from collections.abc import Sequence
from typing import NamedTuple, cast

import msgspec
import torch
from torch import Tensor

from models.algorithms.escalation import Escalating, Escalation
from services.engine.adapted_models import AdaptedModels
from services.engine.batching import DeviceCall, Sliced
from services.engine.canary import canary_call
from services.engine.encoding import Encoding
from services.engine.escalation import begun, joined, own_encoder, parted, told
from services.engine.faults import fault_of
from services.engine.layout import Layout
from services.engine.messages import (
    AdaptCall,
    AdaptPredictCall,
    EngineFault,
    EngineStatus,
    InspectCall,
    PredictCall,
    PredictReply,
    Reply,
)
from services.engine.passes import Adapted, Passes
from services.engine.residents import ResidentModel, ResidentModels
from services.engine.stacking import check_inputs, check_support
from services.engine.tier import Held
from services.errors import ServiceError

logger = logging.getLogger(__name__)


class _Work(NamedTuple):
    """A call that passed its checks, with what it needs: its model, and the adapted model it starts from."""

    call: DeviceCall
    model: ResidentModel
    adapted: Held | None
    escalation: Escalation | None = None

    @property
    def layout(self) -> Layout | None:
        """What two adapted models must have in common to be stacked."""
        return None if self.adapted is None else self.adapted.layout


class Executor:
    """Runs calls on one device. Not safe for several threads."""

    def __init__(
        self, models: ResidentModels, adapted: AdaptedModels, passes: Passes, device: torch.device
    ) -> None:
        self._models = models
        self._adapted = adapted
        self._passes = passes
        self._encoding = Encoding()
        self._device = device
        self._behind: set[str] = set()  # artifacts whose passes have put something off

    def lacks(self, call: DeviceCall) -> str | None:
        """The digest of the adapted model that the call needs from storage, if it does; from any thread a hint."""
        digest = call.digest if isinstance(call, PredictCall) else None
        if isinstance(call, AdaptCall | AdaptPredictCall):
            digest = call.start
        return None if digest is None or digest in self._adapted else digest

    def has(self, artifact: str) -> bool:
        """Whether all that the base model's passes take is loaded: else one begins with that."""
        return artifact in self._models and artifact not in self._behind

    def accept(self, digest: str, file: bytes) -> None:
        """Take in an adapted model that was fetched from storage. What it cannot, `run` finds out."""
        try:
            self._adapted.accept(digest, file)
        except Exception:
            logger.warning("an adapted model could not be taken in", exc_info=True)

    def status(self) -> EngineStatus:
        return EngineStatus(str(self._device), os.getpid(), len(self._models), len(self._adapted))

    def run(self, calls: Sequence[DeviceCall]) -> list[Reply | Sliced]:
        """The replies in the order of the calls, which share one `BatchKey`; a call that takes longer than others
        should wait for comes back as `Sliced`, to be run again for its next slice.

        Never raises for a call's sake: what it does raise means that the device is lost to this process.
        """
        self._behind.discard(calls[0].artifact)
        replies: list[Reply | Sliced | None] = [None] * len(calls)
        groups: dict[Layout | None, list[tuple[int, _Work]]] = {}
        for place, call in enumerate(calls):
            try:
                work = self._prepare(call)
                further = _sliced(call, work)
            except ServiceError as error:
                replies[place] = fault_of(error)
            except Exception:
                replies[place] = _defect(call)
            else:
                if isinstance(call, Sliced):
                    work = work._replace(escalation=call.work.result)
                if further is None:
                    groups.setdefault(work.layout, []).append((place, work))
                replies[place] = further
        for group in groups.values():
            answers = self._attempt([work for _, work in group])
            for (place, _), answer in zip(group, answers, strict=True):
                replies[place] = answer
        self._adapted.release()
        return [reply for reply in replies if reply is not None]

    def run_in_haste(self, calls: Sequence[DeviceCall]) -> list[Reply | Sliced]:
        """The same for a pass that has to be brief: what takes longer is put off, and until then `has` says no."""
        with self._passes.in_haste() as put_off:
            replies = self.run(calls)
        if put_off:
            self._behind.add(calls[0].artifact)
        return replies

    def _prepare(self, call: DeviceCall) -> _Work:
        if isinstance(call, Sliced):
            return self._prepare(call.call)
        model = self._models.get(call.artifact)
        adapted = None
        if isinstance(call, AdaptCall | AdaptPredictCall):
            spec = model.spec(call.options)
            check_support(call.support, model.signature, model.manifest.max_ways, spec.support_bound)
        if isinstance(call, PredictCall | AdaptPredictCall):
            check_inputs(call.inputs, model.signature)
        if isinstance(call, PredictCall):
            adapted = self._adapted.hold(call.digest)
        if isinstance(call, AdaptCall | AdaptPredictCall) and call.start is not None:
            adapted = self._adapted.hold(call.start)
        return _Work(call, model, adapted)

    def _attempt(self, works: Sequence[_Work]) -> list[Reply]:
        try:
            return self._pass(works)
        except torch.AcceleratorError:
            raise
        except Exception as error:
            if len(works) > 1:
                logger.warning(
                    "a pass of %d calls failed, repeating it one by one", len(works), exc_info=True
                )
                return [self._attempt([work])[0] for work in works]
            if isinstance(error, ServiceError):
                return [fault_of(error)]
            if isinstance(error, torch.OutOfMemoryError):
                return [EngineFault("invalid", "this call alone needs more memory than the device has")]
            return [_defect(works[0].call)]

    def _pass(self, works: Sequence[_Work]) -> list[Reply]:
        model, layout = works[0].model, works[0].layout
        places = [work.adapted.place for work in works if work.adapted is not None]
        rows = None if layout is None else self._adapted.rows(layout, places)
        factors: Sequence[dict[str, Tensor]] = [
            {} if work.escalation is None else work.escalation.factors for work in works
        ]
        names: list[str | None] = [None] * len(works)
        if layout is not None and rows is not None:
            layout, rows, factors = parted(layout, rows)
            names = [work.call.digest if isinstance(work.call, PredictCall) else None for work in works]
        own = [own_encoder(model, *one) for one in zip(factors, names, strict=True)]
        calls = self._encoding.encoded(model, [work.call for work in works], own)
        match calls[0]:
            case AdaptCall():
                return self._adapt(model, cast("list[AdaptCall]", calls), rows, works)
            case AdaptPredictCall():
                found = self._passes.adapt_predict(model, cast("list[AdaptPredictCall]", calls), rows)
                return [_with_escalation(*one) for one in zip(found, works, strict=True)]
            case PredictCall():
                assert layout is not None
                assert rows is not None
                inputs = [call.inputs for call in cast("list[PredictCall]", calls)]
                return [*self._passes.predict(model, layout, rows, inputs)]
            case InspectCall():
                return [self._inspect(model, calls[0])] * len(calls)
            case Sliced():
                raise AssertionError("what is prepared is the call itself")

    def _adapt(
        self, model: ResidentModel, calls: Sequence[AdaptCall], starts: Tensor | None, works: Sequence[_Work]
    ) -> list[Reply]:
        layout, answers = self._passes.adapt(model, calls, starts)
        made = [
            answer
            for answer, work in zip(answers, works, strict=True)
            if isinstance(answer, Adapted) and work.escalation is None
        ]
        if made:
            digests = [adapted.reply.digest for adapted in made]
            self._adapted.put(layout, digests, torch.stack([adapted.row for adapted in made]))
        return [
            self._answer(layout, answer, work.escalation) for answer, work in zip(answers, works, strict=True)
        ]

    def _answer(self, layout: Layout, answer: Adapted | EngineFault, outcome: Escalation | None) -> Reply:
        """What the caller gets; an adaptation whose encoder was looked at is kept here, with its factors."""
        if not isinstance(answer, Adapted):
            return answer
        if outcome is None:
            return answer.reply
        layout, row = joined(layout, answer.row, outcome.factors)
        file = layout.file_of(row.cpu().numpy())
        digest = hashlib.sha256(file).hexdigest()
        self._adapted.put(layout, [digest], row.unsqueeze(0))
        return msgspec.structs.replace(
            answer.reply, digest=digest, params=memoryview(file), escalation=told(outcome)
        )

    def _inspect(self, model: ResidentModel, call: InspectCall) -> Reply:
        trial = canary_call(call.artifact, model.signature, model.manifest.max_ways)
        trials = cast("list[AdaptPredictCall]", self._encoding.encoded(model, [trial]))
        (answer,) = self._passes.adapt_predict(model, trials, None)
        return answer if isinstance(answer, EngineFault) else self.status()


def _with_escalation(reply: Reply, work: _Work) -> Reply:
    """What the caller of both in one gets."""
    if work.escalation is None or not isinstance(reply, PredictReply):
        return reply
    return msgspec.structs.replace(reply, escalation=told(work.escalation))


def _sliced(call: DeviceCall, work: _Work) -> Sliced | None:
    """The call again, where one slice of it is done and more are left; None where it is to be run whole."""
    if isinstance(call, Sliced):
        escalating: Escalating = call.work
        return call if next(escalating.steps, escalating) is not escalating else None
    if isinstance(call, AdaptCall | AdaptPredictCall) and call.start is None:
        begins = begun(work.model, call)
        return None if begins is None else Sliced(call, begins)
    return None


def _defect(call: DeviceCall) -> EngineFault:
    """Answer for a failure that no input should be able to cause; called while it is being handled."""
    logger.exception("a %s failed", type(call).__name__)
    return EngineFault("internal", f"the engine could not run a {type(call).__name__}")
