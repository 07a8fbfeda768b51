"""What a workflow's steps do: begin, train a chunk, meta-test, publish. Knows no DBOS; imports torch late.

A step answers with plain data, which DBOS records and gives again to a workflow that goes on elsewhere. The live
trainer stays in memory between the steps of one worker; another worker makes it anew from the last checkpoint. An
evaluation goes through the same steps, and publishes nothing.
"""

import logging
from collections.abc import Callable
from contextlib import suppress
from threading import Event
from time import monotonic
from typing import TYPE_CHECKING, Any, Literal

from models.programs.folder import ProgramFolder
from models.spec import EncoderSpec, NetworkSpec, words_of
from services.clock import Clock
from services.datasets.service import DatasetService
from services.errors import Unavailable
from services.jobs.encoded import FeatureFolder
from services.jobs.evaluation_session import EvaluationSession
from services.jobs.failures import Unsuitable, failure_of
from services.jobs.ledger import Ledger, NotHeld
from services.jobs.records import Job
from services.jobs.session import Leaving, Session
from services.jobs.settings import WorkerSettings
from services.storage.artifacts import ArtifactStore

if TYPE_CHECKING:
    import torch

    from models.spec import TaskFamilySpec
    from models.tasks.grouped_data import GroupedData
    from models.tasks.labelled_data import LabelledData
    from services.jobs.preparation import Load

# How often a job tells how far it is with encoding its dataset.
_TELL_S = 2.0

Outcome = Literal["more", "trained", "over"]
Scores = dict[str, Any]
AnySession = Session | EvaluationSession

_log = logging.getLogger(__name__)


