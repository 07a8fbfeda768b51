"""Chooses a run's plans by measuring them, and has the compiled one made beside it. Never waits for a compiler.

Plans differ in rounding, so a run changes its plan in two places alone, both recorded in its stretches: before its
first step here, and where a checkpoint is taken next (docs/decisions/0005-plans-change-at-checkpoints.md).
"""

import logging
import math
from time import perf_counter
from typing import Literal

import msgspec
import torch

from models.programs.folder import ProgramFolder, has_compiler
from models.programs.recorded import NotRecordable
from models.training.blocks import Block
from models.training.gpu_plans import gpu_plan, gpu_plan_names
from models.training.graph_plan import GraphPlan
from models.training.meta_trainer import MetaTrainer
from models.training.outer_step import OuterState
from models.training.plan_policy import is_clearly_faster, pays_to_compile, pays_to_load
from models.training.plans import EAGER_PLANS, EagerPlan, Plan
from models.training.program import CompiledPlan, ProgramSpec

# A trial calls a plan for about so long, and at least twice: the first call of anything is slow. It is of so many
# tasks at most, for how the time of one pass grows with them; a run of few iterations is over sooner than a trial.
_TRIAL_S = 0.03
_TRIAL_TASKS = {"loop": 4, "vmap": 32}
_TRIAL_STEPS = 8
FEWEST = 10

# How far two plans' meta-gradients may be apart, relative to their size, to be the same but for rounding.
_ROUNDING = 1e-3

_log = logging.getLogger(__name__)


