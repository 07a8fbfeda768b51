"""Half cheetahs that are not told their direction, by `rml-mg-cheetah-direction`: return after each gradient step.

python -P -m tests.benchmarks cheetah_direction --weights FOLDER [--iterations N]
"""

from tests.benchmarks import half_cheetah
from tests.benchmarks.figures import Report
from tests.benchmarks.options import Options

GOAL = half_cheetah.Goal(
    suite="cheetah_direction",
    recipe="rml-mg-cheetah-direction",
    title="Half cheetah: a policy finds out which way to run",
    paper=(-50.69, 293.19, 313.48, 315.65),
    paper_ci95=(5.8, 17.2, 16.0, 14.0),
    paper_iterations=100,
    oracle=442.69,
)


def measure(options: Options) -> Report:
    return half_cheetah.measure(GOAL, options)
