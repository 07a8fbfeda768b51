"""The demonstration itself: a starter model, four points of y = 2x, and what is predicted before and after.

The same base is adapted to a few points of other curves too: many tasks of one model are what the service is for.
Talks to a running service as any caller would. Knows nothing of processes, terminals or pictures.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

from innerloop import Client, Job, NotFound
from innerloop.progress import Display

MODEL = RECIPE = "functions"
ALIAS = "champion"
SUPPORT_X = (1.0, 2.0, 3.0, 4.0)
SUPPORT_Y = (2.0, 4.0, 6.0, 8.0)
QUERIES = (5.0, 6.0)
TOLERANCE = 0.3
"""The most that a prediction may be off, in units of y."""

_GRID = tuple(-2.0 + 0.1 * i for i in range(111))
_SKETCH_GRID = tuple(-5.0 + 0.1 * i for i in range(101))


class Task(NamedTuple):
    """Another curve, and where it is measured."""

    title: str
    curve: Callable[[float], float]
    measured: tuple[float, ...]


TASKS = (
    Task("a line from four points", lambda x: 4 - 1.5 * x, (-3, -1, 1, 4)),
    Task("a parabola from five", lambda x: 0.6 * x * x - x - 5, (-4, -2, 0, 2, 4)),
    Task("a sinusoid from eight", lambda x: 4 * math.sin(1.1 * x), (-4.5, -3, -2, -0.5, 0.5, 2, 3, 4.5)),
)


def truth(x: float) -> float:
    """The line that the four points lie on."""
    return 2.0 * x


class Point(NamedTuple):
    """A query, and what the model says with and without the four points; stds in units of y."""

    x: float
    truth: float
    before: float
    before_std: float
    after: float
    after_std: float

    @property
    def error(self) -> float:
        return abs(self.after - self.truth)

    @property
    def within_two_std(self) -> bool:
        return self.error <= 2 * self.after_std

    @property
    def hit(self) -> bool:
        return self.error <= TOLERANCE and self.within_two_std


class Sketch(NamedTuple):
    """A task's answers over a grid of x, with their stds."""

    task: Task
    x: tuple[float, ...]
    values: list[float]
    stds: list[float]


@dataclass(frozen=True)
class Result:
    """`points` are the queries, `curve` the same over a grid of x, `sketches` what came of each of `TASKS`."""

    adaptation: str
    model: str
    points: list[Point]
    curve: list[Point]
    sketches: list[Sketch]

    @property
    def hit(self) -> bool:
        """Whether every query is near enough to the truth, and the truth within two std."""
        return all(point.hit for point in self.points)


def trained(client: Client) -> bool:
    """Whether there is a champion already, trained or imported."""
    try:
        client.models.alias(MODEL, ALIAS)
    except NotFound:
        return False
    return True


def train(client: Client, show: Display) -> Job:
    """Meta-train the starter through the service's job endpoint; `show` is called with every look at the job."""
    return client.train(MODEL, recipe=RECIPE, alias=ALIAS).wait(progress=show)


def adapt(client: Client) -> Result:
    """Ask for the queries and the grid before adapting, adapt to the four points, ask again; then other tasks."""
    reference = f"{MODEL}@{ALIAS}"
    asked = [*QUERIES, *_GRID]
    before = client.adapt_and_predict(reference, None, None, asked)
    adaptation = client.adapt(reference, SUPPORT_X, SUPPORT_Y)
    after = adaptation.predict(asked)
    columns = zip(asked, before.values, before.stds, after.values, after.stds, strict=True)
    points = [Point(x, truth(x), *said) for x, *said in columns]
    return Result(
        adaptation=adaptation.id,
        model=str(adaptation.model),
        points=points[: len(QUERIES)],
        curve=points[len(QUERIES) :],
        sketches=[_sketch(client, reference, task) for task in TASKS],
    )


def _sketch(client: Client, reference: str, task: Task) -> Sketch:
    targets = [task.curve(x) for x in task.measured]
    said = client.adapt_and_predict(reference, task.measured, targets, _SKETCH_GRID)
    return Sketch(task, _SKETCH_GRID, said.values, said.stds)
