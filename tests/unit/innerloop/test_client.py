"""What the clients make of several operations together: handles, pages, files, health."""

import asyncio

import httpx
import pytest

from innerloop import Adaptation, AsyncClient, Client, InvalidInput, Job, ServiceUnavailable, UnexpectedAnswer
from tests import answers
from tests.unit.innerloop.calls import BOTH, call


@BOTH
def test_actions_on_a_job(kind):
    for action in ("cancel", "pause", "resume"):
        script = answers.Script(answers.job(), answers.job(status="paused"))
        if kind == "sync":
            client = Client("http://service", transport=httpx.MockTransport(script))
            job = getattr(client.jobs.get("job_1"), action)()
        else:

            async def run(script=script, action=action):
                transport = httpx.MockTransport(script.asynchronous)
                async with AsyncClient("http://service", transport=transport) as client:
                    return await getattr(await client.jobs.get("job_1"), action)()

            job = asyncio.run(run())
        assert job.status == "paused"
        assert script.requests[1].method == "POST"
        assert script.requests[1].url.path == f"/v1/jobs/job_1/{action}"


@BOTH
def test_lists_fetch_their_pages_as_they_are_read(kind):
    script = answers.Script(
        answers.listing(answers.model(name="a"), answers.model(name="b"), cursor="cursor"),
        answers.listing(answers.model(name="c")),
    )
    assert [model.name for model in call(kind, script, lambda client: client.models.list())] == [
        "a",
        "b",
        "c",
    ]
    assert [request.url.params.get("after") for request in script.requests] == [None, "cursor"]


def test_lists_are_lazy():
    script = answers.Script(answers.listing(answers.model(name="a"), cursor="cursor"))
    client = Client("http://service", transport=httpx.MockTransport(script))
    models = client.models.list()
    assert not script.requests
    next(models)
    assert len(script.requests) == 1


@BOTH
def test_events_and_checkpoints_of_a_job_are_lists(kind):
    checkpoint = {
        "id": "7",
        "job": "job_1",
        "iteration": 50,
        "metrics": {},
        "bytes": 9,
        "created_at": answers.NOW,
    }
    script = answers.Script(
        answers.job(),
        answers.listing(answers.event(1, "log", message="hello")),
        answers.listing(checkpoint),
    )
    if kind == "sync":
        client = Client("http://service", transport=httpx.MockTransport(script))
        job = client.jobs.get("job_1")
        events, checkpoints = list(job.past_events()), list(job.checkpoints())
    else:

        async def run():
            transport = httpx.MockTransport(script.asynchronous)
            async with AsyncClient("http://service", transport=transport) as client:
                job = await client.jobs.get("job_1")
                return [event async for event in job.past_events()], [one async for one in job.checkpoints()]

        events, checkpoints = asyncio.run(run())
    assert events[0].data == {"message": "hello"}
    assert checkpoints[0].iteration == 50


@BOTH
def test_an_adaptation_answers_for_itself(kind):
    script = answers.Script(
        answers.adaptation(),
        answers.predictions(),
        answers.adaptation(id="adp_2"),
        answers.predictions(adaptation=None, revision=None),
        httpx.Response(204),
    )
    if kind == "sync":
        client = Client("http://service", transport=httpx.MockTransport(script), binary=False)
        adaptation = client.adapt("functions", [1], [2])
        predictions = adaptation.predict([5, 6])
        further = adaptation.adapt([3], [6])
        further.adapt_and_predict([4], [8], [9])
        further.delete()
    else:

        async def run():
            transport = httpx.MockTransport(script.asynchronous)
            async with AsyncClient("http://service", transport=transport, binary=False) as client:
                adaptation = await client.adapt("functions", [1], [2])
                predictions = await adaptation.predict([5, 6])
                further = await adaptation.adapt([3], [6])
                await further.adapt_and_predict([4], [8], [9])
                await further.delete()
                return adaptation, predictions

        adaptation, predictions = asyncio.run(run())
    assert str(adaptation.model) == "functions@2"
    assert (adaptation.task, adaptation.classes, adaptation.support_loss) == ("regression", None, 0.5)
    assert (adaptation.n_support, adaptation.revision, adaptation.metadata) == (4, 1, {})
    assert adaptation.expires_at is None
    assert predictions.values == [9.9, 12.1]
    assert script.document(2) == {"from": "adp_1", "support": {"inputs": [3], "targets": [6]}}
    assert script.document(3) == {
        "from": "adp_2",
        "support": {"inputs": [4], "targets": [8]},
        "inputs": [9],
    }
    assert script.requests[4].url.path == "/v1/adaptations/adp_2"


