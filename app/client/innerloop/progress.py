"""Shows a job's progress to a person: a rich bar on a terminal where rich is installed, plain lines elsewhere."""

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, Protocol, TextIO

from .schemas.jobs import JobResponse

PLAIN_INTERVAL_S = 5.0


class Display(Protocol):
    """Called with the job's newest state whenever it was looked at."""

    def __call__(self, job: JobResponse) -> None: ...


@contextmanager
def display(stream: TextIO | None = None) -> Iterator[Display]:
    """The display that suits `stream` (stderr unless given), cleaned up at the end."""
    stream = stream or sys.stderr
    rich = _rich_progress(stream) if stream.isatty() else None
    show = PlainLines(stream) if rich is None else _RichBar(rich)
    with rich or nullcontext():
        yield show
    verdict = meta_test(show.newest) if show.newest else None
    if verdict:
        print(verdict, file=stream, flush=True)


class PlainLines:
    """A line whenever the status changes, and every few seconds while something does: for logs and for CI."""

    def __init__(self, stream: TextIO, interval_s: float = PLAIN_INTERVAL_S) -> None:
        self._stream = stream
        self._interval = interval_s
        self.newest: JobResponse | None = None
        self._status: str | None = None
        self._line = ""
        self._written = 0.0

    def __call__(self, job: JobResponse) -> None:
        self.newest = job
        now, said = time.monotonic(), line(job)
        early = now - self._written < self._interval
        if job.status == self._status and (early or said == self._line):
            return
        self._status, self._line, self._written = job.status, said, now
        print(said, file=self._stream, flush=True)


class _RichBar:
    def __init__(self, progress: Any) -> None:
        self._progress = progress
        self.newest: JobResponse | None = None
        self._task = progress.add_task("queued", total=None, note="")

    def __call__(self, job: JobResponse) -> None:
        self.newest = job
        total = job.progress.iterations or None
        self._progress.update(
            self._task,
            description=f"{job.model} {job.status}",
            completed=job.progress.iteration,
            total=total,
            note=_note(job),
        )


def line(job: JobResponse) -> str:
    """One line about a job: `functions running 1200/10000 12% loss 0.41 ETA 31 s`."""
    share = f"{job.progress.iteration}/{job.progress.iterations} {job.progress.fraction:.0%}"
    return " ".join(filter(None, [job.model, job.status, share, _note(job)]))


def loss_of(metrics: dict[str, Any]) -> float | None:
    """The meta-training loss among a job's metrics."""
    loss = metrics.get("meta_loss")
    return float(loss) if isinstance(loss, int | float) else None


def meta_test(job: JobResponse) -> str | None:
    """What a job that succeeded is worth: its score on tasks that it did not train on."""
    scores = job.metrics.get("meta_test")
    if job.status != "succeeded" or not isinstance(scores, dict):
        return None
    # What is not finite is null in JSON.
    scores = {name: math.nan if value is None else value for name, value in scores.items()}
    tasks = job.config.get("tasks", {})
    of = "held-out tasks" if tasks.get("dataset") else "fresh tasks"
    if tasks.get("family") == "labelled" and not tasks.get("within_task"):
        of = "held-out classes"
    episodes = job.config.get("training", {}).get("test_episodes")
    counted = f"{episodes} episodes of {of}" if episodes else of
    said = []
    if "accuracy" in scores:
        said.append(f"accuracy {scores['accuracy']:.1%} ± {scores.get('accuracy_ci95', 0.0):.1%}")
    elif "loss" in scores:
        # Tasks of very different scales have no one scale of error; how it is spread says more, where it is known.
        if "nll" in scores:
            said.append(f"nll {scores['nll']:.3g} ± {scores.get('nll_ci95', 0.0):.2g}")
        if "coverage" in scores:
            said.append(f"{scores['coverage']:.0%} of targets within 2 std")
        said.append(f"squared error {scores['loss']:.3g} ± {scores.get('loss_ci95', 0.0):.2g}")
    elif "return_step_0" in scores:
        steps = [name for name in scores if name.startswith("return_step_") and not name.endswith("_ci95")]
        last = max(steps, key=lambda name: int(name.removeprefix("return_step_")))
        number = last.removeprefix("return_step_")
        said.append(f"return {scores['return_step_0']:.3g} before any inner step")
        said.append(f"{scores[last]:.3g} ± {scores.get(f'{last}_ci95', 0.0):.2g} after {number}")
    return f"{job.model}: meta-test {', '.join(said)} (95 % interval, {counted})" if said else None


def loss_name(metrics: dict[str, Any]) -> str:
    """What the meta-loss is: every learner that has a likelihood reports it, every classifier its accuracy."""
    if "nll" in metrics:
        return "nll"
    if "accuracy" in metrics:
        return "cross-entropy"
    return "squared error" if "loss" in metrics else "loss"


def _note(job: JobResponse) -> str:
    loss, eta = loss_of(job.metrics), job.progress.eta_seconds
    parts = [f"{loss_name(job.metrics)} {loss:.4g}" if loss is not None else ""]
    if job.status == "running" and 0 < job.progress.iterations <= job.progress.iteration:
        parts.append("meta-testing")  # which takes its time too, and the ETA is of the training alone
    elif eta is not None and job.status == "running":
        parts.append(f"ETA {_duration(eta)}")
    return " ".join(filter(None, parts))


def _duration(seconds: float) -> str:
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _rich_progress(stream: TextIO) -> Any:
    """A rich Progress, or None where rich is not installed."""
    try:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    except ImportError:
        return None
    # The service's own ETA is shown: it knows of restarts and pauses, which a bar seen from here does not.
    return Progress(
        TextColumn("{task.description}"),
        # Without colours of its own the bar is red, and a red bar says that something went wrong.
        BarColumn(complete_style="cyan", finished_style="green", pulse_style="cyan"),
        MofNCompleteColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TextColumn("{task.fields[note]}", style="cyan"),
        console=Console(file=stream),
    )
