"""The adaptation service on a real database and a real engine in a thread, with small untrained models."""

import asyncio
import shutil
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from prometheus_client import CollectorRegistry

from services.adaptation.limits import Limits
from services.adaptation.service import AdaptationService
from services.adaptation.sweep import AdaptationSweep
from services.engine.adapted_models import reader_of
from services.engine.in_process_client import InProcessEngineClient
from services.engine.loop import EngineLoop
from services.engine.settings import EngineSettings
from services.engine_bootstrap import build_loop
from services.registry.service import RegistryService
from services.storage.artifacts import MemoryArtifactStore
from services.storage.database import Database
from services.storage.migrations import migrate
from services.storage.settings import StorageSettings
from services.telemetry.metrics import EngineMetrics
from tests import small_models
from tests.fakes import FakeClock

T = TypeVar("T")

LIMITS = Limits(support_examples=64, query_examples=64, ways=8, metadata_bytes=256)


class House:
    """The service and all that it stands on."""

    def __init__(self, url: str) -> None:
        self.clock = FakeClock()
        self.artifacts = MemoryArtifactStore()
        self.database = Database(url)
        self.registry = RegistryService(self.database, self.artifacts, self.clock)
        self.sweep = AdaptationSweep(self.database, self.clock)
        self.start_engine()

    def start_engine(self) -> None:
        """A fresh engine, nothing resident."""
        self.loop: EngineLoop = build_loop(
            EngineSettings(engine_device="cpu"),
            self.artifacts,
            reader_of(self.database),
            EngineMetrics(CollectorRegistry()),
        )
        self.loop.start()
        self.engine = InProcessEngineClient(self.loop)
        self.service = AdaptationService(self.database, self.registry, self.engine, self.clock, LIMITS)

    def stop_engine(self) -> None:
        self.loop.stop()
        self.loop.join(10)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run(work)


def _settings(folder: Path) -> StorageSettings:
    return StorageSettings(data_dir=folder, database_url=None, jobs_database_url=None)


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an empty migrated database, to be copied: migrating takes longer than most tests."""
    folder = tmp_path_factory.mktemp("migrated") / "data"
    migrate(_settings(folder))
    return folder


@pytest.fixture
def house(migrated: Path, tmp_path: Path) -> Iterator[House]:
    house = House(_settings(shutil.copytree(migrated, tmp_path / "data")).tables_url)
    house.registry.publish("line", small_models.regression_ridge(), alias="champion")
    house.registry.publish("steps", small_models.regression_maml())
    house.registry.publish("points", small_models.points_protonet())
    house.registry.publish("point-steps", small_models.points_maml(max_ways=3))
    house.registry.publish("pictures", small_models.pictures_protonet())
    yield house
    house.stop_engine()
    house.database.close()
