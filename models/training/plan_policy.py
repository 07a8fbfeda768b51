"""When another plan is worth it. Pure: seconds and counts are handed in, nothing is measured here."""

from typing import Literal, NamedTuple

# What compiling a program takes on two cores beside training, in seconds: at least, and for each kernel. Beyond
# so many it takes memory too, which other processes want. And what loading one takes.
COMPILE_S = 20.0
COMPILE_KERNEL_S = 0.06
MOST_KERNELS = 5000
LOAD_S = 3.0

# What calling a kernel costs before it computes anything, in seconds; the least part of a step that such calls
# have to be for a compiler, which removes calls and leaves arithmetic, to make it noticeably faster.
CALL_S = 3e-6
LEAST_CALLING = 0.15

# What arithmetic is reckoned at where nothing is measured, on one core: seconds for a multiply-add of a product or
# convolution, and for a number that any other kernel writes.
MULTIPLY_ADD_S = 1e-10
NUMBER_S = 1e-9

# Rounding decides bytes, so a run changes its plan for a clear gain alone.
CLEARLY = 1.15


def pays_to_load(step_seconds: float | None, steps_left: int) -> bool:
    """Whether a program that is there saves more than its loading, if a step takes so long without."""
    return step_seconds is not None and step_seconds * steps_left > LOAD_S


def pays_to_compile(step_seconds: float, kernels: int | None, steps_left: int, eager_seconds: float) -> bool:
    """Whether to have a program compiled, for a step of so many kernels (None: not known yet).

    Only where calls are a good part of a step; and no sooner than training without it, this job's rest and all
    jobs of its shape before, comes to what compiling costs: so a short job pays for no compiler, and the worst
    case is twice the least cost in hindsight (the ski-rental problem, Karlin et al. 1988).
    """
    if kernels is None or kernels > MOST_KERNELS or kernels * CALL_S < LEAST_CALLING * step_seconds:
        return False
    return eager_seconds + step_seconds * steps_left >= COMPILE_S + COMPILE_KERNEL_S * kernels


def is_clearly_faster(candidate_seconds: float, present_seconds: float) -> bool:
    return candidate_seconds * CLEARLY < present_seconds


class Work(NamedTuple):
    """What one outer step is made of, all tasks in one pass: the same on every machine."""

    kernels: int
    multiply_adds: int
    numbers: int  # written by all other kernels
    grouped: bool  # whether a convolution has weights of its own for every task

    @property
    def seconds(self) -> float:
        """A reckoning, not a measurement."""
        return self.kernels * CALL_S + self.multiply_adds * MULTIPLY_ADD_S + self.numbers * NUMBER_S


def declared(work: Work, steps: int) -> Literal["vmap", "loop", "compiled"]:
    """The plan of a run of so many steps, by what its configuration says alone: equal seeds give equal bytes.

    A convolution with weights of its own for every task is a grouped one, which CPUs do badly: a task at a time.
    """
    if work.grouped:
        return "loop"
    return "compiled" if pays_to_compile(work.seconds, work.kernels, steps, 0.0) else "vmap"
