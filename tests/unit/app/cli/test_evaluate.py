import json

import pytest

from tests import answers

METRICS = {
    "loss": 0.4,
    "loss_ci95": 0.02,
    "accuracy": 0.853,
    "accuracy_ci95": 0.011,
    "calibration": {
        "kind": "confidence",
        "error": 0.031,
        "bins": [
            {"expected": 0.5, "observed": 0.45, "count": 20},
            {"expected": 0.9, "observed": 0.93, "count": 80},
        ],
    },
    "per_shot": [
        {"shots": shots, "loss": 0.4, "loss_ci95": 0.02, "accuracy": accuracy, "accuracy_ci95": 0.01}
        for shots, accuracy in ((1, 0.853), (5, 0.942))
    ],
}
CONFIG = {
    "model": "letters",
    "version": 3,
    "episodes": 200,
    "seed": 4,
    "whole": False,
    "tasks": {"family": "labelled", "dataset": "ds_1"},
}
RETURNS = {
    "return_step_0": -40.0,
    "return_step_0_ci95": 2.0,
    "per_step": [
        {"steps": 0, "return": -40.0, "return_ci95": 2.0},
        {"steps": 1, "return": -12.5, "return_ci95": 1.0},
    ],
}


@pytest.fixture(autouse=True)
def jobs(service):
    service.answers["POST /v1/jobs"] = (202, answers.job(type="evaluation", status="queued"))
    service.answers["GET /v1/jobs/job_1"] = _ended(METRICS)


def _ended(metrics, **config):
    result = {"model": "letters", "version": 3}
    return answers.succeeded(type="evaluation", config={**CONFIG, **config}, metrics=metrics, result=result)


def test_an_evaluation_is_asked_for_and_shown(innerloop, service):
    printed = innerloop("evaluate", "letters@3", "--episodes", 200, "--seed", 4, "--dataset", "ds_1")
    assert service.seen[0].document == {
        "type": "evaluation",
        "model": "letters@3",
        "episodes": 200,
        "seed": 4,
        "dataset": "ds_1",
    }
    assert printed.startswith("letters@3: 200 episodes of ds_1, held out\n")
    for said in ("85.30%", "± 1.10%", "calibration error (confidence)", "3.10%", "94.20% ± 1.00%"):
        assert said in printed


def test_a_policy_is_shown_by_its_returns(innerloop, service):
    service.answers["GET /v1/jobs/job_1"] = _ended(RETURNS, tasks={"family": "navigation"})
    printed = innerloop("evaluate", "walker")
    assert "200 episodes of navigation, fresh tasks" in printed
    assert "-12.5 ± 1" in printed
    assert service.seen[0].document == {"type": "evaluation", "model": "walker", "seed": 0}


def test_machines_have_it_as_json(innerloop):
    assert json.loads(innerloop("evaluate", "letters", "--json"))["metrics"] == METRICS


@pytest.mark.parametrize("metrics", [METRICS, RETURNS, {"loss": 1.0, "loss_ci95": 0.1}])
def test_a_picture_is_drawn_of_what_there_is(innerloop, service, tmp_path, metrics):
    pytest.importorskip("matplotlib")
    service.answers["GET /v1/jobs/job_1"] = _ended(metrics)
    path = tmp_path / "letters.png"
    assert "drawn in" in innerloop("evaluate", "letters", "--picture", path)
    assert path.read_bytes().startswith(b"\x89PNG")


def test_what_was_not_finite_is_shown_as_that(innerloop, service, tmp_path):
    pytest.importorskip("matplotlib")
    steps = [
        {"steps": 1, "loss": 0.4, "loss_ci95": 0.1},
        {"steps": 5, "loss": 3e30, "loss_ci95": None},
        {"steps": 10, "loss": None, "loss_ci95": None},
    ]
    metrics = {"loss": None, "loss_ci95": None, "per_step": steps}
    service.answers["GET /v1/jobs/job_1"] = _ended(metrics)
    printed = innerloop("evaluate", "letters", "--picture", tmp_path / "a.png")
    assert "nan ± nan" in printed
    assert "3e+30 ± nan" in printed


def test_without_matplotlib_nothing_is_begun(innerloop, service, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    error = innerloop("evaluate", "letters", "--picture", tmp_path / "a.png", status=1)
    assert "pip install matplotlib" in error
    assert service.seen == []


@pytest.mark.parametrize(
    ("name", "words"), [("a.foo", ".png"), ("a", ".png"), ("nowhere/a.png", "there is no folder")]
)
def test_a_picture_that_cannot_be_written_is_said_before_anything_is_begun(
    innerloop, service, tmp_path, name, words
):
    pytest.importorskip("matplotlib")
    assert words in innerloop("evaluate", "letters", "--picture", tmp_path / name, status=1)
    assert service.seen == []
