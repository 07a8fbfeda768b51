"""A job's events: a list with places to go on from; a stream that replays, ends, and says when not to return."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from innerloop.schemas.jobs import JobEventResponse
from tests.contract.conftest import Service
from tests.contract.shapes import check_list, check_problem
from tests.contract.test_jobs import submit

STREAM = {"Accept": "text/event-stream"}


class Stream:
    """Reads server-sent events off an answer."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.iter_lines()

    def __iter__(self) -> Iterator[dict[str, str]]:
        fields: dict[str, str] = {}
        for line in self._lines:
            if not line and fields:
                if "data" in fields:
                    yield fields
                fields = {}
            elif not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value


@contextmanager
def stream(http: httpx.Client, job: str, query: str = "", **headers: str) -> Iterator[Stream]:
    path = f"/v1/jobs/{job}/events{query}"
    with http.stream("GET", path, headers={**STREAM, **headers}) as answer:
        yield Stream(answer)


@pytest.fixture
def cancelled(http: httpx.Client) -> str:
    """A job with four events: queued, paused, queued, cancelled."""
    job = str(submit(http)["id"])
    for move in ("pause", "resume", "cancel"):
        assert http.post(f"/v1/jobs/{job}/{move}").status_code == 200
    return job


def test_the_list_goes_on_where_it_ended(http: httpx.Client, cancelled: str) -> None:
    first = http.get(f"/v1/jobs/{cancelled}/events?limit=3")
    rest = http.get(f"/v1/jobs/{cancelled}/events?after={first.json()['next']}")
    events = check_list(first) + check_list(rest)
    assert [event["sequence"] for event in events] == [1, 2, 3, 4]
    assert [event["data"]["status"] for event in events] == ["queued", "paused", "queued", "cancelled"]
    for event in events:
        JobEventResponse.model_validate(event)
        assert (event["object"], event["type"], event["job"]) == ("job.event", "status", cancelled)
        assert event["id"].startswith("evt_")
    by_sequence = check_list(http.get(f"/v1/jobs/{cancelled}/events?after=3"))
    assert by_sequence == events[3:]
    check_problem(http.get(f"/v1/jobs/{cancelled}/events?after=evt_nope"), 422)
    check_problem(http.get(f"/v1/jobs/{cancelled}/events?after={'9' * 30}"), 422)
    check_problem(http.get(f"/v1/jobs/{cancelled}/events?after=%00"), 422)


def test_the_stream_replays_everything_and_ends_after_the_last_event(
    http: httpx.Client, cancelled: str
) -> None:
    with stream(http, cancelled) as events:
        assert events.answer.headers["content-type"].startswith("text/event-stream")
        assert events.answer.headers["cache-control"] == "no-cache"
        received = list(events)
    listed = check_list(http.get(f"/v1/jobs/{cancelled}/events"))
    assert [one["id"] for one in received] == [one["id"] for one in listed]
    assert [JobEventResponse.model_validate_json(one["data"]).sequence for one in received] == [1, 2, 3, 4]
    assert {one["event"] for one in received} == {"status"}


@pytest.mark.parametrize("by_header", [True, False])
@pytest.mark.parametrize("by_id", [True, False])
def test_the_stream_goes_on_after_the_event_that_was_seen(
    http: httpx.Client, cancelled: str, by_header: bool, by_id: bool
) -> None:
    listed = check_list(http.get(f"/v1/jobs/{cancelled}/events"))
    seen = listed[1]["id"] if by_id else "2"
    headers = {"Last-Event-ID": seen} if by_header else {}
    with stream(http, cancelled, "" if by_header else f"?after={seen}", **headers) as events:
        assert [one["id"] for one in events] == [one["id"] for one in listed[2:]]


def test_a_client_that_saw_the_last_event_is_told_not_to_return(http: httpx.Client, cancelled: str) -> None:
    last = check_list(http.get(f"/v1/jobs/{cancelled}/events"))[-1]["id"]
    answer = http.get(f"/v1/jobs/{cancelled}/events", headers={**STREAM, "Last-Event-ID": last})
    assert (answer.status_code, answer.content) == (204, b"")


@pytest.mark.parametrize(
    ("accept", "streams"),
    [
        ("text/event-stream, application/json;q=0.5", True),
        ("application/json;q=0.5, Text/Event-Stream;q=0.5", True),
        ("text/event-stream;q=0, application/json", False),
        ("text/event-stream; q=0.2, application/json", False),
        ("text/event-stream;q=nope", False),
        ("*/*", False),
        ("", False),
    ],
)
def test_the_stream_is_for_who_likes_it_best(
    http: httpx.Client, cancelled: str, accept: str, streams: bool
) -> None:
    answer = http.get(f"/v1/jobs/{cancelled}/events", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith("text/event-stream") == streams


def test_events_arrive_while_they_happen(http: httpx.Client) -> None:
    job = str(submit(http)["id"])
    with stream(http, job) as events:
        received = iter(events)
        assert '"status":"queued"' in next(received)["data"]
        http.post(f"/v1/jobs/{job}/cancel")
        assert '"status":"cancelled"' in next(received)["data"]
        assert next(received, None) is None


def test_an_unknown_job_has_no_stream(http: httpx.Client) -> None:
    check_problem(http.get("/v1/jobs/job_nope/events", headers=STREAM), 404)


def test_a_stream_ends_when_the_process_is_told_to_end(own_service: Service) -> None:
    with httpx.Client(base_url=own_service.url, timeout=30) as http:
        job = str(submit(http)["id"])
        with stream(http, job) as events:
            received = iter(events)
            next(received)
            own_service.drain()
            assert next(received, None) is None
        check_problem(http.get("/readyz"), 503)