class Planner:
    """One run's. Programs are compiled for the CPU alone; a GPU has its own plans, and a run stays with one."""

    def __init__(self, trainer: MetaTrainer, spec: ProgramSpec, folder: ProgramFolder) -> None:
        self._trainer = trainer
        self._spec = spec
        self._folder = folder
        self._on_gpu = trainer.device.type == "cuda"
        self._key = _key_on_gpu(spec.key, trainer.device) if self._on_gpu else spec.key
        self._notes = folder.notes(self._key)
        self._rejected = self._notes.verdict in ("slower", "failed") or trainer.device.type != "cpu"
        self._rejected |= not spec.is_compiled
        self._since = (0, 0.0)

    def ready(self) -> bool:
        """Whether the run may begin; it always may here."""
        return True

    def begin(self) -> None:
        """Choose what the run goes on with: what its checkpoint says; at its start, what notes or a trial say."""
        recorded = self._trainer.stretches[-1].plan if self._trainer.stretches else None
        self._trainer.use(self._recorded(recorded) if recorded else self._first())
        self._since = (self._trainer.iteration, perf_counter())

    def turn(self) -> None:
        """Change to the compiled plan where it is there and better; have it compiled where that would pay.

        Call it right before a checkpoint is taken, so that the change is on record before a step depends on it.
        """
        trainer = self._trainer
        if self._rejected or trainer.finished or not isinstance(trainer.plan, EagerPlan):
            return
        self._account()
        if self._folder.program(self._key) is not None:
            self._adopt()
        elif (failure := self._folder.failure(self._key)) is not None:
            _log.warning("compiling failed, training stays eager: %s", failure)
            # Perhaps memory or disk was short: it may be tried again, once it would have paid again.
            self._rejected, self._notes.eager_seconds = True, 0.0
            self._folder.note(self._key, self._notes)
        elif self._notes.step_seconds is not None and pays_to_compile(
            self._notes.step_seconds, trainer.plan.kernels, self._steps_left(), self._notes.eager_seconds
        ):
            self._compile()

    def _first(self) -> Plan:
        known = self._notes.eager
        if self._on_gpu:
            return (self._gpu_plan(known) if known else None) or self._trial_on_gpu()
        if self._notes.verdict == "faster" and pays_to_load(self._notes.step_seconds, self._steps_left()):
            compiled = self._load()
            if compiled is not None:
                return compiled
        if known in EAGER_PLANS:
            return EAGER_PLANS[known](self._trainer.step)
        return self._trial() if self._steps_left() >= FEWEST else self._trainer.plan

    def _recorded(self, name: str) -> Plan:
        """The plan of that name, or where its program is gone the eager one: then that is a stretch of its own."""
        if self._on_gpu:
            return self._gpu_plan(name) or self._first()
        if name in EAGER_PLANS:
            return EAGER_PLANS[name](self._trainer.step)
        compiled = self._load()
        if compiled is not None and compiled.name == name:
            return compiled
        _log.warning("%s is not at hand any more: goes on by another plan, and with other rounding", name)
        return compiled or EAGER_PLANS[self._notes.eager or "vmap"](self._trainer.step)

    def _trial(self) -> EagerPlan:
        """The faster of the eager plans on tasks of the run's first block, a task against a task."""
        trainer = self._trainer
        block = trainer.blocks.at(trainer.iteration)
        seconds: dict[str, float] = {}
        for name, most in _TRIAL_TASKS.items():
            tasks = min(most, trainer.training.meta_batch_size)
            few = block._replace(episodes=tuple(one[:, :tasks].contiguous() for one in block.episodes))
            plan = EAGER_PLANS[name](trainer.step)
            seconds[name] = seconds_a_step(plan, trainer.outer_state, few) / tasks
        faster = "loop" if is_clearly_faster(seconds["loop"], seconds["vmap"]) else "vmap"
        self._notes.eager = faster
        self._folder.note(self._key, self._notes)
        _log.info("eager plan: %s, of %s seconds a task", faster, seconds)
        return EAGER_PLANS[faster](trainer.step)

    def _gpu_plan(self, name: str) -> Plan | None:
        """The plan of that name once it has run; None where a GPU has none, or it cannot be recorded here."""
        trainer, plan = self._trainer, gpu_plan(name, self._spec, self._trainer)
        if not isinstance(plan, GraphPlan):
            return plan
        try:
            plan.run(trainer.outer_state, trainer.blocks.at(trainer.iteration), 0, 1)
        except (NotRecordable, torch.OutOfMemoryError) as error:
            _log.warning("%s cannot be had: %s", name, error)
            return None
        return plan

    def _trial_on_gpu(self) -> Plan:
        """The fastest of a GPU's plans on the run's first block, of those that compute the same."""
        trainer = self._trainer
        state, block = trainer.outer_state, trainer.blocks.at(trainer.iteration)
        steps = min(_TRIAL_STEPS, len(block.rates))
        best: Plan = EAGER_PLANS["vmap"](trainer.step)
        expected = best.run(state, block, 0, 1)[0].exp_avg
        seconds = {best.name: seconds_a_step(best, state, block, steps)}
        for name in gpu_plan_names(self._spec):
            plan = None if name in seconds else self._gpu_plan(name)
            if plan is None:
                continue
            apart = (plan.run(state, block, 0, 1)[0].exp_avg - expected).norm() / expected.norm()
            if not apart <= _ROUNDING:
                _log.error("%s computes something else: %.2g apart", name, apart)
                continue
            seconds[name] = seconds_a_step(plan, state, block, steps)
            if is_clearly_faster(seconds[name], seconds[best.name]):
                best = plan
        self._notes.eager = best.name
        self._folder.note(self._key, self._notes)
        _log.info("plan on the GPU: %s, of %s seconds a step", best.name, seconds)
        return best

    def _adopt(self) -> None:
        """Change to the program, if what it computes is the same but for rounding, and clearly sooner there."""
        compiled, trainer = self._load(), self._trainer
        if compiled is None:
            return None
        eager, state, block = trainer.plan, trainer.outer_state, trainer.blocks.at(trainer.iteration)
        steps = min(_TRIAL_STEPS, len(block.rates))
        if not self._agrees(compiled, eager):
            return self._judge("failed")
        fast, slow = (seconds_a_step(plan, state, block, steps) for plan in (compiled, eager))
        _log.info("an outer step: %.3g s compiled, %.3g s eager", fast, slow)
        if not is_clearly_faster(fast, slow):
            return self._judge("slower")
        self._judge("faster")
        trainer.use(compiled)
        return None

    def _agrees(self, compiled: CompiledPlan, eager: Plan) -> bool:
        """Whether the program's meta-gradient is the eager one, but for rounding."""
        state, block = self._trainer.outer_state, self._trainer.blocks.at(self._trainer.iteration)
        ours, theirs = (plan.run(state, block, 0, 1)[0].exp_avg for plan in (compiled, eager))
        same = bool((ours - theirs).norm() <= _ROUNDING * theirs.norm())
        if not same:
            _log.error("the compiled program computes something else: %s", self._key)
        return same

    def _compile(self) -> None:
        if has_compiler():
            self._folder.compile(self._key, msgspec.json.encode(self._spec))
        else:
            _log.info("no C++ compiler here (g++ or clang++, or CXX): training stays eager")
            self._rejected = True

    def _load(self) -> CompiledPlan | None:
        path = self._folder.program(self._key)
        if path is None or self._trainer.device.type != "cpu":
            return None
        try:
            return CompiledPlan(path, len(self._trainer.step.metric_names))
        except (RuntimeError, OSError) as error:
            _log.warning("a compiled program could not be loaded: %s", error)
            self._judge("failed")
            return None

    def _judge(self, verdict: Literal["faster", "slower", "failed"]) -> None:
        self._rejected = verdict != "faster"
        self._notes.verdict = verdict
        self._folder.note(self._key, self._notes)

    def _account(self) -> None:
        """Note how long the eager steps since the last time took."""
        (iteration, began), now = self._since, perf_counter()
        steps = self._trainer.iteration - iteration
        if steps:
            self._notes.step_seconds = (now - began) / steps
            self._notes.eager_seconds += now - began
            self._folder.note(self._key, self._notes)
        self._since = (self._trainer.iteration, now)

    def _steps_left(self) -> int:
        return self._trainer.training.iterations - self._trainer.iteration


def _key_on_gpu(key: str, device: torch.device) -> str:
    """What is measured on one kind of GPU says nothing of another."""
    name = torch.cuda.get_device_name(device)
    return f"{key}-{''.join(letter if letter.isalnum() else '-' for letter in name)}"


def seconds_a_step(plan: Plan, state: OuterState, block: Block, steps: int = 1) -> float:
    """What one of so many outer steps takes, at best; the state stays as it is."""
    best, calls, deadline = math.inf, 0, perf_counter() + _TRIAL_S
    while calls < 2 or perf_counter() < deadline:
        began = perf_counter()
        _, metrics = plan.run(state, block, 0, steps)
        metrics.cpu()  # waits for a device that works behind our back
        best = min(best, perf_counter() - began)
        calls += 1
    return best / steps