def test_handles_tell_what_they_are():
    script = answers.Script(answers.adaptation(), answers.succeeded())
    client = Client("http://service/", transport=httpx.MockTransport(script))
    adaptation, job = client.adapt("functions", [1], [2]), client.jobs.get("job_1")
    assert isinstance(adaptation, Adaptation)
    assert isinstance(job, Job)
    assert repr(adaptation) == "Adaptation('adp_1', model='functions@2')"
    assert repr(job) == "Job('job_1', 'succeeded', model='functions')"
    assert repr(client) == "Client('http://service')"
    assert (job.progress.fraction, job.metrics, job.error) == (1.0, {"meta_loss": 0.41}, None)
    assert job.config["training"] == {"iterations": 100}


def test_predict_takes_the_adaptation_itself():
    script = answers.Script(answers.adaptation(), answers.predictions())
    client = Client("http://service", transport=httpx.MockTransport(script))
    client.predict(client.adapt("functions", [1], [2]), [5.0])
    assert script.requests[1].url.path == "/v1/adaptations/adp_1/predictions"


def test_tensors_are_binary_unless_asked_otherwise():
    script = answers.Script(answers.adaptation())
    transport = httpx.MockTransport(script)
    for binary in (True, False):
        Client("http://service", transport=transport, binary=binary).adapt("functions", [1.5], [2.5])
    assert script.requests[0].headers["Content-Type"] == "application/octet-stream"
    assert script.document(0)["support"]["targets"]["parameters"] == {"binary_data_size": 4}
    assert script.requests[1].headers["Content-Type"] == "application/json"
    assert script.document(1)["support"] == {"inputs": [1.5], "targets": [2.5]}


@BOTH
def test_nothing_is_sent_of_what_is_ragged(kind):
    script = answers.Script(answers.adaptation())
    with pytest.raises(InvalidInput, match=r"inputs\[1\] has length 2"):
        call(kind, script, lambda client: client.adapt("functions", [[1.0], [2.0, 3.0]], [1, 2]))
    with pytest.raises(InvalidInput, match="belong together"):
        call(kind, script, lambda client: client.adapt_and_predict("m", [1], None, [2]))
    assert not script.requests


@BOTH
@pytest.mark.parametrize("if_match", ['"5"', "5"])
def test_aliases_move_only_from_where_they_were_seen(kind, if_match):
    answer = httpx.Response(200, json=answers.alias(), headers={"ETag": '"6"'})
    script = answers.Script(answer)
    moved = call(kind, script, lambda client: client.models.set_alias("m", "a", 2, if_match=if_match))
    assert (moved.etag, moved.version, moved.model, moved.name) == ('"6"', 2, "functions", "champion")
    assert script.requests[0].headers["If-Match"] == '"5"'
    call(kind, script, lambda client: client.models.delete_alias("m", "a", if_match=moved))
    assert script.requests[1].headers["If-Match"] == '"6"'
    call(kind, script, lambda client: client.models.set_alias("m", "a", 2, only_new=True))
    assert script.requests[2].headers["If-None-Match"] == "*"


@BOTH
def test_artifacts_go_down_and_up(kind, tmp_path):
    script = answers.Script(httpx.Response(200, content=b"tensors"), answers.version())
    path = tmp_path / "m.safetensors"
    downloaded = call(kind, script, lambda client: client.models.download("m", 2, path))
    assert downloaded == path.read_bytes() == b"tensors"
    assert script.requests[0].url.path == "/v1/models/m/versions/2/artifact"
    assert call(kind, script, lambda client: client.models.upload("n", path)).version == 2
    call(kind, script, lambda client: client.models.upload("n", b"tensors", alias="a"))
    for index in (1, 2):
        assert script.requests[index].url.path == "/v1/models/n/versions"
        assert script.requests[index].headers["Content-Length"] == "7"
        assert script.bodies[index] == b"tensors"
    assert dict(script.requests[2].url.params) == {"alias": "a"}


