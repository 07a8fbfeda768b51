"""The whole api on a real port, with real services on a temporary folder and the engine in a thread."""

import asyncio
import os
import shutil
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import msgspec
import pytest
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from app.cli.listening import listening_socket, url_of
from app.main import create_app
from app.serving import api_server
from app.settings import HttpSettings
from models.encoders.shelf import EncoderShelf
from services.adaptation.limits import Limits
from services.api_bootstrap import ApiServices, build_services
from services.clock import SystemClock
from services.datasets.limits import DatasetLimits
from services.engine.adapted_models import reader_of
from services.engine.in_process_client import InProcessEngineClient
from services.engine.loop import EngineLoop
from services.engine.settings import EngineSettings
from services.engine_bootstrap import build_loop
from services.jobs.carrier import Carrier, migrate_jobs
from services.jobs.liveness import beat, own_heartbeat
from services.storage.artifacts import FolderArtifactStore
from services.storage.database import Database
from services.storage.migrations import migrate
from services.storage.settings import StorageSettings
from services.telemetry.metrics import EngineMetrics
from tests import small_models
from tests.contract.adaptations import POINTS, adapt

BODY_BYTES = 1 << 20
LIMITS = Limits(support_examples=64, query_examples=64, ways=8, metadata_bytes=1024)
ENGINE = EngineSettings(engine_device="cpu")
DATASET_LIMITS = DatasetLimits(upload_bytes=2 << 20, unpacked_bytes=8 << 20)


def storage_at(folder: Path, database_url: str | None = None) -> StorageSettings:
    """Everything in the folder, or the tables in another database."""
    return StorageSettings(
        data_dir=folder, database_url=database_url, jobs_database_url=None, artifact_dir=None
    )


def settings(**changes: object) -> HttpSettings:
    """The server's settings whatever the environment says, with limits that a test can go beyond quickly."""
    plain = {"api_key": None, "body_bytes": BODY_BYTES, "dataset_bytes": 2 << 20, "artifact_bytes": 1 << 20}
    return HttpSettings(**{**plain, **changes})


class Service:
    """One running api. `services` are the very objects that its routes call, `loop` is its engine's."""

    def __init__(self, storage: StorageSettings, engine: EngineSettings) -> None:
        self.storage = storage
        self.engine = engine
        self.url = ""
        self.app: FastAPI
        self.services: ApiServices
        self.loop: EngineLoop

    @asynccontextmanager
    async def open(self) -> AsyncIterator[ApiServices]:
        artifacts = FolderArtifactStore(self.storage.artifacts_path)
        database, carrier = Database(self.storage.tables_url), Carrier(self.storage.jobs_url)
        metrics = EngineMetrics(CollectorRegistry())
        encoders = EncoderShelf(self.storage.encoders_path)
        loop = self.loop = build_loop(self.engine, artifacts, reader_of(database), metrics, encoders=encoders)
        loop.start()
        self.services = build_services(
            database,
            artifacts,
            InProcessEngineClient(loop),
            carrier,
            SystemClock(),
            LIMITS,
            DATASET_LIMITS,
            queue=self.engine.queue_limits,
            max_step_bytes=8 << 30,
            encoders=encoders,
        )
        try:
            yield self.services
        finally:
            loop.stop()
            await asyncio.to_thread(loop.join, 10)
            carrier.close()
            database.close()

    def publish_models(self) -> None:
        registry = self.services.registry
        registry.publish("line", small_models.regression_ridge(), alias="champion")
        registry.publish("steps", small_models.regression_maml())
        registry.publish("points", small_models.points_protonet())
        registry.publish("few-ways", small_models.points_maml(max_ways=3))
        registry.publish("answers", small_models.answers_maml())
        registry.publish("pictures", small_models.pictures_protonet())
        registry.publish("steering", small_models.steering_policy())
        registry.publish("choosing", small_models.choosing_policy())

    def drain(self) -> None:
        """What the process does first when it is told to end."""
        self.app.state.drain.begin_soon()

    def worker_gives_a_sign(self) -> None:
        now = SystemClock().now()
        with self.services.database.write() as session:
            # Another process of this host, as workers are.
            beat(session, msgspec.structs.replace(own_heartbeat(now), pid=os.getppid()), now)


@contextmanager
def serving(
    storage: StorageSettings, http: HttpSettings, engine: EngineSettings = ENGINE
) -> Iterator[Service]:
    """The api on a free port until the block ends."""
    service = Service(storage, engine)
    service.app = create_app(http, service.open)
    server = api_server(service.app, http)
    with listening_socket("127.0.0.1", 0) as listener:
        service.url = url_of(listener)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            # The port listens already, so this waits for as long as starting takes.
            httpx.get(f"{service.url}/livez", timeout=30).raise_for_status()
            yield service
        finally:
            service.drain()
            server.should_exit = True
            thread.join(20)
            assert not thread.is_alive()


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with empty databases, to be copied: making them takes longer than most tests."""
    folder = tmp_path_factory.mktemp("migrated") / "data"
    migrate(storage_at(folder))
    migrate_jobs(storage_at(folder))
    return folder


@pytest.fixture(scope="session")
def service(migrated: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One api for all tests that leave alone what others need."""
    folder = shutil.copytree(migrated, tmp_path_factory.mktemp("contract") / "data")
    with serving(storage_at(folder), settings()) as running:
        running.publish_models()
        yield running


@pytest.fixture
def http(service: Service) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.url, timeout=30) as client:
        yield client


@pytest.fixture
def own_service(migrated: Path, tmp_path: Path) -> Iterator[Service]:
    """An api for one test alone."""
    folder = shutil.copytree(migrated, tmp_path / "data")
    with serving(storage_at(folder), settings()) as running:
        yield running


@pytest.fixture(scope="module")
def line(service: Service) -> str:
    with httpx.Client(base_url=service.url, timeout=30) as http:
        return str(adapt(http)["id"])


@pytest.fixture(scope="module")
def points(service: Service) -> str:
    with httpx.Client(base_url=service.url, timeout=30) as http:
        return str(adapt(http, model="points", support=POINTS)["id"])
