import asyncio
from datetime import UTC, datetime

import httpx
import pytest

from innerloop import (
    APIError,
    AsyncClient,
    AuthenticationError,
    BadRequest,
    Client,
    Conflict,
    ConnectionFailed,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    PreconditionFailed,
    RateLimited,
    ServerError,
    ServiceUnavailable,
    TooLarge,
    UnsupportedMediaType,
)
from innerloop.retries import retry_after
from tests import answers


class Sleeps(list):
    """A sleep that only writes down for how long."""

    def __call__(self, seconds):
        self.append(seconds)

    async def asynchronous(self, seconds):
        self.append(seconds)


def client(script, sleeps, **settings):
    transport = httpx.MockTransport(script)
    return Client("http://service", transport=transport, sleep=sleeps, **settings)


def async_client(script, sleeps, **settings):
    transport = httpx.MockTransport(script.asynchronous)
    return AsyncClient("http://service", transport=transport, sleep=sleeps.asynchronous, **settings)


def adapt(script, sleeps, kind, **settings):
    """One adapt call through either client."""
    if kind == "sync":
        with client(script, sleeps, **settings) as connected:
            return connected.adapt("functions", [1.0], [2.0])

    async def run():
        async with async_client(script, sleeps, **settings) as connected:
            return await connected.adapt("functions", [1.0], [2.0])

    return asyncio.run(run())


BOTH = pytest.mark.parametrize("kind", ["sync", "async"])


@BOTH
@pytest.mark.parametrize(
    "trouble",
    [
        httpx.ConnectError("refused"),
        httpx.ReadError("reset"),
        httpx.RemoteProtocolError("cut"),
        httpx.ReadTimeout("slow"),
        answers.problem(408, "slow"),
        answers.problem(429, "quota"),
        answers.problem(502, "proxy"),
        answers.problem(503, "busy"),
        answers.problem(504, "proxy"),
    ],
    ids=lambda trouble: str(getattr(trouble, "status_code", type(trouble).__name__)),
)
def test_passing_trouble_is_tried_again_with_the_same_key(trouble, kind):
    script, sleeps = answers.Script(trouble, trouble, answers.adaptation()), Sleeps()
    assert adapt(script, sleeps, kind).id == "adp_1"
    keys = {request.headers["Idempotency-Key"] for request in script.requests}
    assert len(script.requests) == 3
    assert len(keys) == 1
    assert len(set(script.bodies)) == 1
    assert 0.375 <= sleeps[0] <= 0.5
    assert 0.75 <= sleeps[1] <= 1.0


def test_another_call_has_another_key():
    script = answers.Script(answers.adaptation())
    for _ in range(2):
        adapt(script, Sleeps(), "sync")
    assert len({request.headers["Idempotency-Key"] for request in script.requests}) == 2


@BOTH
@pytest.mark.parametrize(
    ("status", "error"),
    [
        (400, BadRequest),
        (401, AuthenticationError),
        (403, PermissionDenied),
        (404, NotFound),
        (409, Conflict),
        (412, PreconditionFailed),
        (413, TooLarge),
        (415, UnsupportedMediaType),
        (418, APIError),
        (422, InvalidRequest),
        (500, ServerError),
    ],
)
def test_answers_that_stand_are_raised_at_once(status, error, kind):
    script, sleeps = answers.Script(answers.problem(status, "No.")), Sleeps()
    with pytest.raises(error) as raised:
        adapt(script, sleeps, kind)
    assert type(raised.value) is error
    assert (raised.value.status, raised.value.detail, raised.value.request_id) == (status, "No.", "req_1")
    assert len(script.requests) == 1
    assert not sleeps


@BOTH
def test_retries_end(kind):
    script, sleeps = answers.Script(answers.problem(502, "busy")), Sleeps()
    with pytest.raises(ServerError, match="502 busy"):
        adapt(script, sleeps, kind, max_retries=2)
    assert len(script.requests) == 3


@BOTH
@pytest.mark.parametrize("asked", [None, "1"])
def test_an_engine_that_died_is_waited_for(kind, asked):
    away = answers.problem(503, "the engine does not answer")
    if asked:
        away.headers["Retry-After"] = asked
    script, sleeps = answers.Script(away), Sleeps()
    with pytest.raises(ServiceUnavailable):
        adapt(script, sleeps, kind)
    assert 10 <= sum(sleeps) <= 15
    back, sleeps = answers.Script(*[away] * 4, answers.adaptation()), Sleeps()
    assert adapt(back, sleeps, kind).id == "adp_1"
    assert sum(sleeps) >= 4


def test_without_retries_nothing_is_waited_for():
    script, sleeps = answers.Script(answers.problem(503, "busy")), Sleeps()
    with pytest.raises(ServiceUnavailable):
        adapt(script, sleeps, "sync", max_retries=0)
    assert not sleeps


