"""The three processes doing what the service is for: train, adapt, predict, and tell about it while it happens."""

from pathlib import Path

import httpx

from innerloop.schemas.jobs import JobEventResponse
from tests.integration.server import Server
from tests.integration.use import adapted, ended, predicted, small_job, submit, trained


def test_train_adapt_predict(server: Server) -> None:
    job = ended(server.http, submit(server.http, small_job("whole-way")))
    assert job["status"] == "succeeded", job
    assert job["result"] == {"model": "whole-way", "version": 1}
    assert job["progress"]["fraction"] == 1
    version = server.http.get("/v1/models/whole-way/versions/1").json()
    assert version["aliases"] == ["champion"]
    assert version["training"]["job"] == job["id"]
    assert version["metrics"]["meta_test"]
    adaptation = adapted(server.http, "whole-way@champion", options={"inner_steps": 3})
    assert len(predicted(server.http, adaptation)) == 2


def test_events_arrive_while_a_job_runs(server: Server) -> None:
    job = submit(server.http, small_job("followed"))
    path = f"/v1/jobs/{job}/events"
    with server.http.stream("GET", path, headers={"Accept": "text/event-stream"}) as answer:
        assert answer.status_code == 200
        received = [
            JobEventResponse.model_validate_json(line.removeprefix("data: "))
            for line in answer.iter_lines()
            if line.startswith("data: ")
        ]
    assert [event.sequence for event in received] == list(range(1, len(received) + 1))
    assert {"status", "progress"} <= {event.type for event in received}
    assert received[-1].data["status"] == "succeeded"
    headers = {"Accept": "text/event-stream", "Last-Event-ID": received[-1].id}
    assert server.http.get(path, headers=headers).status_code == 204


def test_a_running_job_is_cancelled(server: Server) -> None:
    job = submit(server.http, small_job("cancelled", iterations=5_000_000))
    answer = server.http.post(f"/v1/jobs/{job}/cancel")
    assert answer.json()["status"] == "cancelled"
    assert server.http.post(f"/v1/jobs/{job}/cancel").status_code == 409
    # The worker is free again for the next one.
    trained(server.http, "after-cancel")


def test_torch_is_in_the_engine_and_nowhere_near_the_api(server: Server) -> None:
    def has_torch(pid: int) -> bool:
        return "libtorch" in Path(f"/proc/{pid}/maps").read_text()

    trained(server.http, "followed")
    pids = server.children()
    assert has_torch(pids["engine"])
    assert not has_torch(pids["api"])
    assert not has_torch(server.supervisor.pid)


def test_an_oversize_body_is_refused_before_it_is_read(server: Server) -> None:
    def endless() -> object:
        for _ in range(512):
            yield b" " * 131072

    answer = server.http.post(
        "/v1/adaptations", content=endless(), headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 413
    assert server.readiness() == 200


def test_the_binary_form_goes_all_the_way(server: Server) -> None:
    model = trained(server.http, "followed")
    head = (
        f'{{"model":"{model}","support":{{"inputs":{{"datatype":"FP32","shape":[4,1],'
        '"parameters":{"binary_data_size":16}},"targets":[1,2,3,4]}}'
    ).encode()
    answer = httpx.post(
        f"{server.http.base_url}/v1/adaptations",
        content=head + b"\0\0\x80?" * 4,
        headers={
            "Content-Type": "application/octet-stream",
            "Inference-Header-Content-Length": str(len(head)),
        },
    )
    assert answer.status_code == 201, answer.text
