"""A bench for jobs: tables in a temporary folder, every service on them, and worker processes on demand."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models.programs.folder import ProgramFolder
from services.clock import SystemClock
from services.datasets.limits import DatasetLimits
from services.datasets.service import DatasetService
from services.jobs.carrier import Carried, CarriedStatus, Carrier, migrate_jobs
from services.jobs.ledger import Ledger
from services.jobs.records import Job
from services.jobs.service import JobService
from services.jobs.settings import WorkerSettings
from services.jobs.steps import Steps
from services.jobs.workflow import carry
from services.registry.service import RegistryService
from services.storage.artifacts import FolderArtifactStore
from services.storage.database import Database
from services.storage.migrations import migrate
from services.storage.settings import StorageSettings
from tests.fakes import FakeClock

# Small enough to train in a moment: y = A sin(x - phase) by a network of ten hidden units.
SMALL: dict[str, Any] = {
    "learner": {
        "algorithm": {"name": "maml", "first_order": True},
        "network": {"name": "mlp", "hidden": [10]},
    },
    "tasks": {"family": "sinusoid", "n_shot": 5, "n_query": 5},
    "training": {"iterations": 30, "meta_batch_size": 4, "test_episodes": 20},
}

SETTINGS = WorkerSettings(worker_device="cpu", worker_threads=1)


def small(model: str = "m", **training: Any) -> dict[str, Any]:
    """A draft of a small job, with other values for its training."""
    return {"model": model, **SMALL, "training": {**SMALL["training"], **training}}


class FakeCarrier(Carrier):
    """A queue in memory: what was put in, and what the test says became of it."""

    def __init__(self) -> None:
        super().__init__("sqlite://")
        self.carried: dict[tuple[str, int], tuple[CarriedStatus, str | None]] = {}

    def enqueue(self, job_id: str, turn: int) -> None:
        self.carried.setdefault((job_id, turn), ("waiting", None))

    def resume(self, job_id: str, turn: int) -> None:
        self.carried[job_id, turn] = ("waiting", None)

    def cancel(self, job_id: str, turn: int) -> None:
        self.carried[job_id, turn] = ("ended", None)

    def look(self, job_id: str, turn: int) -> Carried | None:
        found = self.carried.get((job_id, turn))
        return None if found is None else Carried(job_id, turn, *found)

    def unfinished(self) -> list[Carried]:
        every = [Carried(*key, *value) for key, value in self.carried.items()]
        return [one for one in every if one.status != "ended"]


class Bench:
    """The services on one folder."""

    def __init__(self, folder: Path, carrier: Carrier, clock: FakeClock | SystemClock) -> None:
        self.storage = StorageSettings(data_dir=folder)
        migrate(self.storage)
        self.clock = clock
        self.database = Database(self.storage.tables_url)
        self.artifacts = FolderArtifactStore(self.storage.artifacts_path)
        self.registry = RegistryService(self.database, self.artifacts, clock)
        self.datasets = DatasetService(self.database, self.artifacts, clock, DatasetLimits())
        self.carrier = carrier
        self.jobs = JobService(self.database, carrier, self.datasets, self.registry, clock, 8 << 30)

    def close(self) -> None:
        self.carrier.close()
        self.database.close()


class Hand:
    """A worker's steps without the worker: each step runs at once, and its name is kept."""

    def __init__(
        self,
        bench: Bench,
        worker: str = "me",
        settings: WorkerSettings = SETTINGS,
        programs: ProgramFolder | None = None,
    ) -> None:
        self.bench = bench
        ledger = Ledger(bench.database, bench.artifacts, bench.registry, bench.clock, worker)
        self.steps = Steps(ledger, bench.artifacts, bench.datasets, bench.clock, settings, programs)
        self.taken: list[str] = []

    def carry(self, job: Job) -> Job:
        """Carry one turn of the job; the job after it."""
        carry(self.steps, self.step, job.id, job.turn)
        return self.bench.jobs.job(job.id)

    def step(self, name: str, work: Any, *arguments: Any) -> Any:
        self.taken.append(name)
        return work(*arguments)


class WorkerProcess:
    """`innerloop worker` on a folder, quick to checkpoint, ended by its own pid."""

    _MAIN = (
        "import sys; from pathlib import Path;"
        "from services.jobs.settings import WorkerSettings; from services.storage.settings import StorageSettings;"
        "from services.worker_bootstrap import run_worker;"
        "run_worker(WorkerSettings(worker_device='cpu', worker_threads=1, worker_checkpoint_seconds=0.1,"
        " worker_report_seconds=0.1, worker_heartbeat_seconds=0.2, worker_plans='vmap'),"
        " StorageSettings(data_dir=Path(sys.argv[1])))"
    )

    def __init__(self, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", self._MAIN, str(folder)], env={**os.environ, "OMP_NUM_THREADS": "1"}
        )

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """Ask it to leave; its exit status."""
        if self.process.poll() is None:
            self.process.terminate()
        return self.process.wait(60)


class LiveBench(Bench):
    """A bench with a real queue and real workers."""

    def __init__(self, folder: Path) -> None:
        storage = StorageSettings(data_dir=folder)
        migrate(storage)
        migrate_jobs(storage)
        super().__init__(folder, Carrier(storage.jobs_url), SystemClock())
        self.workers: list[WorkerProcess] = []

    def start_worker(self) -> WorkerProcess:
        worker = WorkerProcess(self.storage.data_dir)
        self.workers.append(worker)
        return worker

    def wait(self, job_id: str, until: Callable[[Job], bool], seconds: float = 150.0) -> Job:
        """The job, once it is as wished."""
        deadline = time.monotonic() + seconds
        while not until(job := self.jobs.job(job_id)):
            assert time.monotonic() < deadline, f"still {job.status} at {job.progress}"
            time.sleep(0.02)
        return job

    def end(self, job_id: str) -> Job:
        """The job, once it has ended."""
        return self.wait(job_id, lambda job: job.status.is_terminal)

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
        super().close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    """Services with a queue in memory and a clock that stands still."""
    made = Bench(tmp_path / "data", FakeCarrier(), FakeClock())
    yield made
    made.close()


@pytest.fixture
def hand(bench: Bench) -> Hand:
    return Hand(bench)
