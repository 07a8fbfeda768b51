"""Small real tables: the transformer fitted to synthetic ones, beside scikit-learn's models on the same episodes.

    python -P -m tests.benchmarks tables                               with the other suites' options
    python -P -m tests.benchmarks.tables --out FOLDER --data FOLDER    alone, with options of its own

Nothing real is ever trained on. Where no parameters are handed in, they are fitted first (`table_training`).
"""

import argparse
import os
import statistics
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from models.episode import SupportSet
from models.spec import Task
from tests.benchmarks.figures import FOLDER, Figure, Report
from tests.benchmarks.options import Options
from tests.benchmarks.small_tables import MOST_CLASSES, SIZES, Draw, Table, draws_of, tables_in
from tests.benchmarks.table_contenders import Scores, score, scores_of
from tests.benchmarks.table_training import Fitted, Settings, add_settings, fit_both, read, settings_of

OURS = "prior-fitted transformer"
METRICS = {"accuracy": True, "log_loss": False, "auc": True, "error": False}
"""Whether more is better."""
_NAMES = {"logistic regression": "linear", "ridge regression": "linear"}

Cell = tuple[str, int]
"""A table and a number of labelled rows."""
Means = dict[Cell, Scores]


class Plan(NamedTuple):
    """`weights` is a folder of parameters that were fitted before; None to fit them by `settings`."""

    data: Path
    out: Path
    weights: Path | None
    settings: Settings
    draws: int = 20
    seed: int = 0
    processes: int = 1


def measure(options: Options) -> Report:
    """The suite among the others: what was fitted before, in `options.weights`, or fitted here and now."""
    if options.data is None:
        sys.exit("tables needs --data, a folder whose folder `tabular` holds cls_*.csv.gz and reg_*.csv.gz")
    plan = Plan(
        data=options.data / "tabular",
        out=FOLDER,
        weights=options.weights,
        settings=Settings(seconds=options.minutes * 40, regression_seconds=options.minutes * 20),
        seed=options.seed,
        processes=os.cpu_count() or 1,
    )
    return run(plan)


def run(plan: Plan, fitted: dict[Task, Fitted] | None = None) -> Report:
    """Contenders in processes of their own, while ours is fitted; of what is `fitted`, on its tables alone."""
    tables = [table for table in tables_in(plan.data) if fitted is None or _task(table) in fitted]
    cells = [(table, size) for table in tables for size in SIZES]
    with ProcessPoolExecutor(plan.processes, get_context("spawn")) as pool:
        # The long ones first: many classes, many rows.
        order = sorted(cells, key=lambda cell: -cell[1] * (1 + cell[0].classes * len(set(cell[0].targets))))
        theirs = {
            (table.name, size): pool.submit(scores_of, plan.data, table.name, size, plan.draws, plan.seed)
            for table, size in order
        }
        if fitted is None:
            fitted = read(plan.weights) if plan.weights else fit_both(plan.settings, plan.out)
        ours = {
            (table.name, size): our_scores(fitted[_task(table)], table, size, plan, plan.settings.device)
            for table, size in cells
        }
        means: Means = {}
        for cell, found in theirs.items():
            drawn = [{**one, OURS: own} for one, own in zip(found.result(), ours[cell], strict=True)]
            means[cell] = _means(drawn)
    in_order = {(table.name, size): means[table.name, size] for table, size in cells}
    return report_of(in_order, plan, fitted)


def our_scores(fitted: Fitted, table: Table, size: int, plan: Plan, device: str) -> list[dict[str, float]]:
    """Of each episode, with the table's own number of columns."""
    learner = fitted.learner(table.inputs.shape[1])
    params = {name: value.to(device) for name, value in fitted.params.items()}
    found = []
    for draw in draws_of(table, size, plan.draws, plan.seed):
        with torch.no_grad():
            adapted = learner.adapt(params, _support(draw, device))
            asked = torch.tensor(draw.query_x, dtype=torch.float32, device=device)
            outputs = learner.predict(params, adapted, asked)
        if draw.classes:
            ways = int(draw.support_y.max()) + 1
            answer = torch.softmax(outputs["logits"], -1)[:, :ways]
        else:
            answer = outputs["mean"][:, 0]
        found.append(score(draw, answer.double().cpu().numpy()))
    return found