@BOTH
def test_datasets_are_streamed_with_their_columns(kind, tmp_path):
    path = tmp_path / "people.csv"
    path.write_bytes(b"a,b,y\n" * 300_000)
    script = answers.Script(httpx.ReadError("cut"), httpx.Response(201, json=answers.dataset()))
    dataset = call(
        kind,
        script,
        lambda client: client.datasets.upload(path, inputs="a,b", target="y", task="person"),
        **({"sleep": lambda _: None} if kind == "sync" else {"sleep": _no_sleep}),
    )
    assert dataset.id == "ds_1"
    assert script.bodies == [path.read_bytes()] * 2
    request = script.requests[1]
    assert request.headers["Content-Type"] == "text/csv"
    assert request.headers["Content-Length"] == str(path.stat().st_size)
    assert dict(request.url.params) == {"name": "people", "inputs": "a,b", "target": "y", "task": "person"}


async def _no_sleep(seconds):
    del seconds


@BOTH
@pytest.mark.parametrize(("usual", "reading"), [(5.0, 600.0), (3600.0, 3600.0), (None, None)])
def test_reading_a_dataset_may_take_long(kind, usual, reading):
    script = answers.Script(answers.dataset())
    call(
        kind, script, lambda client: client.datasets.upload(b"a,y", "d", media_type="text/csv"), timeout=usual
    )
    call(kind, script, lambda client: client.datasets.get("ds_1"), timeout=usual)
    upload, get = [request.extensions["timeout"] for request in script.requests]
    assert (upload["read"], upload["connect"]) == (reading, usual)
    assert get["read"] == usual


@BOTH
def test_arrays_are_uploaded_as_npz(kind):
    script = answers.Script(answers.dataset())
    call(kind, script, lambda client: client.datasets.upload_arrays("letters", [[1.0]], ["a"], tasks=[3]))
    assert script.requests[0].headers["Content-Type"] == "application/x-npz"
    assert dict(script.requests[0].url.params) == {"name": "letters"}
    assert script.bodies[0].startswith(b"PK")


@BOTH
def test_health_is_an_answer_even_when_it_is_bad(kind):
    checks = {"engine": {"ok": False, "detail": "no answer"}}
    unready = answers.problem(503, "engine: no answer", checks=checks)
    health = call(kind, answers.Script(unready), lambda client: client.health())
    assert health.status == "unready"
    assert health.checks["engine"].detail == "no answer"
    ready = {"status": "ready", "checks": {"engine": {"ok": True}}}
    assert call(kind, answers.Script(ready), lambda client: client.health()).status == "ready"


@BOTH
def test_what_is_no_service_of_ours_is_said(kind):
    for script, said in (
        (answers.Script({"hello": "world"}), r"http://service/\S+ answered with what is no \w+Response"),
        (
            answers.Script(httpx.Response(200, content=b"<html>")),
            "^http://service is not an Innerloop service",
        ),
        (
            answers.Script(httpx.Response(404, content=b"<html>")),
            "^http://service is not an Innerloop service",
        ),
    ):
        for operation in (lambda client: client.health(), lambda client: client.adapt("m", [1], [2])):
            with pytest.raises(UnexpectedAnswer, match=said):
                call(kind, script, operation)


def test_a_proxy_in_the_way_is_an_error():
    with pytest.raises(ServiceUnavailable, match="Bad gateway page"):
        call(
            "sync",
            answers.Script(httpx.Response(503, content=b"Bad gateway page")),
            lambda client: client.health(),
        )


@BOTH
def test_limits_keep_what_newer_services_add(kind):
    body = {
        "body_bytes": 1,
        "dataset_bytes": 2,
        "artifact_bytes": 9,
        "support_examples": 3,
        "query_examples": 4,
        "ways": 5,
        "input_width": 6,
        "queue_depth": 7,
        "patience": 8,
    }
    limits = call(kind, answers.Script(body), lambda client: client.limits())
    assert (limits.ways, limits.model_extra) == (5, {"patience": 8})
