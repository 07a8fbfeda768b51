"""More work than the engine takes, and clients that leave: who is refused, with what, and what is not done."""

import json
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from services.adaptation import repository
from services.engine.batching import DeviceCall
from services.engine.executor import Executor
from services.engine.messages import MetricsCall, MetricsReply, Reply
from services.engine.settings import EngineSettings
from services.storage.near import NearSqlite
from tests.contract.adaptations import LINE
from tests.contract.conftest import Service, serving, settings, storage_at
from tests.contract.shapes import check_list, check_problem

BODY = json.dumps({"model": "line", "support": LINE}).encode()
JSON = {"Content-Type": "application/json"}
SMALL = EngineSettings(engine_device="cpu", engine_max_queued=4, engine_tenant_share=0.5)


def until(found: Callable[[], bool], what: str) -> None:
    give_up = time.monotonic() + 20
    while not found():
        assert time.monotonic() < give_up, what
        time.sleep(0.005)


class HeldEngine:
    """The engine of a service, each pass of which waits until it is let go."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.held = threading.Event()
        self.let_go = threading.Event()
        run = Executor.run

        def hold(executor: Executor, calls: Sequence[DeviceCall]) -> list[Reply]:
            self.held.set()
            assert self.let_go.wait(30)
            return run(executor, calls)

        monkeypatch.setattr(Executor, "run", hold)


class Callers:
    """Requests that are under way at the same time."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.http = httpx.Client(base_url=service.url, timeout=60)
        self.threads = ThreadPoolExecutor(16)

    def ask(self, secret: str | None = None) -> "Future[httpx.Response]":
        """Send, and return when the request waits for the engine (or is being run, or is answered)."""
        before = self.service.loop.status().queued
        answer = self.threads.submit(self.answer, secret)
        until(lambda: answer.done() or self.service.loop.status().queued > before, "a call that waits")
        return answer

    def answer(self, secret: str | None = None) -> httpx.Response:
        headers = JSON if secret is None else {**JSON, "Authorization": f"Bearer {secret}"}
        return self.http.post("/v1/adaptations", content=BODY, headers=headers)


@pytest.fixture
def service(migrated: Path, tmp_path: Path) -> Iterator[Service]:
    folder = shutil.copytree(migrated, tmp_path / "data")
    with serving(storage_at(folder), settings(), SMALL) as running:
        running.publish_models()
        yield running


@pytest.fixture
def engine(service: Service, monkeypatch: pytest.MonkeyPatch) -> Iterator[HeldEngine]:
    engine = HeldEngine(monkeypatch)
    yield engine
    engine.let_go.set()


@pytest.fixture
def callers(service: Service, engine: HeldEngine) -> Iterator[Callers]:
    callers = Callers(service)
    yield callers
    engine.let_go.set()
    callers.threads.shutdown()
    callers.http.close()


def hold(callers: Callers, engine: HeldEngine, secret: str | None = None) -> "Future[httpx.Response]":
    """Let one call be run, so that the next ones wait."""
    answer = callers.threads.submit(callers.answer, secret)
    assert engine.held.wait(20)
    return answer


def test_a_full_engine_is_503_and_what_waits_is_answered(callers: Callers, engine: HeldEngine) -> None:
    answers = [hold(callers, engine), *(callers.ask() for _ in range(4))]
    refused = callers.answer()
    check_problem(refused, 503)
    assert int(refused.headers["retry-after"]) >= 1
    engine.let_go.set()
    assert [answer.result(30).status_code for answer in answers] == [201] * 5
    assert callers.answer().status_code == 201


