"""The api's services, put together: settings in, use cases out. The one place of the api that knows their parts.

Imports no torch: whatever needs it is behind the engine client and the job queue.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from models.encoders.shelf import EncoderShelf
from services.access.service import AccessService
from services.adaptation.limits import Limits
from services.adaptation.service import AdaptationService
from services.clock import Clock, SystemClock
from services.datasets.limits import DatasetLimits
from services.datasets.service import DatasetService
from services.engine.admission import QueueLimits
from services.engine.client import EngineClient
from services.engine.remote_client import RemoteEngineClient
from services.engine.settings import EngineSettings
from services.idempotency.service import IdempotencyService
from services.jobs.carrier import Carrier
from services.jobs.service import JobService
from services.jobs.settings import WorkerSettings
from services.registry.service import RegistryService
from services.storage.artifacts import ArtifactStore, FolderArtifactStore
from services.storage.database import Database
from services.storage.settings import StorageSettings


@dataclass(frozen=True, slots=True)
class ApiServices:
    """What the routes call. Made and closed within one event loop."""

    access: AccessService
    adaptations: AdaptationService
    database: Database
    datasets: DatasetService
    engine: EngineClient
    idempotency: IdempotencyService
    jobs: JobService
    limits: Limits
    queue: QueueLimits
    """What may wait for the engine."""
    registry: RegistryService


def build_services(
    database: Database,
    artifacts: ArtifactStore,
    engine: EngineClient,
    carrier: Carrier,
    clock: Clock,
    limits: Limits,
    dataset_limits: DatasetLimits,
    queue: QueueLimits,
    max_step_bytes: int,
    encoders: EncoderShelf | None = None,
) -> ApiServices:
    """Every use case on the given infrastructure; the tests' in-process engine goes in here."""
    registry = RegistryService(database, artifacts, clock)
    datasets = DatasetService(database, artifacts, clock, dataset_limits)
    return ApiServices(
        access=AccessService(database, clock),
        adaptations=AdaptationService(database, registry, engine, clock, limits),
        database=database,
        datasets=datasets,
        engine=engine,
        idempotency=IdempotencyService(database, clock),
        jobs=JobService(database, carrier, datasets, registry, clock, max_step_bytes, encoders=encoders),
        limits=limits,
        queue=queue,
        registry=registry,
    )


@asynccontextmanager
async def open_services(
    storage: StorageSettings, engine: EngineSettings, worker: WorkerSettings, dataset_limits: DatasetLimits
) -> AsyncIterator[ApiServices]:
    """The services of the api process: the engine and the database are elsewhere, and may come later."""
    database = Database(storage.tables_url)
    carrier = Carrier(storage.jobs_url)
    client = RemoteEngineClient(engine.address, engine.engine_timeout_seconds)
    try:
        yield build_services(
            database,
            FolderArtifactStore(storage.artifacts_path),
            client,
            carrier,
            SystemClock(),
            Limits(call_operations=engine.engine_call_operations, call_bytes=engine.engine_call_bytes),
            dataset_limits,
            engine.queue_limits,
            worker.worker_step_bytes,
            EncoderShelf(storage.encoders_path),
        )
    finally:
        await client.aclose()
        carrier.close()
        database.close()
