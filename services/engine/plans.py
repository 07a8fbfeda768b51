"""How tasks go through a program: all together, one by one, compiled or recorded; by whichever is quickest.

Nothing waits for a compiler. A program runs eagerly at once; one that is used a lot is compiled in another process
(`workshop`), is tried against the eager answer on a real pass when it is there, and takes over if it holds. On a
GPU one that is used at all is recorded instead, in a moment (`recorder`), and has to hold as much. Where a pass has
to be brief (`in_haste`) both wait for the next that need not be.
"""

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from models.functional import Params
from services.engine.line import Line, Plan, Recorded, Recorder, rung_of
from services.engine.lru import ByteBudget
from services.engine.programs import ProgramSpec, build_program
from services.engine.workshop import Workshop

logger = logging.getLogger(__name__)

CountPlan = Callable[[str, str], None]
"""Takes the kind of program and the plan that a pass went by."""

# Passes by which the two eager plans are compared, and by which a program has earned its compiling.
_TRIALS = 3
_BUSY_PASSES = 50
_BUSY_SECONDS = 1.0
_RECORDING_PASSES = 6

# Runs that a compiled program has more, where the first was not the quicker one.
_MORE_CHANCES = 3

# One task by itself must be this much quicker than its share of a batched pass: both are measured roughly.
_CLEARLY = 0.8

# How far the compiled answer may be from the eager one, for numbers of the answer's own size.
_TOLERANCE = 1e-4


