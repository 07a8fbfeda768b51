"""The demonstration itself: a starter model, four points of y = 2x, and what is predicted before and after.

Talks to a running service as any caller would. Knows nothing of processes, terminals or pictures.
"""

from dataclasses import dataclass
from typing import NamedTuple

from innerloop import Client, Job, NotFound
from innerloop.progress import Display, loss_of

MODEL = RECIPE = "functions"
ALIAS = "champion"
SUPPORT_X = (1.0, 2.0, 3.0, 4.0)
SUPPORT_Y = (2.0, 4.0, 6.0, 8.0)
QUERIES = (5.0, 6.0)
TOLERANCE = 0.3
"""The most that a prediction may be off, in units of y."""

_GRID = tuple(-2.0 + 0.1 * i for i in range(111))


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


@dataclass(frozen=True)
class Result:
    """`points` are the queries, `curve` the same over a grid of x, `losses` (iteration, meta-loss) in training."""

    adaptation: str
    model: str
    points: list[Point]
    curve: list[Point]
    losses: list[tuple[int, float]]

    @property
    def hit(self) -> bool:
        """Whether every query is near enough to the truth, and the truth within two std."""
        return all(point.hit for point in self.points)


def trained(client: Client) -> str | None:
    """The job that trained the present champion (empty where it was imported); None where there is none."""
    try:
        alias = client.models.alias(MODEL, ALIAS)
    except NotFound:
        return None
    return str(client.models.version(MODEL, alias.version).training.get("job") or "")


def train(client: Client, show: Display) -> Job:
    """Meta-train the starter through the service's job endpoint; `show` is called with every look at the job."""
    return client.train(MODEL, recipe=RECIPE, alias=ALIAS).wait(progress=show)


def losses_of(client: Client, job: str) -> list[tuple[int, float]]:
    """A job's meta-loss by iteration, from its metric events; nothing where the job is gone."""
    if not job:
        return []
    try:
        events = list(client.jobs.get(job).past_events())
    except NotFound:
        return []
    pairs = [(event.data.get("iteration"), loss_of(event.data)) for event in events if event.type == "metric"]
    return [(iteration, loss) for iteration, loss in pairs if iteration is not None and loss is not None]


def adapt(client: Client, job: str) -> Result:
    """Ask for the queries and the grid before adapting, adapt to the four points, ask again."""
    asked = [*QUERIES, *_GRID]
    before = client.adapt_and_predict(f"{MODEL}@{ALIAS}", None, None, asked)
    adaptation = client.adapt(f"{MODEL}@{ALIAS}", SUPPORT_X, SUPPORT_Y)
    after = adaptation.predict(asked)
    columns = zip(asked, before.values, before.stds, after.values, after.stds, strict=True)
    points = [Point(x, truth(x), *said) for x, *said in columns]
    return Result(
        adaptation=adaptation.id,
        model=str(adaptation.model),
        points=points[: len(QUERIES)],
        curve=points[len(QUERIES) :],
        losses=losses_of(client, job),
    )
