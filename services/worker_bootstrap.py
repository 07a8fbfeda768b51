"""The worker process, put together: settings in, trained models out. The one place that knows all of its parts."""

import os
import signal
from threading import Event

from models.encoders.shelf import EncoderShelf
from models.programs.folder import ProgramFolder
from models.training.compile_program import COMPILER
from services.adaptation.sweep import AdaptationSweep
from services.clock import SystemClock
from services.datasets.limits import DatasetLimits
from services.datasets.service import DatasetService
from services.idempotency.service import IdempotencyService
from services.jobs.encoded import FeatureFolder
from services.jobs.settings import WorkerSettings
from services.jobs.worker import Worker
from services.registry.service import RegistryService
from services.storage.artifacts import FolderArtifactStore
from services.storage.database import Database
from services.storage.references import ArtifactSweep
from services.storage.settings import StorageSettings


def run_worker(settings: WorkerSettings, storage: StorageSettings) -> None:
    """The worker process: run jobs until SIGTERM or SIGINT, save those in hand and return within seconds.

    Call it on the main thread, after `migrate` and `migrate_jobs`.
    """
    # Read by OpenMP when torch is loaded. Threads that spin while they wait for each other make a step several
    # times longer where api, engine or anybody else wants the same cores.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    clock = SystemClock()
    database = Database(storage.tables_url)
    artifacts = FolderArtifactStore(storage.artifacts_path)
    programs = ProgramFolder(storage.programs_path, COMPILER)
    worker = Worker(
        settings,
        storage.jobs_url,
        database,
        artifacts,
        RegistryService(database, artifacts, clock),
        DatasetService(database, artifacts, clock, DatasetLimits()),
        clock,
        {
            "purge adaptations": AdaptationSweep(database, clock).purge,
            "purge idempotency keys": IdempotencyService(database, clock).purge,
            "purge artifacts": ArtifactSweep(database, artifacts, clock).purge,
        },
        programs,
        FeatureFolder(storage.features_path, EncoderShelf(storage.encoders_path)),
    )
    try:
        worker.run(stop)
    finally:
        programs.close()
        database.close()
