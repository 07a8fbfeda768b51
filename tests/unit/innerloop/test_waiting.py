import asyncio

import httpx
import pytest

from innerloop import AsyncClient, Client, ConnectionFailed, JobCancelled, JobFailed, NotFound, WaitTimeout
from innerloop.schemas.jobs import JobResponse
from innerloop.waiting import PATIENCE_S, Wait
from tests import answers


def wait(script, kind, **settings):
    """Wait for a job through either client."""
    if kind == "sync":
        client = Client(
            "http://service", transport=httpx.MockTransport(script), sleep=lambda _: None, max_retries=0
        )
        return client.train("functions", recipe="functions").wait(**settings)

    async def sleep(seconds):
        del seconds

    async def run():
        transport = httpx.MockTransport(script.asynchronous)
        client = AsyncClient("http://service", transport=transport, sleep=sleep, max_retries=0)
        return await (await client.train("functions", recipe="functions")).wait(**settings)

    return asyncio.run(run())


BOTH = pytest.mark.parametrize("kind", ["sync", "async"])


@BOTH
def test_wait_returns_the_job_and_shows_each_look(kind):
    seen = []
    script = answers.Script(answers.job(status="queued"), answers.job(), answers.succeeded())
    job = wait(script, kind, progress=lambda response: seen.append(response.status))
    assert job.result.version == 1
    assert job.finished
    assert seen == ["running", "succeeded"]


@BOTH
def test_a_failed_job_raises_its_reason(kind):
    with pytest.raises(JobFailed, match="job_1 failed: the loss is not finite") as raised:
        wait(answers.Script(answers.job(), answers.failed()), kind, progress=False)
    assert (raised.value.job, raised.value.code, raised.value.fault) == ("job_1", "diverged", "user")


@BOTH
def test_a_cancelled_job_raises(kind):
    with pytest.raises(JobCancelled, match="job_1 was cancelled"):
        wait(answers.Script(answers.job(), answers.job(status="cancelled")), kind, progress=False)


def test_a_failure_without_a_reason_is_one_too():
    with pytest.raises(JobFailed, match="gave no reason"):
        wait(answers.Script(answers.job(), answers.failed(error=None)), "sync", progress=False)


@BOTH
def test_a_restart_of_the_service_is_borne(kind):
    away = [httpx.ConnectError("refused"), answers.problem(503, "starting"), answers.problem(502, "proxy")]
    script = answers.Script(answers.job(), *away, answers.succeeded())
    assert wait(script, kind, progress=False).status == "succeeded"


@BOTH
def test_an_answer_that_stands_ends_the_wait(kind):
    with pytest.raises(NotFound):
        wait(answers.Script(answers.job(), answers.problem(404, "gone")), kind, progress=False)


@BOTH
def test_the_time_may_run_out(kind):
    with pytest.raises(WaitTimeout, match="job_1 did not finish in time; it goes on"):
        wait(answers.Script(answers.job()), kind, progress=False, timeout=0)


def test_patience_ends():
    waiting = Wait("job_1", None, now=0.0)
    gone = ConnectionFailed("gone")
    assert waiting.missed(gone, now=PATIENCE_S) > 0
    waiting.seen(JobResponse.model_validate(answers.job()), now=PATIENCE_S + 1)
    assert waiting.missed(gone, now=2 * PATIENCE_S) > 0
    with pytest.raises(ConnectionFailed):
        waiting.missed(gone, now=2 * PATIENCE_S + 2)


def test_looks_become_rarer_and_end_with_the_deadline():
    waiting, running = Wait("job_1", 10.0, now=0.0), JobResponse.model_validate(answers.job())
    delays = [waiting.seen(running, now=1.0) for _ in range(6)]
    assert delays == sorted(delays)
    assert delays[-1] == 0.5
    assert waiting.seen(running, now=9.9) == pytest.approx(0.1)