def report_of(means: Means, plan: Plan, fitted: dict[Task, Fitted] | None = None) -> Report:
    """Ranks of every metric; the gate is on accuracy and error together, each table and size counting once."""
    gated = _ranks(means, ("accuracy", "error"))
    figures = [_rank_figure("mean rank, all tables and sizes", gated, gate=True)]
    for metric, what in (
        ("accuracy", "classes, by accuracy"),
        ("auc", "classes, by area under the curve"),
        ("log_loss", "classes, by log loss"),
        ("error", "numbers, by root mean squared error"),
    ):
        ranks = _ranks(means, (metric,))
        if ranks:
            figures.append(_rank_figure(f"mean rank, {what}", ranks))
    for size in SIZES:
        figures.append(
            _rank_figure(
                f"mean rank, {size} labelled rows",
                _ranks({cell: one for cell, one in means.items() if cell[1] == size}, ("accuracy", "error")),
            )
        )
    figures += _cell_figures(means)
    return Report(
        suite="tables",
        title="Small tables",
        how=(
            f"{plan.draws} draws of 8, 16, 32 and 64 labelled rows of each table, at most 200 others to predict; "
            "the rank among five of the mean score of a table and size, then the mean of the ranks. Contenders are "
            "scikit-learn's by their usual settings, standardised where they need it. Of a table with more classes "
            f"than {MOST_CLASSES}, or than half of the labelled rows, each draw takes as many at random, and "
            "one labelled row at least of each, for all alike. letter and segmentation lost their repeated rows, "
            "bodyfat the column that its target is computed from. The transformer, which weighs closed-form heads, "
            f"has seen synthetic tables alone{_fitting(fitted or {})}."
        ),
        seed=plan.seed,
        scale={"draws": plan.draws},
        figures=figures,
        series={
            "cells": [
                {"table": table, "size": size, "scores": scores} for (table, size), scores in means.items()
            ]
        },
        device=plan.settings.device,
    )


def _fitting(fitted: dict[Task, Fitted]) -> str:
    return "".join(
        f", {one.tables:,} of {'classes' if task == 'classification' else 'numbers'} in {one.seconds:.0f} s"
        for task, one in fitted.items()
    )


def _task(table: Table) -> Task:
    return "classification" if table.classes else "regression"


def _support(draw: Draw, device: str) -> SupportSet:
    inputs = torch.tensor(draw.support_x, dtype=torch.float32, device=device)
    mask = torch.ones(len(inputs), device=device)
    if not draw.classes:
        targets = torch.tensor(draw.support_y, dtype=torch.float32, device=device).unsqueeze(-1)
        return SupportSet(inputs, targets, mask, torch.ones(0, device=device))
    targets = torch.tensor(draw.support_y, dtype=torch.int64, device=device)
    class_mask = (torch.arange(MOST_CLASSES, device=device) <= targets.max()).float()
    return SupportSet(inputs, targets, mask, class_mask)


def _means(drawn: Sequence[Scores]) -> Scores:
    """Over the episodes; NaN where a score was not to be had does not count."""
    return {
        _NAMES.get(name, name): {
            metric: float(np.nanmean([one[name][metric] for one in drawn])) for metric in drawn[0][name]
        }
        for name in drawn[0]
    }


def _ranks(means: Means, metrics: Sequence[str]) -> dict[str, float]:
    """Each contender's mean rank over the cells that have one of the metrics; equals share their ranks."""
    ranks: dict[str, list[float]] = {}
    for scores in means.values():
        for metric in metrics:
            if metric not in scores[OURS]:
                continue
            sign = -1 if METRICS[metric] else 1
            values = {name: sign * one[metric] for name, one in scores.items()}
            for name, value in values.items():
                below = sum(other < value for other in values.values())
                equal = sum(other == value for other in values.values())
                ranks.setdefault(name, []).append(below + (equal + 1) / 2)
    return {name: statistics.mean(found) for name, found in ranks.items()}


def _rank_figure(what: str, ranks: dict[str, float], *, gate: bool = False) -> Figure:
    others = {name: rank for name, rank in ranks.items() if name != OURS}
    beside = ", ".join(f"{name} {rank:.2f}" for name, rank in sorted(others.items(), key=lambda one: one[1]))
    return Figure(what=what, value=ranks[OURS], at_most=min(others.values()) if gate else None, beside=beside)


def _cell_figures(means: Means) -> Iterator[Figure]:
    for (table, size), scores in means.items():
        metric = "accuracy" if "accuracy" in scores[OURS] else "error"
        others = ", ".join(f"{name} {one[metric]:.3f}" for name, one in scores.items() if name != OURS)
        yield Figure(
            what=f"{table}, {size} rows: {metric}", value=round(scores[OURS][metric], 4), beside=others
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="a folder of cls_*.csv.gz and reg_*.csv.gz")
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--weights", type=Path, help="a folder of parameters that were fitted before")
    parser.add_argument("--draws", type=int, default=20)
    parser.add_argument("--processes", type=int, default=max(1, (os.cpu_count() or 1) - 3))
    add_settings(parser)
    given = parser.parse_args()
    settings = settings_of(given)
    plan = Plan(given.data, given.out, given.weights, settings, given.draws, settings.seed, given.processes)
    report = run(plan)
    report.write(given.out)
    for figure in report.figures:
        print(f"{figure.what}: {figure.measured} {figure.gate}  ({figure.beside})")


if __name__ == "__main__":
    main()
