"""The queue as DBOS keeps it, on a real file. No worker runs here."""

from pathlib import Path

import pytest

from services.jobs.carrier import Carried, Carrier, migrate_jobs, workflow_id
from services.storage.migrations import migrate
from services.storage.settings import StorageSettings


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> StorageSettings:
    settings = StorageSettings(data_dir=tmp_path_factory.mktemp("queue"))
    migrate(settings)
    migrate_jobs(settings)
    return settings


def test_migrating_again_changes_nothing(storage: StorageSettings) -> None:
    migrate_jobs(storage)


def test_a_turn_waits_until_it_is_taken_out(storage: StorageSettings) -> None:
    carrier = Carrier(storage.jobs_url)
    assert carrier.look("job_a", 1) is None
    carrier.enqueue("job_a", 1)
    carrier.enqueue("job_a", 2)
    assert carrier.look("job_a", 1) == Carried("job_a", 1, "waiting", None)
    assert carrier.look("job_a", 2) == Carried("job_a", 2, "waiting", None)
    assert {(one.job, one.turn) for one in carrier.unfinished()} == {("job_a", 1), ("job_a", 2)}

    carrier.cancel("job_a", 1)
    assert carrier.look("job_a", 1) == Carried("job_a", 1, "ended", None)
    carrier.resume("job_a", 1)
    assert carrier.look("job_a", 1) == Carried("job_a", 1, "waiting", None)
    carrier.close()


def test_enqueueing_twice_is_enqueueing_once(storage: StorageSettings) -> None:
    carrier = Carrier(storage.jobs_url)
    carrier.enqueue("job_b", 1)
    carrier.cancel("job_b", 1)
    carrier.enqueue("job_b", 1)
    assert carrier.look("job_b", 1) == Carried("job_b", 1, "ended", None)
    carrier.close()


def test_a_closed_carrier_connects_again(storage: StorageSettings) -> None:
    carrier = Carrier(storage.jobs_url)
    carrier.enqueue("job_c", 1)
    carrier.close()
    assert carrier.look("job_c", 1) is not None
    carrier.close()


def test_the_first_workflow_of_a_job_has_its_id() -> None:
    assert workflow_id("job_a", 1) == "job_a"
    assert workflow_id("job_a", 2) == "job_a.2"


def test_the_queues_file_is_in_wal_mode(storage: StorageSettings) -> None:
    carrier = Carrier(storage.jobs_url)
    carrier.enqueue("job_d", 1)
    assert Path(storage.jobs_url.removeprefix("sqlite:///")).with_name("jobs.db-wal").exists()
    carrier.close()
