import io

import pytest

from innerloop.progress import PlainLines, display, line
from innerloop.schemas.jobs import JobResponse
from tests import answers


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
    for _ in range(3):
        show(job())
    assert len(stream.getvalue().splitlines()) == 3


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
