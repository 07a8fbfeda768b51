"""Half cheetahs that are not told their speed, by `rml-mg-cheetah-velocity`: return after each gradient step.

python -P -m tests.benchmarks cheetah_velocity --weights FOLDER [--iterations N]
"""

from tests.benchmarks import half_cheetah
from tests.benchmarks.figures import Report
from tests.benchmarks.options import Options

GOAL = half_cheetah.Goal(
    suite="cheetah_velocity",
    recipe="rml-mg-cheetah-velocity",
    title="Half cheetah: a policy finds out how fast to run",
    paper=(-129.53, -78.57, -66.62, -60.78),
    paper_ci95=(16.8, 10.0, 9.1, 8.7),
    paper_iterations=475,
    oracle=-54.47,
)


def measure(options: Options) -> Report:
    return half_cheetah.measure(GOAL, options)
