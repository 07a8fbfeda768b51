import json

import pytest

from app.cli.main import main
from app.cli.train import job_draft
from innerloop import InvalidInput
from tests import answers


@pytest.fixture(autouse=True)
def jobs(service):
    service.answers["POST /v1/jobs"] = (202, answers.job(status="queued"))
    service.answers["GET /v1/jobs/job_1"] = [answers.job(), answers.succeeded()]


def test_training_is_watched_to_its_end(innerloop, service):
    printed = innerloop("train", "functions", "--alias", "champion", "--set", "training.iterations=20")
    assert printed.startswith("functions@1 is ready in 0 s")
    assert service.seen[0].document == {
        "model": "functions",
        "recipe": "functions",
        "overrides": {"training": {"iterations": 20}},
        "publish": {"alias": "champion"},
    }


def test_training_may_be_left_alone(innerloop, service):
    assert innerloop("train", "functions", "--detach").startswith("job_1 queued; watch it with")
    assert len(service.seen) == 1
    assert json.loads(innerloop("train", "functions", "--detach", "--json"))["status"] == "queued"


def test_a_job_that_fails_is_an_error(innerloop, service):
    service.answers["GET /v1/jobs/job_1"] = answers.failed()
    assert innerloop("train", "functions", status=1).endswith("job_1 failed: the loss is not finite\n")


def test_configurations_come_from_files(tmp_path):
    whole = {"learner": {"a": 1}, "tasks": {"family": "sinusoid"}, "training": {"seed": 3}}
    path = tmp_path / "job.json"
    path.write_text(json.dumps({"model": "m", **whole, "publish": {"alias": "best"}}))
    draft = job_draft(None, None, None, ["training.seed=4", "tasks.n_shot=5"], path)
    assert draft == {
        "model": "m",
        "recipe": None,
        "alias": "best",
        "learner": {"a": 1},
        "tasks": {"family": "sinusoid", "n_shot": 5},
        "training": {"seed": 4},
    }
    path = tmp_path / "job.toml"
    path.write_text('type = "meta_training"\nrecipe = "functions"\n[overrides.training]\nseed = 3\n')
    draft = job_draft(None, "mine", "champion", ["training.schedule=cosine"], path)
    assert draft == {
        "model": "mine",
        "recipe": "functions",
        "alias": "champion",
        "overrides": {"training": {"seed": 3, "schedule": "cosine"}},
    }


@pytest.mark.parametrize(
    ("recipe", "changes", "content", "message"),
    [
        (None, [], None, "give a recipe"),
        ("functions", ["iterations=5"], None, "write section.name=value"),
        ("functions", ["training.iterations"], None, "write section.name=value"),
        (None, [], '{"learner": {}}', "name with --model"),
        (None, [], '{"nope": 1}', "unknown nope"),
        (None, [], '{"type": "evaluation", "model": "m"}', "innerloop evaluate"),
        (None, [], "{", "cannot be read"),
        (None, [], "[]", "has to be an object"),
        (
            None,
            ["training.seed.x=1"],
            '{"model": "m", "learner": {}, "training": {"seed": 3}}',
            "seed holds no names",
        ),
    ],
)
def test_what_cannot_be_trained_is_said(tmp_path, recipe, changes, content, message):
    path = None
    if content is not None:
        path = tmp_path / "job.json"
        path.write_text(content)
    with pytest.raises(InvalidInput, match=message):
        job_draft(recipe, None, None, changes, path)


def test_jobs_are_listed_and_shown(innerloop, service):
    listed = [
        answers.succeeded(id="job_1"),
        answers.failed(id="job_2"),
        answers.job(id="job_3", type="evaluation"),
    ]
    service.answers["GET /v1/jobs"] = answers.listing(*listed)
    printed = innerloop("jobs", "list", "--status", "running", "--model", "m")
    for shown in ("job_1", " training ", " evaluation ", "functions@1", "the loss is not finite", "10%"):
        assert shown in printed
    assert service.seen[0].query == "status=running&model=m&limit=100"
    assert [job["id"] for job in json.loads(innerloop("jobs", "list", "--json", "--limit", 2))] == [
        "job_1",
        "job_2",
    ]
    assert "meta_training" in innerloop("jobs", "show", "job_1")
    assert json.loads(innerloop("jobs", "show", "job_1", "--json"))["status"] == "succeeded"
    service.answers["GET /v1/jobs"] = answers.listing()
    assert innerloop("jobs", "list") == "no jobs\n"


def test_a_base_of_uploaded_data_is_to_be_adapted_to_files(innerloop, service):
    assert "innerloop adapt functions@1 --x … --y …" in innerloop("train", "functions")
    config = {"tasks": {"family": "labelled", "dataset": "ds_1"}}
    service.answers["GET /v1/jobs/job_1"] = answers.succeeded(config=config)
    assert "innerloop adapt functions@1 --file …" in innerloop("train", "functions")


def test_jobs_are_watched(innerloop):
    assert innerloop("jobs", "watch", "job_1") == "job_1 succeeded: functions@1\n"
    assert json.loads(innerloop("jobs", "watch", "job_1", "--json"))["result"]["version"] == 1


@pytest.mark.parametrize("command", [("jobs", "watch", "job_1"), ("train", "functions")])
def test_an_interrupted_wait_says_how_to_go_on(innerloop, monkeypatch, capsys, command):
    def interrupted(self, progress):
        raise KeyboardInterrupt

    monkeypatch.setattr("innerloop.Job.wait", interrupted)
    with pytest.raises(SystemExit) as ended:
        main(list(command))
    assert ended.value.code == 130
    assert "job_1 goes on; watch it again with: innerloop jobs watch job_1" in capsys.readouterr().out


@pytest.mark.parametrize("action", ["cancel", "pause", "resume"])
def test_jobs_are_acted_upon(innerloop, service, action):
    service.answers[f"POST /v1/jobs/job_1/{action}"] = answers.job(status="paused")
    assert innerloop("jobs", action, "job_1") == "job_1 paused\n"


def test_events_are_lines(innerloop, service):
    events = [answers.event(1, "status", **answers.job()), answers.event(2, "metric", meta_loss=0.123456)]
    service.answers["GET /v1/jobs/job_1/events"] = answers.listing(*events)
    lines = innerloop("jobs", "events", "job_1").splitlines()
    assert lines[0].endswith("status     status=running")
    assert lines[1].endswith("metric     meta_loss=0.1235")
    assert json.loads(innerloop("jobs", "events", "job_1", "--json").splitlines()[1])["sequence"] == 2


def test_events_are_followed(innerloop, service):
    service.answers["GET /v1/jobs/job_1/events"] = (
        200,
        answers.event_stream(answers.event(1, "status", status="failed")),
    )
    assert innerloop("jobs", "events", "job_1", "--follow").endswith("status     status=failed\n")
