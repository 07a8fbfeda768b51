"""A run's plan by what its configuration says, so that equal seeds give equal bytes. Measures nothing on a CPU.

A run whose steps are a program's waits for that before its first one, however long the compiler takes: it is there
for every later run. A plan that was begun with stays (docs/decisions/0014-a-plan-is-declared.md).
"""

import logging
from time import monotonic

from models.programs.folder import ProgramFolder, has_compiler
from models.training.meta_trainer import MetaTrainer
from models.training.plan_policy import declared
from models.training.planner import FEWEST, Planner
from models.training.plans import EAGER_PLANS, Plan
from models.training.program import CompiledPlan, ProgramSpec
from models.training.weighing import weigh

# Between two attempts at the compiler: another job's program, or another process, may be at it.
_AGAIN_S = 2.0

_log = logging.getLogger(__name__)


class DeclaredPlanner(Planner):
    """One run's. A GPU's plans are measured as ever: it promises no bytes."""

    def __init__(self, trainer: MetaTrainer, spec: ProgramSpec, folder: ProgramFolder) -> None:
        super().__init__(trainer, spec, folder)
        self._name: str | None = None
        self._asked = -_AGAIN_S

    def ready(self) -> bool:
        """Whether the run may begin; if not, its program is being compiled, and it is to ask again."""
        if self._on_gpu or self._declared() != "compiled" or self._folder.program(self._key) is not None:
            return True
        failure = self._folder.failure(self._key)
        if failure is not None:
            _log.warning("compiling failed, training stays eager: %s", failure)
            self._name = "vmap"
            return True
        if monotonic() - self._asked >= _AGAIN_S:
            self._asked = monotonic()
            self._compile()
        return False

    def turn(self) -> None:
        """The plan stays; but a GPU's is measured."""
        if self._on_gpu:
            super().turn()

    def _first(self) -> Plan:
        if self._on_gpu:
            return super()._first()
        name = self._declared()
        return (self._compiled() if name == "compiled" else None) or self._eager(name)

    def _recorded(self, name: str) -> Plan:
        if self._on_gpu or name in EAGER_PLANS:
            return super()._recorded(name)
        compiled = self._compiled()
        if compiled is None or compiled.name != name:
            _log.warning("%s is not at hand any more: goes on by another plan, and with other rounding", name)
        return compiled or self._eager("vmap")

    def _declared(self) -> str:
        """The plan's kind: what a checkpoint recorded, else what the configuration says."""
        if self._name is None:
            trainer = self._trainer
            if trainer.stretches:
                self._name = trainer.stretches[-1].plan.split()[0]
            elif trainer.training.iterations < FEWEST or not self._spec.is_compiled:
                self._name = "vmap"
            else:
                self._name = declared(weigh(trainer), trainer.training.iterations)
            if self._name == "compiled" and (self._notes.verdict == "failed" or not has_compiler()):
                _log.info("no program of a compiler (g++ or clang++, or CXX) here: training stays eager")
                self._name = "vmap"
        return self._name

    def _compiled(self) -> CompiledPlan | None:
        """The program, if it is there and computes the same but for rounding."""
        plan = self._load()
        if plan is None or self._notes.verdict is not None or self._agrees(plan, self._eager("vmap")):
            return plan
        self._judge("failed")
        return None

    def _eager(self, name: str) -> Plan:
        return EAGER_PLANS[name if name in EAGER_PLANS else "vmap"](self._trainer.step)