@BOTH
def test_a_service_that_is_not_there_is_explained(kind):
    script = answers.Script(httpx.ConnectError("Connection refused"))
    with pytest.raises(
        ConnectionFailed,
        match=r"cannot reach http://service: Connection refused \(3 attempts\).*innerloop serve",
    ):
        adapt(script, Sleeps(), kind, max_retries=2)


def test_a_slow_service_is_explained():
    script = answers.Script(httpx.ReadTimeout("timed out"))
    with pytest.raises(
        ConnectionFailed, match="no answer from http://service in time; pass a longer timeout="
    ):
        adapt(script, Sleeps(), "sync", max_retries=0)


def test_what_no_retry_can_help_is_not_retried():
    script, sleeps = answers.Script(httpx.UnsupportedProtocol("no")), Sleeps()
    with pytest.raises(ConnectionFailed):
        adapt(script, sleeps, "sync")
    assert not sleeps


def test_delays_grow_to_a_bound():
    script, sleeps = answers.Script(httpx.ConnectError("refused")), Sleeps()
    with pytest.raises(ConnectionFailed):
        adapt(script, sleeps, "sync", max_retries=8)
    assert all(
        0.75 * ideal <= slept <= ideal
        for slept, ideal in zip(sleeps, [0.5, 1, 2, 4, 8, 8, 8, 8], strict=True)
    )


@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_is_honoured(status):
    busy = answers.problem(status, "busy")
    busy.headers["Retry-After"] = "7"
    sleeps = Sleeps()
    adapt(answers.Script(busy, answers.adaptation()), sleeps, "sync")
    assert 7 <= sleeps[0] <= 7.7


@BOTH
def test_an_attempt_that_was_taken_for_lost_is_waited_for(kind):
    running = answers.problem(409, "the first request with this key still runs")
    running.headers["Retry-After"] = "1"
    script, sleeps = answers.Script(httpx.ReadTimeout("slow"), running, answers.adaptation()), Sleeps()
    assert adapt(script, sleeps, kind).id == "adp_1"
    assert len({request.headers["Idempotency-Key"] for request in script.requests}) == 1
    assert 1 <= sleeps[1] <= 1.1


def test_too_long_a_retry_after_is_reported():
    busy = answers.problem(429, "quota")
    busy.headers["Retry-After"] = "3600"
    with pytest.raises(RateLimited) as raised:
        adapt(answers.Script(busy, answers.adaptation()), Sleeps(), "sync")
    assert raised.value.retry_after == 3600


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0),
        ("0.5", 0.5),
        ("-1", 0.0),
        ("Mon, 23 Nov 2026 08:00:30 GMT", 30.0),
        ("Mon, 23 Nov 2026 07:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(value, seconds):
    now = datetime(2026, 11, 23, 8, 0, 0, tzinfo=UTC)
    assert retry_after(httpx.Headers({"Retry-After": value}), now) == seconds


def through(kind, script, work):
    """What either client's `work` gives."""
    if kind == "sync":
        with client(script, Sleeps()) as connected:
            return work(connected)

    async def run():
        async with async_client(script, Sleeps()) as connected:
            return await work(connected)

    return asyncio.run(run())


LOST = pytest.mark.parametrize(
    "lost", [httpx.ReadError("reset"), httpx.ReadTimeout("slow"), answers.problem(504, "proxy")], ids=str
)


@BOTH
@LOST
def test_what_is_gone_after_a_lost_answer_was_deleted(kind, lost):
    gone = answers.problem(404, "no such thing")
    for delete in (
        lambda one: one.adaptations.delete("adp_1"),
        lambda one: one.datasets.delete("ds_1"),
        lambda one: one.models.delete("m", 1),
        lambda one: one.models.delete_alias("m", "a", if_match='"1"'),
    ):
        assert through(kind, answers.Script(lost, gone), delete) is None
        with pytest.raises(NotFound):
            through(kind, answers.Script(gone), delete)
        with pytest.raises(NotFound):
            through(kind, answers.Script(httpx.ConnectError("refused"), gone), delete)
        with pytest.raises(NotFound):
            through(kind, answers.Script(answers.problem(503, "busy"), gone), delete)


@BOTH
@LOST
def test_a_condition_that_fails_after_a_lost_answer_is_not_reported_as_anothers_doing(kind, lost):
    failed = answers.problem(412, "at another revision")

    def move(one):
        return one.models.set_alias("m", "a", 2, if_match='"1"')

    with pytest.raises(ConnectionFailed, match="may have done the work"):
        through(kind, answers.Script(lost, failed), move)
    with pytest.raises(PreconditionFailed):
        through(kind, answers.Script(answers.problem(503, "busy"), failed), move)