class Steps:
    """The steps of every job that one worker runs; each job's steps run one after the other.

    No step raises because of its job: what goes wrong is written on the job, and the turn is over. What they do
    raise (the database is away) ends the workflow, and the sweep gives the job another turn.
    """

    def __init__(
        self,
        ledger: Ledger,
        artifacts: ArtifactStore,
        datasets: DatasetService,
        clock: Clock,
        settings: WorkerSettings,
        programs: ProgramFolder | None = None,
        features: FeatureFolder | None = None,
    ) -> None:
        self._features = features
        self._encoder = None if features is None else features.encoder
        self._ledger = ledger
        self._artifacts = artifacts
        self._datasets = datasets
        self._clock = clock
        self._settings = settings
        self._programs = programs if settings.worker_plans != "vmap" else None
        self._leaving = Event()
        self._taken: dict[str, Job] = {}
        self._sessions: dict[str, AnySession] = {}

    @property
    def active(self) -> set[str]:
        """Ids of the jobs that this worker has in hand."""
        return set(self._taken)

    def leave(self) -> None:
        """Let every running step save its job and give it back, soon."""
        self._leaving.set()

    def begin(self, job_id: str, turn: int) -> bool:
        """Take the job; False where this turn of it is over, or the worker is leaving."""
        return not self._leaving.is_set() and self._take(job_id, turn) is not None

    def train(self, job_id: str, turn: int) -> Outcome:
        """Train until the next checkpoint, and save that; an evaluation goes on for as long."""

        def chunk(session: AnySession) -> Outcome:
            session.train(self._settings.worker_checkpoint_seconds)
            return "trained" if session.finished else "more"

        return self._on(job_id, turn, chunk) or "over"

    def evaluate(self, job_id: str, turn: int) -> Scores | None:
        """The meta-test's scores, or an evaluation's whole report; None where the turn is over."""
        scores: Scores | None = self._on(job_id, turn, lambda session: session.meta_test())
        return scores

    def publish(self, job_id: str, turn: int, scores: Scores) -> None:
        """Register the version, where one was made, and end the job."""
        ended: Job | None = self._on(job_id, turn, lambda session: session.publish(scores, self._clock.now()))
        if ended is not None:
            self._forget(job_id, turn)
            self._ledger.let_go(ended)

    def _on(self, job_id: str, turn: int, work: Callable[[AnySession], Any]) -> Any:
        """The work's answer, or None where the job is not, or no longer, this worker's to do."""
        session: AnySession | None = None
        try:
            session = self._session(job_id, turn)
            if session is None:
                return None
            return work(session)
        except (NotHeld, Leaving) as why:
            self._set_down(job_id, turn, session, hand_back=isinstance(why, Leaving))
        except Unavailable:
            # The database, not the job: the sweep will find the job in nobody's hands and queue it again.
            self._forget(job_id, turn)
            raise
        except Exception as error:
            self._fail(job_id, turn, error)
        return None

    def _set_down(self, job_id: str, turn: int, session: AnySession | None, *, hand_back: bool) -> None:
        """Save what was reached, for whoever takes the job up again; a job that has ended needs nothing."""
        job = self._forget(job_id, turn)
        with suppress(NotHeld):
            if session is not None:
                session.save()
            if hand_back and job is not None:
                self._ledger.hand_back(job)
        if job is not None:
            self._ledger.let_go(job)

    def _session(self, job_id: str, turn: int) -> AnySession | None:
        session = self._sessions.get(job_id)
        if session is not None and session.job.turn == turn:
            return session
        job = self._take(job_id, turn)
        if job is None:
            return None
        if self._leaving.is_set():
            raise Leaving
        # Importing torch takes seconds, in which the worker has to give signs of life and take jobs already.
        from services.jobs.preparation import prepare

        report_seconds = self._settings.worker_report_seconds
        if job.type == "evaluation":
            self._sessions[job_id] = self._evaluation(job, report_seconds)
            return self._sessions[job_id]
        training = prepare(job.config, self._loader(job), self._settings, self._programs, self._encoder)
        session = Session(job, training, self._ledger, self._leaving, report_seconds)
        session.restore(self._artifacts)
        self._sessions[job_id] = session
        return session

    def _evaluation(self, job: Job, report_seconds: float) -> EvaluationSession:
        from services.jobs.evaluation import prepare_evaluation

        file = self._ledger.version_file(job.config["model"], job.config["version"])
        examination = prepare_evaluation(job.config, file, self._loader(job), self._settings, self._encoder)
        return EvaluationSession(job, examination, self._ledger, self._leaving, report_seconds)

    def _take(self, job_id: str, turn: int) -> Job | None:
        taken = self._taken.get(job_id)
        if taken is not None and taken.turn == turn:
            return taken
        job = self._ledger.take(job_id, turn)
        if job is not None:
            self._taken[job_id] = job
        return job

    def _loader(self, job: Job) -> "Load":
        """What gives the job its data."""

        def load(
            tasks: "TaskFamilySpec", network: NetworkSpec, device: "torch.device"
        ) -> "LabelledData | GroupedData | None":
            from models.spec import GroupSpec, LabelledSpec
            from services.jobs.training_data import training_data

            if not isinstance(tasks, LabelledSpec | GroupSpec):
                return None
            arrays = self._datasets.load(tasks.dataset)
            if not isinstance(network, EncoderSpec) or not isinstance(tasks, LabelledSpec):
                return training_data(tasks, arrays)
            if self._features is None:
                raise Unsuitable("this worker has no folder of encoders")
            words = (
                [words_of(name) for name in arrays.classes] if tasks.class_names and arrays.is_text else []
            )
            if network.is_tuned and not arrays.is_text:
                return training_data(tasks, arrays)
            if network.is_tuned:
                return training_data(tasks, arrays, *self._features.tokens(arrays, network, device, words))
            watch = self._watched(job, f"{len(arrays.inputs)} examples")
            encoded = self._features.features(tasks.dataset, arrays, network, device, watch)
            watch = self._watched(job, f"{len(words)} names of classes")
            names = self._features.names(words, network, device, watch) if words else None
            return training_data(tasks, arrays, encoded, names)

        return load

    def _watched(self, job: Job, what: str) -> Callable[[int], None]:
        """What encoding a dataset calls between two passes: stops where the worker leaves, tells how far it is."""
        told = monotonic() - _TELL_S

        def watch(done: int) -> None:
            nonlocal told
            if self._leaving.is_set():
                raise Leaving
            if monotonic() - told >= _TELL_S:
                told = monotonic()
                message = f"encoding the dataset: {done} of {what}"
                self._ledger.note(job, "log", {"level": "info", "message": message})

        return watch

    def _fail(self, job_id: str, turn: int, error: Exception) -> None:
        job = self._forget(job_id, turn)
        if job is None:
            raise error
        failure = failure_of(error)
        _log.warning(
            "job failed: %s",
            failure.message,
            extra={"job": job_id, "code": failure.code},
            exc_info=error if failure.fault == "server" else None,
        )
        with suppress(NotHeld):
            self._ledger.fail(job, failure)
        self._ledger.let_go(job)

    def _forget(self, job_id: str, turn: int) -> Job | None:
        """Have this turn no longer in hand, before anything about the job is written: writing may fail.

        The next turn may be in hand already: a job that was paused and resumed while a step of it was running.
        """
        session, job = self._sessions.get(job_id), self._taken.get(job_id)
        if session is not None and session.job.turn == turn:
            del self._sessions[job_id]
        if job is None or job.turn != turn:
            return None
        del self._taken[job_id]
        return job
