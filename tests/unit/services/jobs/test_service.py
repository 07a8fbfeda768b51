"""What callers do with jobs, on real tables and with a queue in memory."""

import io
from typing import Any

import numpy as np
import pytest

from innerloop.schemas.jobs import JobResponse
from services.datasets.records import DatasetColumns
from services.errors import Conflict, Invalid, NotFound, Unavailable
from services.jobs.repository import JobRepository
from services.jobs.service import JobService
from services.jobs.states import JobState
from tests.unit.services.jobs.conftest import Bench, FakeCarrier, small


def letters(bench: Bench, n_classes: int = 12, side: int = 28) -> str:
    """The id of an uploaded dataset of images, four of each class, in two tasks."""
    file = io.BytesIO()
    targets = np.arange(n_classes).repeat(4)
    images = np.zeros((len(targets), side, side), dtype=np.uint8)
    np.savez(file, inputs=images, targets=targets, tasks=targets % 2)
    dataset, _ = bench.datasets.create("letters", "application/x-npz", file.getvalue())
    return dataset.id


def on_letters(dataset: str, **tasks: Any) -> dict[str, Any]:
    learner = {"algorithm": {"name": "protonet"}, "network": {"name": "conv4"}}
    return {"model": "letters", "learner": learner, "tasks": {"dataset": dataset, "n_query": 1, **tasks}}


def carried(bench: Bench) -> dict[tuple[str, int], Any]:
    assert isinstance(bench.carrier, FakeCarrier)
    return bench.carrier.carried


def test_a_submitted_job_is_queued_complete_and_told(bench: Bench) -> None:
    job = bench.jobs.submit({"model": "m", "recipe": "functions", "publish": {"alias": "champion"}})

    assert job.status is JobState.QUEUED
    assert job.id.startswith("job_")
    assert set(job.config) == {"learner", "tasks", "training"}
    assert job.progress.iterations == job.config["training"]["iterations"]
    assert bench.jobs.job(job.id) == job
    assert carried(bench) == {(job.id, 1): ("waiting", None)}
    (event,) = bench.jobs.events(job.id).data
    assert (event.sequence, event.type, event.data) == (1, "status", job.document)


def test_a_jobs_document_is_what_the_wire_type_reads(bench: Bench) -> None:
    job = bench.jobs.submit({**small(), "publish": {"alias": "champion"}})
    wire = JobResponse.model_validate(job.document)
    assert wire.model_dump(mode="json") == job.document