class Plans:
    """Runs programs on one device and learns how. Not safe for several threads."""

    def __init__(
        self,
        device: torch.device,
        workshop: Workshop | None,
        count_plan: CountPlan = lambda _kind, _plan: None,
        clock: Callable[[], float] = time.perf_counter,
        recorder: Recorder | None = None,
    ) -> None:
        """`workshop` compiles and `recorder` records; None where nothing is to be. `clock` gives seconds."""
        self._device = device
        self._workshop = workshop
        self._count_plan = count_plan
        self._clock = clock
        self._recorder = recorder
        self._recordings: ByteBudget[Recorded] = ByteBudget(recorder.budget if recorder else 0)
        self._lines: dict[tuple[ProgramSpec, int], Line] = {}
        self._put_off: list[ProgramSpec] | None = None  # in haste, what waits for a pass that is not

    @contextmanager
    def in_haste(self) -> Iterator[list[ProgramSpec]]:
        """Let passes put off what takes longer than they do: to load and try what was compiled, to record. What it
        was for comes into the list."""
        put_off: list[ProgramSpec] = []
        self._put_off = put_off
        try:
            yield put_off
        finally:
            self._put_off = None

    def tasks(self, spec: ProgramSpec, tasks: int, meta_params: Params) -> int:
        """How many tasks a pass of `tasks` is to be padded to: a compiled program takes its rung, others any."""
        line = self._line(spec, tasks, meta_params)
        return rung_of(tasks) if line.compiled is not None or line.recorded else tasks

    def run(
        self, spec: ProgramSpec, tasks: int, meta_params: Params, tensors: Sequence[Tensor]
    ) -> Sequence[Tensor]:
        """A pass of `tasks`, padded as `tasks` said; outputs with as many, in the order of the program's."""
        line = self._line(spec, tasks, meta_params)
        if line.recorded and (recorded := self._recording(line, spec, tasks)) is not None:
            given = (*_ordered(meta_params), *(_padded(tensor, rung_of(tasks)) for tensor in tensors))
            outputs, _ = self._timed(lambda: recorded.run(*given))
            self._count_plan(spec.kind, recorded.plan)
            return [output[:tasks] for output in outputs]
        if line.compiled is not None and line.plan is not Plan.COMPILED:
            return self._try(line, tasks, meta_params, tensors)
        if line.plan is Plan.COMPILED:
            outputs, _ = self._timed(lambda: self._compiled(line, meta_params, tensors))
        else:
            outputs, seconds = self._timed(lambda: _eager(line, meta_params, tensors))
            self._learn(line, spec, tasks, meta_params, tensors, seconds)
            if self._recorder is not None and line.may_record and line.passes >= _RECORDING_PASSES:
                if self._put_off is not None:
                    self._put_off.append(spec)
                else:
                    line.may_record = False
                    self._record(line, spec, tasks, meta_params, tensors, outputs)
        self._count_plan(spec.kind, line.plan)
        return [output[:tasks] for output in outputs]

    def _line(self, spec: ProgramSpec, tasks: int, meta_params: Params) -> Line:
        key = (spec, rung_of(tasks))
        line = self._lines.get(key)
        if line is None:
            line = self._lines[key] = Line(build_program(spec, meta_params))
            line.waits = True  # it may have been compiled for an engine before this one
        if line.waits and self._workshop is not None:
            if self._put_off is not None and self._workshop.has(*key):
                self._put_off.append(spec)
            else:
                line.compiled = self._workshop.find(*key)
                line.waits = line.compiled is None and not line.may_ask
        return line

    def _learn(
        self,
        line: Line,
        spec: ProgramSpec,
        tasks: int,
        meta_params: Params,
        tensors: Sequence[Tensor],
        seconds: float,
    ) -> None:
        line.passes += 1
        line.seconds += seconds
        line.measured(line.plan, seconds / tasks)
        if line.passes <= _TRIALS and line.plan is Plan.TOGETHER:
            one = [tensor[:1] for tensor in tensors]
            _, alone = self._timed(lambda: line.program.each(meta_params, one))
            line.measured(Plan.EACH, alone)
            if line.passes == _TRIALS and line.quickest[Plan.EACH] < _CLEARLY * line.quickest[Plan.TOGETHER]:
                line.plan = Plan.EACH
        busy = line.passes >= _BUSY_PASSES and line.seconds >= _BUSY_SECONDS
        if busy and line.may_ask and self._workshop is not None:
            line.may_ask, line.waits = False, True
            self._workshop.ask(spec, rung_of(tasks))

    def _try(
        self, line: Line, tasks: int, meta_params: Params, tensors: Sequence[Tensor]
    ) -> Sequence[Tensor]:
        """Let the compiled program show on a real pass that it is right and quick; answer with the eager one."""
        eager, seconds = self._timed(lambda: _eager(line, meta_params, tensors))
        self._compiled(line, meta_params, tensors)  # the first run loads and touches everything
        # Whoever loses is never tried again, so a run that the machine interrupted is no proof.
        compiled, compiled_seconds = self._timed(lambda: self._compiled(line, meta_params, tensors))
        for _ in range(_MORE_CHANCES):
            if compiled_seconds < seconds:
                break
            _, again = self._timed(lambda: self._compiled(line, meta_params, tensors))
            compiled_seconds = min(compiled_seconds, again)
        distance = _distances(eager, compiled, tasks)
        if distance <= _TOLERANCE and compiled_seconds < seconds:
            line.plan = Plan.COMPILED
            gain = seconds / compiled_seconds
            logger.info(
                "compiled", extra={"program": line.program.spec.kind, "times_quicker": round(gain, 1)}
            )
        else:
            line.compiled, line.may_ask = None, False
            assert self._workshop is not None
            self._workshop.reject(line.program.spec, rung_of(tasks), distance)
        return [output[:tasks] for output in eager]

    def _record(
        self,
        line: Line,
        spec: ProgramSpec,
        tasks: int,
        meta_params: Params,
        tensors: Sequence[Tensor],
        eager: Sequence[Tensor],
    ) -> None:
        """Keep the quickest of the program's recordings, if one is as right as the eager answer and quicker."""
        assert self._recorder is not None
        rung = rung_of(tasks)
        full = [_padded(tensor, rung) for tensor in tensors]
        given = (*_ordered(meta_params), *full)
        best, least = None, line.quickest[line.plan] * tasks
        for recorded in self._recorder.recordings(spec, meta_params, full):
            outputs, _ = self._timed(lambda recorded=recorded: recorded.run(*given))  # type: ignore[misc]
            _, again = self._timed(lambda recorded=recorded: recorded.run(*given))  # type: ignore[misc]
            distance = _distances(eager, outputs, tasks)
            if not distance <= recorded.tolerance:
                what = {"program": spec.kind, "plan": recorded.plan, "distance": distance}
                logger.warning("a recorded program did not hold", extra=what)
            elif again < least:
                best, least = recorded, again
        if best is not None:
            line.recorded = True
            self._recordings.put((spec, rung), best, best.size)
            logger.info("recorded", extra={"program": spec.kind, "plan": best.plan, "seconds": least})

    def _recording(self, line: Line, spec: ProgramSpec, tasks: int) -> Recorded | None:
        """What was recorded; a program whose recording had to make room begins anew."""
        found = self._recordings.get((spec, rung_of(tasks)))
        if found is None:
            line.recorded, line.may_record, line.passes = False, True, 0
        return found

    def _compiled(self, line: Line, meta_params: Params, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
        assert line.compiled is not None
        return line.compiled(*_ordered(meta_params), *tensors)

    def _timed(self, work: Callable[[], Sequence[Tensor]]) -> tuple[Sequence[Tensor], float]:
        began = self._clock()
        outputs = work()
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return outputs, self._clock() - began


def _eager(line: Line, meta_params: Params, tensors: Sequence[Tensor]) -> Sequence[Tensor]:
    run = line.program.each if line.plan is Plan.EACH else line.program.together
    return run(meta_params, tensors)


def _ordered(meta_params: Params) -> list[Tensor]:
    return [meta_params[name] for name in sorted(meta_params)]


def _padded(tensor: Tensor, tasks: int) -> Tensor:
    """[M, ...] with zeros behind them, [`tasks`, ...]."""
    missing = tasks - len(tensor)
    return tensor if missing == 0 else torch.cat([tensor, tensor.new_zeros(missing, *tensor.shape[1:])])


def _distances(eager: Sequence[Tensor], others: Sequence[Tensor], tasks: int) -> float:
    return max(_distance(one[:tasks], other[:tasks]) for one, other in zip(eager, others, strict=True))


def _distance(one: Tensor, other: Tensor) -> float:
    """The largest difference, relative to the size of the numbers; infinite where only one is finite."""
    if not torch.equal(one.isfinite(), other.isfinite()):
        return float("inf")
    size = one.abs().nan_to_num(posinf=0.0).clamp(min=1.0)
    return (
        float(((one - other).nan_to_num(posinf=0.0, neginf=0.0).abs() / size).amax()) if one.numel() else 0.0
    )