def test_a_key_over_its_share_is_429_and_another_is_served(callers: Callers, engine: HeldEngine) -> None:
    access = callers.service.services.access
    one, other, third = (access.create_key(name)[1] for name in ("greedy", "modest", "late"))
    answers = [hold(callers, engine, one), callers.ask(one), callers.ask(one)]
    refused = callers.answer(one)
    problem = check_problem(refused, 429)
    assert problem["type"] == "urn:innerloop:problem:quota-exceeded"
    assert int(refused.headers["retry-after"]) >= 1
    answers.append(callers.ask(other))
    check_problem(callers.answer(one), 429)
    answers.append(callers.ask(third))
    check_problem(callers.answer(other), 503)
    engine.let_go.set()
    assert [answer.result(30).status_code for answer in answers] == [201] * 5


def test_a_call_whose_client_left_is_not_run(callers: Callers, engine: HeldEngine) -> None:
    answer = hold(callers, engine)
    with connected(callers.service) as leaving:
        send(leaving)
        until(lambda: callers.service.loop.status().queued == 1, "a call that waits")
    until(lambda: callers.service.loop.status().queued == 0, "a call taken back")
    assert 'innerloop_engine_dropped_total{reason="cancelled"} 1.0' in engine_metrics(callers.service)
    engine.let_go.set()
    assert answer.result(30).status_code == 201
    assert len(check_list(callers.http.get("/v1/adaptations"))) == 1
    metrics = callers.http.get("/metrics").text
    assert 'method="POST",route="/v1/adaptations",status="499"' in metrics


def test_a_key_of_a_request_that_was_left_is_free_again(callers: Callers, engine: HeldEngine) -> None:
    answer = hold(callers, engine)
    headers = {**JSON, "Idempotency-Key": "left"}
    with connected(callers.service) as leaving:
        send(leaving, headers)
        until(lambda: callers.service.loop.status().queued == 1, "a call that waits")
    until(lambda: callers.service.loop.status().queued == 0, "a call taken back")
    engine.let_go.set()
    # The row of the key is freed a moment after the call was taken back.
    until(
        lambda: callers.http.post("/v1/adaptations", content=BODY, headers=headers).status_code == 201, "201"
    )
    assert answer.result(30).status_code == 201
    assert len(check_list(callers.http.get("/v1/adaptations"))) == 2


def test_what_is_being_stored_when_its_client_leaves_is_stored(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    storing, go_on = threading.Event(), threading.Event()
    insert = repository.insert

    def slow(*values: Any) -> None:
        storing.set()
        assert go_on.wait(20)
        insert(*values)

    monkeypatch.setattr(repository, "insert", slow)
    # As where another writer has the file: the storing waits in a thread.
    monkeypatch.setattr(NearSqlite, "commit", lambda *_: False)
    headers = {**JSON, "Idempotency-Key": "stored"}
    with httpx.Client(base_url=service.url, timeout=30) as client:
        with connected(service) as leaving:
            send(leaving, headers)
            assert storing.wait(20)
            time.sleep(0.1)  # for the connection to be watched, and its end to be noticed below
        time.sleep(0.1)
        go_on.set()
        until(lambda: len(check_list(client.get("/v1/adaptations"))) == 1, "the adaptation")
        until(lambda: client.post("/v1/adaptations", content=BODY, headers=headers).status_code == 201, "201")
        (made,) = check_list(client.get("/v1/adaptations"))
        again = client.post("/v1/adaptations", content=BODY, headers=headers)
        assert (again.json()["id"], again.headers["idempotent-replayed"]) == (made["id"], "true")


def connected(service: Service) -> socket.socket:
    parts = urlsplit(service.url)
    return socket.create_connection((parts.hostname, parts.port))


def send(connection: socket.socket, headers: dict[str, str] = JSON) -> None:
    """A whole request, on a connection that nobody will read from."""
    fields = {"Host": "localhost", "Content-Length": str(len(BODY)), **headers}
    lines = ["POST /v1/adaptations HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    connection.sendall("\r\n".join([*lines, "", ""]).encode() + BODY)


def engine_metrics(service: Service) -> str:
    """What the engine counts, as text."""
    replies: list[Reply] = []
    service.loop.submit(MetricsCall(), replies.append)
    (reply,) = replies
    assert isinstance(reply, MetricsReply)
    return reply.text.decode()