def test_the_same_token_is_the_same_job(bench: Bench) -> None:
    first = bench.jobs.submit(small(), token="0" * 26)
    again = bench.jobs.submit(small(), token="0" * 26)
    assert again == first
    assert len(bench.jobs.jobs().data) == 1
    assert len(bench.jobs.events(first.id).data) == 1


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"model": "a/../b"}, "/model"),
        ({"model": None}, "/model"),
        ({"publish": {"alias": "7"}}, "/publish/alias"),
        ({"publish": {"alias": "a b"}}, "/publish/alias"),
        ({"publish": {"aliases": "x"}}, "/publish/aliases"),
        ({"publish": {"alias": 7}}, "/publish/alias"),
        ({"tasks": {"dataset": "ds_nope"}}, "/tasks/dataset"),
    ],
)
def test_a_wrong_draft_leaves_nothing_behind(bench: Bench, change: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as caught:
        bench.jobs.submit({**small(), **change})
    assert [fault.pointer for fault in caught.value.faults] == [pointer]
    assert bench.jobs.jobs().data == []
    assert carried(bench) == {}


def test_tasks_on_a_dataset_have_to_fit_it(bench: Bench) -> None:
    dataset = letters(bench)
    assert bench.jobs.submit(on_letters(dataset, n_way=6)).config["tasks"]["family"] == "labelled"
    for tasks, pointer in (({"n_way": 7}, "/tasks/n_way"), ({"n_way": "all"}, "/tasks/n_way")):
        with pytest.raises(Invalid) as caught:
            bench.jobs.submit(on_letters(dataset, **tasks))
        assert [fault.pointer for fault in caught.value.faults] == [pointer]


def test_a_dataset_of_numbers_is_not_for_labelled_tasks(bench: Bench) -> None:
    csv = b"x,y\n" + b"".join(b"%d.5,%d.25\n" % (row, row) for row in range(40))
    dataset, _ = bench.datasets.create("line", "text/csv", csv, DatasetColumns(inputs=("x",), target="y"))
    assert dataset.kind == "regression"
    with pytest.raises(Invalid) as caught:
        bench.jobs.submit(on_letters(dataset.id))
    assert [fault.pointer for fault in caught.value.faults] == ["/tasks/dataset"]


def test_a_dataset_that_a_queued_job_needs_is_not_deleted(bench: Bench) -> None:
    dataset = letters(bench)
    job = bench.jobs.submit(on_letters(dataset))
    with pytest.raises(Conflict):
        bench.datasets.delete(dataset)
    bench.jobs.cancel(job.id)
    bench.datasets.delete(dataset)


def test_pause_and_resume_make_another_turn(bench: Bench) -> None:
    job = bench.jobs.submit(small())
    assert bench.jobs.pause(job.id).status is JobState.PAUSED
    resumed = bench.jobs.resume(job.id)
    assert (resumed.status, resumed.turn) == (JobState.QUEUED, 2)
    assert set(carried(bench)) == {(job.id, 1), (job.id, 2)}
    statuses = [event.data["status"] for event in bench.jobs.events(job.id).data]
    assert statuses == ["queued", "paused", "queued"]


def test_what_is_illegal_is_refused_and_changes_nothing(bench: Bench) -> None:
    queued = bench.jobs.submit(small())
    with pytest.raises(Conflict):
        bench.jobs.resume(queued.id)
    running = take(bench, queued.id)
    with pytest.raises(Conflict):
        bench.jobs.resume(running)
    bench.clock.advance(5)
    cancelled = bench.jobs.cancel(running)
    assert cancelled.finished_at == bench.clock.now()
    for act in (bench.jobs.cancel, bench.jobs.pause, bench.jobs.resume):
        with pytest.raises(Conflict, match="cancelled"):
            act(running)
    assert bench.jobs.job(running) == cancelled


def take(bench: Bench, job_id: str) -> str:
    """Let a worker take the job; its id."""
    with bench.database.write() as session:
        jobs = JobRepository(session)
        present = jobs.locked(job_id)
        assert present is not None
        jobs.change(present, JobState.RUNNING, worker="w", attempts=1)
    return job_id


def test_unknown_jobs_are_not_found(bench: Bench) -> None:
    service = bench.jobs
    for act in (
        service.job,
        service.cancel,
        service.pause,
        service.resume,
        service.events,
        service.checkpoints,
    ):
        with pytest.raises(NotFound):
            act("job_nope")


def test_jobs_are_listed_newest_first_by_status_and_model(bench: Bench) -> None:
    submitted = []
    for model in ("a", "b", "a"):
        bench.clock.advance(1)
        submitted.append(bench.jobs.submit(small(model)))
    bench.jobs.cancel(submitted[0].id)
    ids = [job.id for job in submitted]

    first = bench.jobs.jobs(limit=2)
    assert [job.id for job in first.data] == [ids[2], ids[1]]
    assert [job.id for job in bench.jobs.jobs(limit=2, after=first.next).data] == [ids[0]]
    assert [job.id for job in bench.jobs.jobs(status=JobState.CANCELLED).data] == [ids[0]]
    assert [job.id for job in bench.jobs.jobs(model="b").data] == [ids[1]]
    assert bench.jobs.counts()["queued"] == 2


def test_events_go_on_behind_a_sequence_or_an_id(bench: Bench) -> None:
    job = bench.jobs.submit(small())
    bench.jobs.pause(job.id)
    bench.jobs.resume(job.id)
    other = bench.jobs.submit(small())
    events = bench.jobs.events(job.id).data

    page = bench.jobs.events(job.id, limit=2)
    assert page.data == events[:2]
    assert page.next == events[1].id
    assert bench.jobs.events(job.id, after=page.next).data == events[2:]
    assert bench.jobs.events(job.id, after=1).data == events[1:]
    assert bench.jobs.events(job.id, after=3).data == []
    for stranger in ("evt_nope", bench.jobs.events(other.id).data[0].id):
        with pytest.raises(Invalid):
            bench.jobs.events(job.id, after=stranger)


def test_a_full_queue_asks_to_come_back_later(bench: Bench) -> None:
    service = JobService(
        bench.database, bench.carrier, bench.datasets, bench.registry, bench.clock, 8 << 30, max_queued=1
    )
    service.submit(small())
    with pytest.raises(Unavailable):
        service.submit(small())


def test_a_job_is_accepted_while_the_queue_is_away(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise ConnectionError("the queue is away")

    monkeypatch.setattr(bench.carrier, "enqueue", away)
    job = bench.jobs.submit(small())
    assert bench.jobs.job(job.id).status is JobState.QUEUED
