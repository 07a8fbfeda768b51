"""What is known of one program for one number of tasks, and the plans that it may go by. Runs nothing."""

from collections.abc import Callable, Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol

from torch import Tensor

from models.functional import Params
from services.engine.programs import Program, ProgramSpec

Compiled = Callable[..., Sequence[Tensor]]


class Plan(StrEnum):
    TOGETHER = "together"
    EACH = "each"
    COMPILED = "compiled"
    GRAPH = "graph"
    GRAPH_PATCHES = "graph patches"
    GRAPH_BFLOAT16 = "graph bfloat16"


class Recorded(NamedTuple):
    """A program recorded for one number of tasks.

    `size` in bytes; `tolerance` is how far its answer may be from the eager one, for numbers of the answer's own
    size.
    """

    plan: Plan
    run: Compiled
    size: int
    tolerance: float


class Recorder(Protocol):
    """Records programs on a GPU."""

    budget: int
    """Bytes of recordings that may be kept."""

    def recordings(
        self, spec: ProgramSpec, meta_params: Params, tensors: Sequence[Tensor]
    ) -> Iterable[Recorded]:
        """Those of the program that there are, for tensors of these shapes, one after the other."""
        ...


def rung_of(tasks: int) -> int:
    """The number of tasks that a compiled pass of `tasks` has: 1, 4, 16, 64, ... so that few programs exist."""
    rung = 1
    while rung < tasks:
        rung *= 4
    return rung


class Line:
    """One program at one rung: what was measured of it, and what takes over from the eager plans."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.plan = Plan.TOGETHER
        self.passes = 0
        self.seconds = 0.0  # spent in eager passes
        self.quickest: dict[Plan, float] = {}  # seconds a task
        self.compiled: Compiled | None = None
        self.recorded = False
        self.may_record = True
        self.may_ask = True
        self.waits = False  # for the workshop

    def measured(self, plan: Plan, seconds_a_task: float) -> None:
        self.quickest[plan] = min(seconds_a_task, self.quickest.get(plan, seconds_a_task))
