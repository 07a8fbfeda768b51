"""kill -9 of any process, of all of them, and of the supervisor: nothing that was answered is lost."""

import os
import signal

import httpx
import pytest

from tests.integration.server import Server, is_running, wait_for
from tests.integration.use import adapted, ended, predicted, small_job, submit, trained


def test_an_engine_that_dies_is_told_and_replaced(server: Server) -> None:
    adaptation = adapted(server.http, trained(server.http, "kept"))
    before = predicted(server.http, adaptation)
    killed = server.kill("engine")
    wait_for(lambda: server.readiness() == 503, "unreadiness")
    answer = server.http.post(f"/v1/adaptations/{adaptation}/predictions", json={"inputs": [5]})
    assert answer.status_code in (200, 503)
    assert answer.status_code == 200 or int(answer.headers["retry-after"]) >= 1
    server.wait_until_ready()
    assert server.children()["engine"] != killed
    assert predicted(server.http, adaptation) == pytest.approx(before, rel=1e-5)


def test_a_job_outlives_its_worker(server: Server) -> None:
    job = submit(server.http, small_job("outlives", iterations=800))
    wait_for(
        lambda: server.http.get(f"/v1/jobs/{job}").json()["progress"]["iteration"] > 0, "training under way"
    )
    server.kill("worker")
    found = ended(server.http, job)
    assert found["status"] == "succeeded", found
    assert found["attempts"] == 2
    assert server.http.get("/v1/models/outlives").json()["latest_version"] == 1


def test_an_api_that_dies_comes_back_at_the_same_port(server: Server) -> None:
    adaptation = adapted(server.http, trained(server.http, "kept"))
    before = predicted(server.http, adaptation)
    killed = server.kill("api")
    wait_for(lambda: server.children().get("api", killed) != killed, "another api")
    server.wait_until_ready()
    assert predicted(server.http, adaptation) == before


def test_what_was_answered_survives_the_loss_of_everything(server: Server) -> None:
    model = trained(server.http, "kept")
    answers = {adaptation: predicted(server.http, adaptation) for adaptation in [adapted(server.http, model)]}
    last = adapted(server.http, model, metadata={"last": "words"})
    server.kill_everything()
    server.start()
    for adaptation, before in answers.items():
        assert predicted(server.http, adaptation) == pytest.approx(before, rel=1e-5)
    assert server.http.get(f"/v1/adaptations/{last}").json()["metadata"] == {"last": "words"}
    assert predicted(server.http, last) == pytest.approx(next(iter(answers.values())), rel=1e-5)


def test_nothing_outlives_a_supervisor_that_is_killed(server: Server) -> None:
    pids = list(server.children().values())
    assert len(pids) == 3
    os.kill(server.supervisor.pid, signal.SIGKILL)
    server.supervisor.wait()
    wait_for(lambda: not any(map(is_running, pids)), "end of every process", 30)


def test_sigterm_ends_everything_and_streams_too(server: Server) -> None:
    pids = [server.supervisor.pid, *server.children().values()]
    job = submit(server.http, small_job("interrupted", iterations=5_000_000))
    path = f"/v1/jobs/{job}/events"
    with httpx.stream(
        "GET", f"{server.http.base_url}{path}", headers={"Accept": "text/event-stream"}, timeout=60
    ) as answer:
        lines = answer.iter_lines()
        assert any(line.startswith("data: ") for line in lines)
        server.supervisor.terminate()
        # The stream ends by itself, as streams do, and not by a connection that is cut.
        assert all(isinstance(line, str) for line in lines)
    assert server.supervisor.wait(20) == 0
    assert not any(map(is_running, pids))
    server.start()
    assert server.http.post(f"/v1/jobs/{job}/cancel").json()["status"] == "cancelled"
