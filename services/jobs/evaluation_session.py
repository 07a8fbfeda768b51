"""One evaluation in a worker's hands: runs its parts, reports, ends the job. Knows no DBOS and no table.

It has the face of a training's session. Nothing is kept between workers: equal seeds give equal reports, and the
parts that one worker did another does again.
"""

import logging
from collections.abc import Callable
from datetime import datetime
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any

from services.errors import Unavailable
from services.jobs.ledger import Ledger
from services.jobs.pace import Pace
from services.jobs.records import Job, JobResult, Progress
from services.jobs.session import Leaving

if TYPE_CHECKING:
    from services.jobs.evaluation import AnyExamination

_log = logging.getLogger(__name__)


class EvaluationSession:
    """The live evaluation of one job on one of its turns. Methods raise NotHeld, Leaving."""

    def __init__(
        self,
        job: Job,
        examination: "AnyExamination",
        ledger: Ledger,
        leaving: Event,
        report_seconds: float,
    ) -> None:
        self.job = job
        self._examination = examination
        self._ledger = ledger
        self._leaving = leaving
        self._report_seconds = report_seconds
        self._drawn = 0
        self._reported_at = 0.0
        self._pace = Pace(0, monotonic())

    @property
    def finished(self) -> bool:
        return self._examination.finished

    def train(self, seconds: float) -> None:
        """Go on for about so long, or to the end, part by part, and for one part at least."""
        deadline = monotonic() + seconds
        while not self.finished:
            self._drawn = self._examination.done
            self._examination.advance(self._watch)
            self._drawn = self._examination.done
            self._report(ended=True)
            if monotonic() >= deadline:
                return

    def save(self) -> None:
        """There is nothing to keep."""

    def meta_test(self) -> dict[str, Any]:
        """The whole report, ready for JSON."""
        while not self.finished:
            self.train(float("inf"))
        return self._examination.report()

    def publish(self, scores: dict[str, Any], now: datetime) -> Job:
        """End the job: the report is its metrics, and its result the version that was evaluated."""
        del now  # the ledger has a clock of its own
        total = self._examination.total
        result = JobResult(self.job.config["model"], self.job.config["version"])
        return self._ledger.conclude(self.job, result, Progress(total, total, 0.0), scores)

    def _watch(self, episodes: int) -> None:
        """Stop where the worker leaves; report, and so notice a cancel or a pause, when it is time."""
        if self._leaving.is_set():
            raise Leaving
        if monotonic() - self._reported_at >= self._report_seconds:
            self._report()
        self._drawn += episodes

    def _report(self, *, ended: bool = False) -> None:
        now = self._reported_at = monotonic()
        total = self._examination.total
        drawn = min(self._drawn, total)
        self._pace.reached(drawn, now)
        progress = Progress(drawn, total, self._pace.seconds_left(total))
        event = self._pace.event_due(now) or ended
        report = self._examination.report()
        self._try(lambda: self._ledger.report(self.job, progress, report, event=event))

    def _try(self, write: Callable[[], None]) -> None:
        """It goes on without a database for as long as it can: the next write may find it there again."""
        try:
            write()
        except Unavailable as error:
            _log.warning("progress not written: %s", error.detail, extra={"job": self.job.id})
