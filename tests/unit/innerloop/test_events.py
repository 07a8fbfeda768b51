import asyncio
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from innerloop import AsyncClient, Client, ConnectionFailed, NotFound
from innerloop.events import Parser, ServerSentEvent
from tests import answers

STREAM = answers.event_stream(
    answers.event(1, "status", status="running"),
    answers.event(2, "metric", meta_loss=0.5),
    answers.event(3, "log", message="line separator \u2028 inside"),
    answers.event(4, "status", status="succeeded"),
)


def streamed(content):
    return httpx.Response(200, headers={"Content-Type": "text/event-stream"}, content=content)


def watch(script, kind, after=None, **settings):
    """A job's events through either client, and how long it slept."""
    sleeps = []
    if kind == "sync":
        transport = httpx.MockTransport(script)
        client = Client("http://service", transport=transport, sleep=sleeps.append, **settings)
        return [event.sequence for event in client.jobs.get("job_1").events(after)], sleeps

    async def sleep(seconds):
        sleeps.append(seconds)

    async def run():
        transport = httpx.MockTransport(script.asynchronous)
        async with AsyncClient("http://service", transport=transport, sleep=sleep, **settings) as client:
            job = await client.jobs.get("job_1")
            return [event.sequence async for event in job.events(after)]

    return asyncio.run(run()), sleeps


BOTH = pytest.mark.parametrize("kind", ["sync", "async"])


def test_fields_are_read_as_the_standard_says():
    events = Parser().feed(
        b": comment\r\nid: 7\nevent:metric\ndata: one\ndata:two\nretry: 100\nunknown: x\n\n"
        b"data\n\nid\ndata: three\n\nevent: nothing\n\n"
    )
    assert events == [
        ServerSentEvent("metric", "one\ntwo", "7"),
        ServerSentEvent("message", "", "7"),
        ServerSentEvent("message", "three", None),
    ]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8), st.sampled_from([b"\n", b"\r\n"]))
def test_bytes_may_be_cut_anywhere(cuts, line_end):
    stream = STREAM.replace(b"\n", line_end)
    whole = Parser().feed(stream)
    parser, places = Parser(), [0, *sorted(cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(places)]
    assert [event for piece in pieces for event in parser.feed(piece)] == whole
    assert len(whole) == 4


@BOTH
def test_events_end_with_the_job(kind):
    script = answers.Script(answers.job(), streamed(STREAM))
    sequences, sleeps = watch(script, kind)
    assert sequences == [1, 2, 3, 4]
    assert not sleeps
    assert script.requests[1].headers["Accept"] == "text/event-stream"
    assert "Last-Event-ID" not in script.requests[1].headers


@BOTH
@pytest.mark.parametrize(
    "trouble", [httpx.ReadError("reset"), answers.problem(503, "starting"), streamed(b": ping\n\n")], ids=repr
)
def test_a_lost_stream_goes_on_where_it_broke_off(trouble, kind):
    first, last = STREAM.split(b"id: 3")
    script = answers.Script(answers.job(), streamed(first + b"id: 9"), trouble, streamed(b"id: 3" + last))
    sequences, sleeps = watch(script, kind)
    assert sequences == [1, 2, 3, 4]
    assert [request.headers.get("Last-Event-ID") for request in script.requests[1:]] == [None, "2", "2"]
    assert len(sleeps) == 2


@BOTH
def test_no_content_means_that_everything_was_delivered(kind):
    script = answers.Script(answers.job(), httpx.Response(204))
    assert watch(script, kind, after="4") == ([], [])
    assert script.requests[1].headers["Last-Event-ID"] == "4"


@BOTH
def test_a_stream_that_stays_away_is_given_up(kind):
    script = answers.Script(answers.job(), httpx.ConnectError("refused"))
    with pytest.raises(ConnectionFailed, match="3 attempts"):
        watch(script, kind, max_retries=2)


@BOTH
def test_an_unknown_job_is_an_error(kind):
    script = answers.Script(answers.job(), answers.problem(404, "no such job"))
    with pytest.raises(NotFound):
        watch(script, kind)


def test_events_of_unknown_kinds_are_passed_over():
    script = answers.Script(
        answers.job(), streamed(b"id: 1\nevent: gap\ndata: {}\n\ndata: not json\n\n" + STREAM)
    )
    assert watch(script, "sync")[0] == [1, 2, 3, 4]
