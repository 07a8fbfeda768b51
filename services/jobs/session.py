"""One job in a worker's hands: trains, reports, saves, tests and publishes it. Knows no DBOS and no table."""

import logging
from collections.abc import Callable
from datetime import datetime
from threading import Event
from time import monotonic, sleep
from typing import TYPE_CHECKING, Any

from services.errors import ServiceError, Unavailable
from services.jobs.ledger import Ledger
from services.jobs.pace import Pace
from services.jobs.records import Job, Progress
from services.jobs.window import MetricWindows
from services.storage.artifacts import ArtifactStore

if TYPE_CHECKING:
    from services.jobs.training import Training

# Iterations are run as many at a time as take about this long: a look at the clock after each would cost more
# than the iteration of a small model.
_STRIDE_S = 0.05

# The first checkpoint comes after this long, the ones after it at doubling distances up to the setting's.
_FIRST_SAVE_S = 1.0

# Between two looks at whether a training may begin.
_WAIT_S = 0.1

_log = logging.getLogger(__name__)


class Leaving(Exception):
    """The worker was told to stop."""


class Session:
    """The live training of one job on one of its turns. Methods raise NotHeld, Leaving, Diverged."""

    def __init__(
        self, job: Job, training: "Training", ledger: Ledger, leaving: Event, report_seconds: float
    ) -> None:
        self.job = job
        self._training = training
        self._ledger = ledger
        self._leaving = leaving
        self._report_seconds = report_seconds
        self._began = monotonic()
        self._stride = 1
        self._saved = 0
        self._reported_at = 0.0
        self._metrics = dict(job.metrics)
        self._windows = MetricWindows(job.progress.iterations)
        self._windows_told = ledger.last_metric_iteration(job)
        self._phase = ""
        self._waits = False
        self._pace = Pace(0, monotonic())

    @property
    def finished(self) -> bool:
        return self._training.finished

    def restore(self, artifacts: ArtifactStore) -> None:
        """Go on from the latest checkpoint whose file can be read; from the start where there is none."""
        for checkpoint in self._ledger.checkpoints(self.job):
            try:
                self._training.restore(artifacts.read(checkpoint.sha256))
            except (ServiceError, ValueError) as error:
                _log.warning(
                    "checkpoint unreadable: %s", error, extra={"job": self.job.id, "id": checkpoint.id}
                )
                continue
            self._saved = checkpoint.iteration
            self._pace = Pace(checkpoint.iteration, monotonic())
            self._tell("info", f"goes on from the checkpoint at iteration {checkpoint.iteration}")
            return

    def train(self, seconds: float) -> None:
        """Train for about so long, or to the end, and save a checkpoint; a young session saves sooner."""
        began = monotonic()
        deadline = began + min(seconds, _FIRST_SAVE_S + began - self._began)
        while not self.finished:
            if self._is_ready():
                self._advance()
            self._watch()
            if monotonic() >= deadline:
                break
        self._report(ended=self.finished)
        before = self._training.plan
        self._training.turn()
        if self._training.plan != before:
            self._tell(
                "info", f"from iteration {self._training.iteration} on by the plan {self._training.plan}"
            )
        self._try("checkpoint", self.save)

    def save(self) -> None:
        """Keep a checkpoint of where the training is, unless that one is kept already."""
        iteration = self._training.iteration
        if iteration != self._saved:
            self._ledger.save(self.job, iteration, self._training.checkpoint(), self._metrics)
            self._saved = iteration

    def meta_test(self) -> dict[str, dict[str, float]]:
        """Scores on held-out tasks: `meta_test`, and of earlier phases where there are any."""
        self._finish()
        episodes = self.job.config["training"]["test_episodes"]
        self._tell("info", f"meta-test on {episodes} episodes")
        return self._training.meta_test(self._watch)

    def publish(self, scores: dict[str, dict[str, float]], now: datetime) -> Job:
        """Register what was trained and end the job."""
        self._finish()
        metrics = {**self._metrics, **scores}
        artifact = self._training.artifact(self._record(now), {"meta_train": self._metrics, **scores})
        iterations = self.job.progress.iterations
        return self._ledger.succeed(self.job, artifact, Progress(iterations, iterations, 0.0), metrics)

    def _finish(self) -> None:
        """Train what is left: nothing, unless the last checkpoint was lost with its disk."""
        while not self.finished:
            self.train(float("inf"))

    def _record(self, now: datetime) -> dict[str, Any]:
        """How the version came to be, for its manifest."""
        started = self.job.started_at or now
        return {
            "job": self.job.id,
            "tasks": self.job.config["tasks"],
            **self.job.config["training"],
            "started_at": started.isoformat(),
            "finished_at": now.isoformat(),
            "seconds": round((now - started).total_seconds(), 3),
            "attempts": self.job.attempts,
        }

    def _is_ready(self) -> bool:
        """Whether a step can be taken; if not, this has waited a moment."""
        if self._training.ready():
            self._waits = False
            return True
        if not self._waits:
            self._tell("info", "waits for the program of its steps, which is being compiled")
        self._waits = True
        sleep(_WAIT_S)
        return False

    def _advance(self) -> None:
        began = monotonic()
        count = min(self._stride, self._windows.room(self._training.iteration))
        before, phase = self._training.iteration, self._training.phase
        self._enter(phase)
        means = self._training.run(count)
        taken = self._training.iteration - before
        seconds = max(monotonic() - began, 1e-6)
        self._stride = max(1, min(2 * self._stride, int(count * _STRIDE_S / seconds)))
        self._windows.add(means, taken)
        self._metrics = self._windows.recent()
        ends = self.finished or self._training.phase != phase
        if ends or self._training.iteration % self._windows.length == 0:
            self._end_window()

    def _enter(self, phase: str) -> None:
        """Another phase has other metrics: its windows are its own."""
        if phase == self._phase:
            return
        if self._phase or phase == "pretraining":
            done = self._training.iteration
            self._tell("info", f"{phase.replace('_', '-')} from iteration {done} on")
        if self._phase:
            self._windows = MetricWindows(self.job.progress.iterations)
        self._phase = phase

    def _end_window(self) -> None:
        iteration = self._training.iteration
        if iteration > self._windows_told:
            phase = {"phase": self._phase} if self.job.config["training"].get("pretrain") else {}
            data = {"iteration": iteration, **phase, **self._windows.means()}
            self._try("metric", lambda: self._ledger.note(self.job, "metric", data))
            self._windows_told = iteration
        self._windows.clear()

    def _watch(self) -> None:
        """Stop where the worker leaves; report, and so notice a cancel or a pause, when it is time."""
        if self._leaving.is_set():
            raise Leaving
        if monotonic() - self._reported_at >= self._report_seconds:
            self._report()

    def _report(self, *, ended: bool = False) -> None:
        now = self._reported_at = monotonic()
        iteration, iterations = self._training.iteration, self.job.progress.iterations
        self._pace.reached(iteration, now)
        progress = Progress(iteration, iterations, self._pace.seconds_left(iterations))
        event = self._pace.event_due(now) or ended
        self._try("progress", lambda: self._ledger.report(self.job, progress, self._metrics, event=event))

    def _tell(self, level: str, message: str) -> None:
        _log.info(message, extra={"job": self.job.id})
        self._try("log", lambda: self._ledger.note(self.job, "log", {"level": level, "message": message}))

    def _try(self, what: str, write: Callable[[], None]) -> None:
        """Training goes on without a database for as long as it can: the next write may find it there again."""
        try:
            write()
        except Unavailable as error:
            _log.warning("%s not written: %s", what, error.detail, extra={"job": self.job.id})
