"""Jobs in real worker processes, through the real queue: success, cancel, pause, failure, death."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from services.jobs.records import Job
from services.jobs.states import JobState
from services.storage.manifest import decode_artifact
from tests.unit.services.jobs.conftest import LiveBench, small

LONG = 100_000

# The run that is done three times over: undisturbed, paused, and from worker to worker.
ITERATIONS = 800


def run(model: str) -> dict[str, Any]:
    return small(model, iterations=ITERATIONS, seed=5)


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveBench]:
    """One folder and one worker for the tests that leave the worker alone."""
    bench = LiveBench(tmp_path_factory.mktemp("live") / "data")
    bench.start_worker()
    yield bench
    bench.close()


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[LiveBench]:
    """A folder of its own, with no worker yet."""
    bench = LiveBench(tmp_path / "data")
    yield bench
    bench.close()


@pytest.fixture(scope="module")
def undisturbed(live: LiveBench) -> Job:
    """The job that others are compared with."""
    job = live.end(live.jobs.submit(run("undisturbed")).id)
    assert job.status is JobState.SUCCEEDED, job.error
    return job


def test_a_job_becomes_a_version_with_its_record_and_its_alias(live: LiveBench) -> None:
    job = live.end(live.jobs.submit({**small("sine", seed=3), "publish": {"alias": "champion"}}).id)

    assert job.status is JobState.SUCCEEDED, job.error
    assert job.result is not None
    assert job.attempts == 1
    version = live.registry.resolve("sine@champion")
    assert (version.model, version.version) == (job.result.model, job.result.version)
    assert version.training["job"] == job.id
    assert (version.training["iterations"], version.training["seed"]) == (30, 3)
    assert version.training["tasks"] == job.config["tasks"]
    assert version.metrics["meta_test"]["loss"] == job.metrics["meta_test"]["loss"]
    assert version.artifact_sha256 == live.registry.version("sine", version.version).artifact_sha256


def test_events_tell_the_whole_story_once_and_end_with_the_job(live: LiveBench) -> None:
    job = live.end(live.jobs.submit(small()).id)

    events = live.jobs.events(job.id).data
    assert [event.sequence for event in events] == list(range(1, len(events) + 1))
    assert [event.data["status"] for event in events if event.type == "status"] == [
        "queued",
        "running",
        "succeeded",
    ]
    assert events[-1].is_last
    assert events[-1].data == job.document
    assert [event.data["iteration"] for event in events if event.type == "metric"] == [10, 20, 30]
    assert {"progress", "checkpoint", "log"} <= {event.type for event in events}
    # How many there are on the way depends on how long the steps took.
    kept = {checkpoint.iteration for checkpoint in live.jobs.checkpoints(job.id)}
    assert max(kept) == 30
    assert kept <= {event.data["iteration"] for event in events if event.type == "checkpoint"}


def test_a_cancelled_job_stays_cancelled(live: LiveBench) -> None:
    submitted = live.jobs.submit(small("cancelled", iterations=LONG))
    live.wait(submitted.id, lambda job: job.progress.iteration > 0)

    cancelled = live.jobs.cancel(submitted.id)
    follower = live.end(live.jobs.submit(small("follower")).id)

    # One worker runs one job at a time: that the next one ended shows that this one stopped.
    assert follower.status is JobState.SUCCEEDED
    assert live.jobs.job(submitted.id) == cancelled
    assert cancelled.status is JobState.CANCELLED
    assert live.jobs.events(submitted.id, limit=1000).data[-1].data == cancelled.document


def test_a_queued_job_that_is_cancelled_never_runs(live: LiveBench) -> None:
    blocker = live.jobs.submit(small("blocker", iterations=LONG))
    waiting = live.jobs.submit(small("waiting"))
    live.wait(blocker.id, lambda job: job.status is JobState.RUNNING)
    live.jobs.cancel(waiting.id)
    live.jobs.cancel(blocker.id)
    follower = live.end(live.jobs.submit(small("follower")).id)

    assert follower.status is JobState.SUCCEEDED
    assert live.jobs.job(waiting.id).attempts == 0
    assert live.jobs.job(waiting.id).status is JobState.CANCELLED


def test_a_paused_job_goes_on_from_where_it_was(live: LiveBench, undisturbed: Job) -> None:
    submitted = live.jobs.submit(run("paused"))
    live.wait(submitted.id, lambda job: job.progress.iteration > 0)
    live.jobs.pause(submitted.id)
    # A paused job without a worker was set down: its checkpoint is written.
    assert live.wait(submitted.id, lambda job: job.worker is None).status is JobState.PAUSED
    (reached, *_) = live.jobs.checkpoints(submitted.id)
    assert 0 < reached.iteration < ITERATIONS

    live.jobs.resume(submitted.id)
    paused = live.end(submitted.id)

    assert paused.attempts == 2
    assert f"goes on from the checkpoint at iteration {reached.iteration}" in told(
        live, paused, "log", "message"
    )
    assert_same_outcome(live, paused, live, undisturbed)


def test_a_diverging_job_fails_with_what_to_do(live: LiveBench) -> None:
    draft = small("wild", iterations=2000, meta_lr=1.0, clip_norm=1e6)
    draft["learner"] = {
        "algorithm": {"name": "maml", "inner_lr": 10.0, "inner_steps": 50},
        "network": {"name": "mlp", "hidden": [10]},
    }
    job = live.end(live.jobs.submit(draft).id)

    assert job.status is JobState.FAILED
    assert job.error is not None
    assert (job.error.code, job.error.fault) == ("diverged", "user")
    assert "Traceback" not in job.error.message
    assert live.jobs.events(job.id, limit=1000).data[-1].data["error"]["code"] == "diverged"


def test_a_job_that_never_reached_the_queue_is_found(
    live: LiveBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> None:
        raise ConnectionError("the queue is away")

    with monkeypatch.context() as broken:
        broken.setattr(live.carrier, "enqueue", away)
        submitted = live.jobs.submit(small("found"))

    assert live.end(submitted.id).status is JobState.SUCCEEDED


def test_a_job_outlives_a_worker_that_leaves_and_one_that_is_killed(
    alone: LiveBench, live: LiveBench, undisturbed: Job
) -> None:
    leaver = alone.start_worker()
    submitted = alone.jobs.submit(run("survivor"))
    alone.wait(submitted.id, lambda job: job.progress.iteration > 0)
    assert leaver.stop() == 0
    # Nothing hangs in the queue as if that worker still held it.
    assert not [one for one in alone.carrier.unfinished() if one.status == "held"]
    handed_back = alone.jobs.job(submitted.id)
    assert (handed_back.status, handed_back.worker, handed_back.losses) == (JobState.QUEUED, None, 0)
    assert alone.jobs.workers() == 0
    (saved, *_) = alone.jobs.checkpoints(submitted.id)
    assert saved.iteration >= handed_back.progress.iteration

    doomed = alone.start_worker()
    alone.wait(submitted.id, lambda job: alone.jobs.checkpoints(job.id)[0].iteration > saved.iteration)
    doomed.kill()
    assert alone.jobs.job(submitted.id).status is JobState.RUNNING

    alone.start_worker()
    ended = alone.end(submitted.id)
    assert ended.attempts == 3
    assert "the worker was lost; the job goes on from its last checkpoint" in told(
        alone, ended, "log", "message"
    )
    assert_same_outcome(alone, ended, live, undisturbed)
    iterations = told(alone, ended, "metric", "iteration")
    assert iterations == sorted(set(iterations))


def told(bench: LiveBench, job: Job, kind: str, field: str) -> list[Any]:
    """One field of every event of a kind."""
    return [event.data[field] for event in bench.jobs.events(job.id, limit=1000).data if event.type == kind]


def assert_same_outcome(bench: LiveBench, job: Job, other_bench: LiveBench, other: Job) -> None:
    """Both jobs ended well, with the same scores and the same weights bit for bit."""
    assert job.status is JobState.SUCCEEDED, job.error
    assert job.metrics["meta_test"] == other.metrics["meta_test"]
    (_, first), (_, second) = (
        decode_artifact(where.registry.artifact(one.model, 1))
        for where, one in ((bench, job), (other_bench, other))
    )
    assert first.keys() == second.keys()
    for name, weights in first.items():
        np.testing.assert_array_equal(weights, second[name])
