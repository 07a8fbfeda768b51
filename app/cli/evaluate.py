"""`innerloop evaluate`: test a version as a background job of the service, and show what came of it."""

import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.jobs import wait_for
from app.cli.options import Json, Url, connect
from app.cli.output import print_json, print_table
from innerloop import InvalidInput

if TYPE_CHECKING:
    from innerloop import Job

# What rows are shown by, and the scores in the order of their columns.
_SHARES = ("accuracy", "coverage")
_SCORES = ("accuracy", "loss", "nll", "coverage", "return")


def evaluate(
    model: Annotated[str, typer.Argument(help="A version: name, name@alias or name@3.")],
    episodes: Annotated[
        int | None, typer.Option(help="Tasks to draw; 600 unless given, 40 for a policy.", min=1, max=10_000)
    ] = None,
    seed: Annotated[int, typer.Option(help="What they are drawn from.", min=0)] = 0,
    dataset: Annotated[
        str | None, typer.Option(help="Draw them from this dataset, not from the version's own tasks.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw it into this file, such as letters.png.", dir_okay=False)
    ] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Test a version on tasks that it was not trained on: scores, calibration, more shots, more steps.

    innerloop evaluate functions@1 --episodes 600 --picture functions.png
    """
    if picture is not None:
        _check_picture(picture)
    with connect(url) as client:
        job = wait_for(client.evaluate(model, episodes, seed=seed, dataset=dataset))
    if picture is not None:
        from app.cli.evaluation_picture import draw

        each = " of each class" if job.config.get("tasks", {}).get("family") == "labelled" else ""
        draw(job.metrics, _title(job), picture, f"support examples{each}")
    if as_json:
        print_json(job.response)
        return
    print(_title(job))
    print_table(("", "score", "95 % interval"), _scores(job.metrics), "")
    for name, rows in (("shots", job.metrics.get("per_shot")), ("steps", job.metrics.get("per_step"))):
        if rows:
            columns, cells = _table(name, rows)
            print_table(columns, cells, "")
    if picture is not None:
        print(f"drawn in {picture}")


def _check_picture(path: Path) -> None:
    """Before the service works for minutes, and not after."""
    try:
        from matplotlib import figure
    except ImportError as error:
        raise InvalidInput(
            "--picture needs matplotlib: pip install matplotlib (the extra `plots`)"
        ) from error
    kinds = figure.Figure().canvas.get_supported_filetypes()
    if path.suffix.lower().removeprefix(".") not in kinds:
        raise InvalidInput(f"--picture {path}: end its name in one of .{', .'.join(sorted(kinds))}")
    if not path.parent.is_dir():
        raise InvalidInput(f"--picture {path}: there is no folder {path.parent}")


def _title(job: "Job") -> str:
    result, config = job.result, job.config
    assert result is not None
    tasks = config.get("tasks", {})
    of = tasks.get("dataset") or tasks.get("family") or "its tasks"
    side = "every class" if config.get("whole") else "held out" if tasks.get("dataset") else "fresh tasks"
    sizes = f" ({size})" if (size := _size(tasks)) else ""
    return f"{result.model}@{result.version}: {config.get('episodes')} episodes of {of}, {side}{sizes}"


def _size(tasks: Mapping[str, Any]) -> str:
    """How hard an episode of labelled classes is, without which its accuracy says nothing; else nothing."""
    if "n_way" not in tasks:
        return ""
    way, shot = tasks.get("max_way"), tasks.get("max_shot")
    shots = f"{tasks.get('min_shot') or 1} to {shot} shots" if shot else f"{tasks.get('n_shot')}-shot"
    if way:
        return f"{tasks.get('min_way') or 2} to {way} ways, {shots}"
    return f"{tasks['n_way']}-way, {shots}, guessing has {1 / tasks['n_way']:.1%}"


def _scores(metrics: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    for name, value in metrics.items():
        # A policy's returns are all in the table by steps.
        if f"{name}_ci95" in metrics and not name.startswith("return_"):
            yield name.replace("_", " "), _number(name, value), f"± {_number(name, metrics[f'{name}_ci95'])}"
    calibration = metrics.get("calibration")
    if calibration:
        yield f"calibration error ({calibration['kind']})", f"{calibration['error']:.2%}", ""


def _table(name: str, rows: list[dict[str, Any]]) -> tuple[list[str], list[list[str]]]:
    scores = [score for score in _SCORES if score in rows[0]]
    cells = [
        [
            str(row[name]),
            *(f"{_number(score, row[score])} ± {_number(score, row[f'{score}_ci95'])}" for score in scores),
        ]
        for row in rows
    ]
    return [name, *scores], cells


def _number(name: str, value: float | None) -> str:
    """What is not finite is null in JSON."""
    value = math.nan if value is None else value
    return f"{value:.2%}" if name in _SHARES else f"{value:.4g}"
