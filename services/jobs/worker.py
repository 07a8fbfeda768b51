"""A worker process's life: signs of life, the queue, the sweep, and an orderly leave. Knows DBOS; not training.

What a job does is in `steps`; nothing here imports torch, so that a worker is at work before torch is loaded.
"""

import logging
from collections.abc import Callable, Mapping
from threading import Event, Thread
from time import monotonic, sleep
from typing import Any

from dbos import DBOS, DBOSConfig, DBOSPortableJSONSerializer

from models.programs.folder import ProgramFolder
from services.clock import Clock
from services.datasets.service import DatasetService
from services.jobs.carrier import APPLICATION, APPLICATION_VERSION, QUEUE, WORKFLOW, Carrier
from services.jobs.encoded import FeatureFolder
from services.jobs.ledger import Ledger
from services.jobs.liveness import beat, forget, own_heartbeat
from services.jobs.settings import WorkerSettings
from services.jobs.steps import Steps
from services.jobs.sweep import Sweep
from services.jobs.workflow import carry
from services.registry.service import RegistryService
from services.storage.artifacts import ArtifactStore
from services.storage.database import Database

_CHORES_S = 60.0
_TICK_S = 0.05
_ENDING_S = 1.0

_log = logging.getLogger(__name__)


class Worker:
    """One a process: DBOS keeps its engine in a global."""

    def __init__(
        self,
        settings: WorkerSettings,
        jobs_url: str,
        database: Database,
        artifacts: ArtifactStore,
        registry: RegistryService,
        datasets: DatasetService,
        clock: Clock,
        chores: Mapping[str, Callable[[], object]],
        programs: ProgramFolder | None = None,
        features: FeatureFolder | None = None,
    ) -> None:
        """`chores` are run about once a minute, by name; what they raise is logged."""
        self._settings = settings
        self._jobs_url = jobs_url
        self._database = database
        self._clock = clock
        self._own = own_heartbeat(clock.now())
        self._carrier = Carrier(jobs_url)
        ledger = Ledger(database, artifacts, registry, clock, self._own.worker)
        self._steps = Steps(ledger, artifacts, datasets, clock, settings, programs, features)
        self._sweep = Sweep(
            database,
            artifacts,
            self._carrier,
            clock,
            self._own.worker,
            settings.worker_max_losses,
            lambda: self._steps.active,
        )
        self._chores = {**chores, "prune checkpoints": self._sweep.prune}

    def run(self, stop: Event) -> None:
        """Work until `stop` is set, then leave: every job in hand is saved and goes on at the next worker."""
        heart = Thread(target=self._live, args=(stop,), name="heartbeat", daemon=True)
        self._beat()
        heart.start()
        self._carrier.open_queue(self._settings.worker_concurrency, self._settings.worker_poll_seconds)
        self._launch()
        _log.info("ready for jobs", extra={"worker": self._own.worker})
        chores_at = monotonic()
        while True:
            self._attempt("sweep", self._sweep.once)
            if monotonic() - chores_at >= _CHORES_S:
                chores_at = monotonic()
                for name, chore in self._chores.items():
                    self._attempt(name, chore)
            if stop.wait(self._settings.worker_heartbeat_seconds):
                break
        self._leave()
        heart.join()

    def _launch(self) -> None:
        config: DBOSConfig = {
            "name": APPLICATION,
            "system_database_url": self._jobs_url,
            "application_version": APPLICATION_VERSION,
            "executor_id": self._own.worker,
            "serializer": DBOSPortableJSONSerializer(),
            "run_migrations": False,
            "log_level": "WARNING",
            # Nothing here waits for notifications; the thread that looks for them keeps the process from ending.
            "notification_listener_polling_interval_sec": 0.2,
            "enable_otlp": False,
        }
        DBOS(config=config)

        def durable(name: str, work: Callable[..., Any], *arguments: Any) -> Any:
            return DBOS.run_step({"name": name}, work, *arguments)

        def carried(job_id: str, turn: int) -> None:
            carry(self._steps, durable, job_id, turn)

        # Registered here, not by a decorator at import, and without DBOS's own count of attempts: ours survives
        # a resume, which starts DBOS's afresh.
        DBOS.workflow(name=WORKFLOW, max_recovery_attempts=None)(carried)
        DBOS.listen_queues([QUEUE])
        DBOS.launch()

    def _leave(self) -> None:
        _log.info("leaving", extra={"jobs": sorted(self._steps.active)})
        self._steps.leave()
        deadline = monotonic() + self._settings.worker_leave_seconds
        while self._steps.active and monotonic() < deadline:
            sleep(_TICK_S)
        self._attempt("leave", self._sign_off)
        self._attempt("leave", self._let_workflows_end)
        # DBOS could wait for its workflows too, but looks only once a second; whatever it does not get to write
        # down any more, the next sweep does.
        DBOS.destroy()
        self._carrier.close()

    def _let_workflows_end(self) -> None:
        """A job that is no longer in hand has a workflow that is about to write down how it ended."""
        deadline = monotonic() + _ENDING_S
        while monotonic() < deadline and any(
            one.status == "held" and one.executor == self._own.worker for one in self._carrier.unfinished()
        ):
            sleep(_TICK_S)

    def _sign_off(self) -> None:
        with self._database.write() as session:
            forget(session, [self._own.worker])

    def _live(self, stop: Event) -> None:
        while not stop.wait(self._settings.worker_heartbeat_seconds):
            self._attempt("heartbeat", self._beat)

    def _beat(self) -> None:
        with self._database.write() as session:
            beat(session, self._own, self._clock.now())

    def _attempt(self, name: str, work: Callable[[], object]) -> None:
        """One failed round is no reason to stop: the next may find the database there again."""
        try:
            work()
        except Exception:
            _log.exception("%s failed", name)
