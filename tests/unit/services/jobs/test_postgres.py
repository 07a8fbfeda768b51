"""Jobs on a real Postgres: what SQLite's single writer hides."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from services.clock import SystemClock
from services.datasets.limits import DatasetLimits
from services.datasets.service import DatasetService
from services.errors import Conflict
from services.jobs.carrier import Carried, Carrier, migrate_jobs
from services.jobs.ledger import Ledger, NotHeld
from services.jobs.records import Job, Progress
from services.jobs.service import JobService
from services.jobs.states import JobState
from services.registry.service import RegistryService
from services.storage.artifacts import MemoryArtifactStore
from services.storage.database import Database
from services.storage.migrations import migrate
from services.storage.settings import StorageSettings
from tests.fakes import artifact_file
from tests.postgres import postgres_server
from tests.unit.services.jobs.conftest import small


class Place:
    """A service and a worker's ledger on one database."""

    def __init__(self, storage: StorageSettings) -> None:
        clock, artifacts = SystemClock(), MemoryArtifactStore()
        self.database = Database(storage.tables_url)
        self.carrier = Carrier(storage.jobs_url)
        self.registry = RegistryService(self.database, artifacts, clock)
        datasets = DatasetService(self.database, artifacts, clock, DatasetLimits())
        self.jobs = JobService(self.database, self.carrier, datasets, self.registry, clock, 8 << 30)
        self.ledger = Ledger(self.database, artifacts, self.registry, clock, "me")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    folder: Path = tmp_path_factory.mktemp("postgres")
    with postgres_server() as url:
        storage = StorageSettings(data_dir=folder, database_url=url, jobs_database_url=None)
        migrate(storage)
        migrate_jobs(storage)
        made = Place(storage)
        yield made
        made.carrier.close()
        made.database.close()


def taken(place: Place) -> Job:
    job = place.jobs.submit(small())
    assert place.carrier.look(job.id, 1) == Carried(job.id, 1, "waiting", None)
    held = place.ledger.take(job.id, 1)
    assert held is not None
    return held


def test_a_job_is_taken_reported_saved_and_ended(place: Place) -> None:
    job = taken(place)
    place.ledger.report(job, Progress(10, 30, 2.0), {"meta_loss": 0.5}, event=True)
    place.ledger.save(job, 10, b"state", {})
    ended = place.ledger.succeed(job, artifact_file(), Progress(30, 30, 0.0), {"meta_loss": 0.25})
    assert ended.status is JobState.SUCCEEDED
    assert place.jobs.job(job.id) == ended
    assert place.registry.resolve("m").version == 1
    with pytest.raises(Conflict):
        place.jobs.cancel(job.id)


def test_events_written_at_once_are_numbered_without_gap(place: Place) -> None:
    job = taken(place)

    def note(number: int) -> None:
        for repeat in range(10):
            place.ledger.note(job, "log", {"level": "info", "message": f"{number}.{repeat}"})

    threads = [threading.Thread(target=note, args=(number,), daemon=True) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    events = place.jobs.events(job.id).data
    assert [event.sequence for event in events] == list(range(1, 43))


def test_a_cancel_in_the_middle_of_reports_is_never_overwritten(place: Place) -> None:
    job = taken(place)
    refused = threading.Event()

    def report() -> None:
        try:
            for iteration in range(1, 10_000):
                place.ledger.report(job, Progress(iteration, 10_000), {}, event=False)
        except NotHeld:
            refused.set()

    reporter = threading.Thread(target=report, daemon=True)
    reporter.start()
    cancelled = place.jobs.cancel(job.id)
    reporter.join(60)
    assert refused.is_set()
    assert place.jobs.job(job.id) == cancelled
