"""An evaluation's title: how hard its episodes were, and that it lies within its picture."""

import pytest

from tests import answers

LETTERS = {"family": "labelled", "dataset": "ds_1"}
SCORES = {"loss": 1.0, "loss_ci95": 0.1}
CURVES = {
    **SCORES,
    "calibration": {"kind": "confidence", "error": 0.1, "bins": [{"expected": 1, "observed": 1, "count": 9}]},
    "per_shot": [{"shots": 1, "accuracy": 0.8, "accuracy_ci95": 0.01}],
}


@pytest.fixture(autouse=True)
def submitted(service):
    service.answers["POST /v1/jobs"] = (202, answers.job(type="evaluation", status="queued"))


@pytest.mark.parametrize(
    ("sizes", "said"),
    [
        ({"n_way": 20, "n_shot": 1}, "held out (20-way, 1-shot, guessing has 5.0%)"),
        ({"n_way": 5, "n_shot": 1, "max_way": 9, "max_shot": 4}, "held out (2 to 9 ways, 1 to 4 shots)"),
    ],
)
def test_how_hard_its_episodes_were_is_told(innerloop, service, sizes, said):
    config = {"episodes": 200, "tasks": {**LETTERS, **sizes}}
    result = {"model": "letters", "version": 3}
    ended = answers.succeeded(type="evaluation", config=config, metrics=SCORES, result=result)
    service.answers["GET /v1/jobs/job_1"] = ended
    assert said in innerloop("evaluate", "letters@3")


@pytest.mark.parametrize("metrics", [CURVES, SCORES], ids=["two panels", "one"])
def test_a_pictures_title_lies_within_it(tmp_path, monkeypatch, metrics):
    figure = pytest.importorskip("matplotlib.figure")
    from app.cli.evaluation_picture import draw

    drawn = []
    monkeypatch.setattr(figure.Figure, "savefig", lambda self, *_, **__: drawn.append(self))
    title = "omniglot-within-alphabet@12: 600 episodes of ds_01m8cvkygjr451sse09538b8we, held out (20-way, 1-shot)"
    draw(metrics, title, tmp_path / "a.png")
    (picture,) = drawn
    picture.draw_without_rendering()
    (text,) = (child for child in picture.texts)
    assert text.get_window_extent().x1 <= picture.bbox.x1
