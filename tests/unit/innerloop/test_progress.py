import io

import pytest

from innerloop.progress import PlainLines, display, line, meta_test
from innerloop.schemas.jobs import JobResponse
from tests import answers

CURSOR = "\x1b[?25h"  # what the bar ends with: the cursor is shown again


def job(**changes):
    return JobResponse.model_validate(answers.job(**changes))


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("eta", "said"),
    [(9.4, "ETA 9 s"), (99.0, "ETA 99 s"), (600.0, "ETA 10 min 00 s"), (7265.0, "ETA 2 h 01 min")],
)
def test_a_line_tells_share_loss_and_eta(eta, said):
    progress = {"iteration": 1200, "iterations": 10000, "fraction": 0.12, "eta_seconds": eta}
    assert line(job(progress=progress)) == f"functions running 1200/10000 12% loss 0.41 {said}"


def test_after_the_last_iteration_it_is_tested():
    progress = {"iteration": 100, "iterations": 100, "fraction": 1.0, "eta_seconds": 0.0}
    assert line(job(progress=progress)) == "functions running 100/100 100% loss 0.41 meta-testing"
    assert line(job(status="succeeded", progress=progress)) == "functions succeeded 100/100 100% loss 0.41"


@pytest.mark.parametrize(
    ("metrics", "name"),
    [
        ({"loss": 3.0, "nll": 0.5}, "nll"),
        ({"loss": 3.0, "accuracy": 0.5}, "cross-entropy"),
        ({"loss": 3.0}, "squared error"),
        ({}, "loss"),
    ],
)
def test_the_loss_has_its_name(metrics, name):
    assert f" {name} 0.41 " in line(job(metrics={"meta_loss": 0.41, **metrics}))


@pytest.mark.parametrize(
    ("scores", "tasks", "said"),
    [
        (
            {"loss": 1.0, "accuracy": 0.6114, "accuracy_ci95": 0.0082},
            {"family": "labelled", "dataset": "ds_1"},
            "functions: meta-test accuracy 61.1% ± 0.8% (95 % interval, 600 episodes of held-out classes)",
        ),
        (
            {"loss": 0.01234, "loss_ci95": 0.0012},
            {"family": "sinusoid"},
            "functions: meta-test squared error 0.0123 ± 0.0012 (95 % interval, 600 episodes of fresh tasks)",
        ),
        (
            {"loss": 56.4, "loss_ci95": 28.0, "nll": 0.36, "nll_ci95": 0.05, "coverage": 0.954},
            {"family": "functions"},
            "functions: meta-test nll 0.36 ± 0.05, 95% of targets within 2 std, squared error 56.4 ± 28 "
            "(95 % interval, 600 episodes of fresh tasks)",
        ),
        (
            {"loss": None, "loss_ci95": None},
            {"family": "sinusoid"},
            "functions: meta-test squared error nan ± nan (95 % interval, 600 episodes of fresh tasks)",
        ),
        (
            {"loss": 0.01234, "loss_ci95": 0.0012},
            {"family": "grouped", "dataset": "ds_1"},
            "functions: meta-test squared error 0.0123 ± 0.0012 (95 % interval, 600 episodes of held-out tasks)",
        ),
        (
            {"loss": 1.0, "accuracy": 0.6114, "accuracy_ci95": 0.0082},
            {"family": "labelled", "dataset": "ds_1", "within_task": True},
            "functions: meta-test accuracy 61.1% ± 0.8% (95 % interval, 600 episodes of held-out tasks)",
        ),
        (
            {
                "return_step_0": -40.41,
                "return_step_2": -5.0,
                "return_step_10": -3.33,
                "return_step_10_ci95": 0.61,
            },
            {"family": "navigation"},
            "functions: meta-test return -40.4 before any inner step, -3.33 ± 0.61 after 10 "
            "(95 % interval, 600 episodes of fresh tasks)",
        ),
    ],
)
def test_the_end_tells_the_meta_test(scores, tasks, said):
    config = {"tasks": tasks, "training": {"test_episodes": 600}}
    ended = job(status="succeeded", metrics={"meta_test": scores}, config=config)
    for stream in (Terminal(), io.StringIO()):
        with display(stream) as show:
            show(job())
            show(ended)
        assert stream.getvalue().splitlines()[-1].removeprefix(CURSOR) == said
    assert meta_test(job(status="running", metrics={"meta_test": scores})) is None
    assert meta_test(job(status="succeeded", metrics={})) is None


def test_what_is_not_known_is_left_out():
    progress = {"iteration": 0, "iterations": 100, "fraction": 0.0, "eta_seconds": None}
    assert line(job(status="queued", progress=progress, metrics={})) == "functions queued 0/100 0%"


def test_lines_are_written_when_the_status_changes():
    stream = io.StringIO()
    show = PlainLines(stream, interval_s=1000)
    for status in ("queued", "running", "running", "succeeded"):
        show(job(status=status))
    assert [text.split()[1] for text in stream.getvalue().splitlines()] == ["queued", "running", "succeeded"]


def test_lines_are_written_now_and_then():
    stream = io.StringIO()
    show = PlainLines(stream, interval_s=0)
    for iteration in (10, 10, 20, 20):
        show(job(progress={"iteration": iteration, "iterations": 100, "fraction": 0.1, "eta_seconds": 9.0}))
    assert len(stream.getvalue().splitlines()) == 2


def test_a_terminal_gets_a_bar_and_a_log_gets_lines():
    terminal, log = Terminal(), io.StringIO()
    for stream in (terminal, log):
        with display(stream) as show:
            show(job())
            show(job(status="succeeded", metrics={"meta_loss": 0.25}))
    assert "\x1b[" in terminal.getvalue()
    assert "loss 0.25" in terminal.getvalue()
    assert "\x1b[" not in log.getvalue()
    assert len(log.getvalue().splitlines()) == 2
