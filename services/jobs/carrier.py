"""Jobs carried by DBOS: put into the queue, looked up, taken up again, called off. Imports no torch.

DBOS carries; the job's row is what is true. A job has one workflow for each of its turns in the queue: an ended
workflow cannot be taken up again, and a pause ends one. Arguments are JSON: DBOS's own default is pickle.
"""

from threading import Lock
from typing import Any, Literal

import msgspec
from dbos import DBOS, DBOSClient, DBOSPortableJSONSerializer, WorkflowStatus

from services.storage.settings import StorageSettings

APPLICATION = "innerloop"
# Pinned: the default changes with the code, and a running job would wait for the old code for ever.
APPLICATION_VERSION = "1"
QUEUE = "meta-training"
WORKFLOW = "meta_training"

# One for all, and set: a workflow without any would overtake those that have one.
_PRIORITY = 1

CarriedStatus = Literal["waiting", "held", "ended"]


class Carried(msgspec.Struct, frozen=True):
    """A workflow: `held` by its executor (a worker's id), `waiting` in the queue, or `ended` in whatever way."""

    job: str
    turn: int
    status: CarriedStatus
    executor: str | None


class Carrier:
    """The queue as seen from outside a workflow. Connects on first use; methods may be called from any thread.

    Trouble surfaces as whatever DBOS raises. Nothing is lost by it: the workers' sweep puts right what is amiss
    between rows and queue.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock = Lock()
        self._connected: DBOSClient | None = None

    def enqueue(self, job_id: str, turn: int) -> None:
        """Put a turn of a job into the queue; does nothing where that was done before."""
        self._client.enqueue(
            {
                "workflow_name": WORKFLOW,
                "queue_name": QUEUE,
                "workflow_id": workflow_id(job_id, turn),
                "app_version": APPLICATION_VERSION,
                "priority": _PRIORITY,
            },
            job_id,
            turn,
        )

    def resume(self, job_id: str, turn: int) -> None:
        """Put a workflow whose executor died back into the queue: it goes on after its last finished step."""
        self._client.resume_workflow(workflow_id(job_id, turn), queue_name=QUEUE)

    def cancel(self, job_id: str, turn: int) -> None:
        """Take a turn out of the queue; one that a worker holds ends at its next step."""
        self._client.cancel_workflow(workflow_id(job_id, turn))

    def look(self, job_id: str, turn: int) -> Carried | None:
        """What became of a turn; None where it never reached the queue."""
        found = self._client.list_workflows(
            workflow_ids=[workflow_id(job_id, turn)], load_input=False, load_output=False
        )
        return _carried(found[0]) if found else None

    def unfinished(self) -> list[Carried]:
        """Every workflow that waits or is held, be its executor living or dead."""
        found = self._client.list_workflows(
            status=["ENQUEUED", "PENDING"], name=WORKFLOW, load_input=False, load_output=False
        )
        return [_carried(one) for one in found]

    def open_queue(self, concurrency: int, poll_seconds: float) -> None:
        """Make the queue, or change how its workers read it."""
        self._client.register_queue(QUEUE, worker_concurrency=concurrency, polling_interval_sec=poll_seconds)

    def close(self) -> None:
        with self._lock:
            if self._connected is not None:
                self._connected.destroy()
                self._connected = None

    @property
    def _client(self) -> DBOSClient:
        with self._lock:
            if self._connected is None:
                self._connected = DBOSClient(
                    system_database_url=self._url,
                    serializer=DBOSPortableJSONSerializer(),
                    application_name=APPLICATION,
                    retry_connection_errors=False,
                )
            return self._connected


def migrate_jobs(settings: StorageSettings) -> None:
    """Make or upgrade DBOS's own tables. Idempotent; after `services.storage.migrations.migrate`."""
    DBOS.migrate(settings.jobs_url)


def workflow_id(job_id: str, turn: int) -> str:
    """The name of the workflow that carries a job on its n-th turn in the queue: the job's own id, on the first."""
    return job_id if turn == 1 else f"{job_id}.{turn}"


def _carried(status: WorkflowStatus) -> Carried:
    job_id, _, turn = status.workflow_id.partition(".")
    return Carried(job_id, int(turn or 1), _status(status.status), status.executor_id)


def _status(status: Any) -> CarriedStatus:
    if status == "PENDING":
        return "held"
    return "waiting" if status in ("ENQUEUED", "DELAYED") else "ended"
