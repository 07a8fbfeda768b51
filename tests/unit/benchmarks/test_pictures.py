"""Every suite's picture can be drawn from its report's file alone."""

from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks.figures import Figure, Report, read_report
from tests.benchmarks.pictures.drawing import draw
from tests.unit.benchmarks.test_page import META_TRAINING

ROUNDS = {"rate": [100.0, 120.0], "p50": [1.0, 1.2], "p99": [3.0, 4.0]}
CONTENDERS = {"ours": ROUNDS, "bare": ROUNDS, "plain": ROUNDS}
WORKS = ("adapt, 64 clients", "predict, 64 clients", "adapt, 1 client", "predict, 1 client")
MILLION = [
    Figure(what="in memory, each", value=650, unit=" B", at_most=1116),
    Figure(what="on disk, each", value=1200, unit=" B", at_most=1008),
    Figure(what="cold prediction, p99", value=20, unit=" ms", at_most=30),
]
RETURNS = {f"return_step_{step}": -40.0 / (step + 1) for step in range(4)}
SERIES: dict[str, dict[str, Any]] = {
    "service": {},
    "serving": {"works": dict.fromkeys(WORKS, CONTENDERS)},
    "tiers": {
        "times_the_tier": [1, 4],
        "rates": [[100.0, 110.0], [80.0, 70.0]],
        "hits": [{"host": 9.0}, {"host": 5.0, "store": 4.0}],
        "gated": 4,
    },
    "million": {"raw": 408, "latencies": {"cold prediction": [1.0, 2.0, 20.0]}},
    "invariance": {"distances": [0.0, 1e-8, 2e-7], "gate": 1e-5},
    "meta_training": META_TRAINING,
    "tables": {
        "cells": [
            {
                "table": table,
                "size": size,
                "scores": {"linear": {metric: 0.5}, "prior-fitted transformer": {metric: 0.6}},
            }
            for table, metric in (("iris", "accuracy"), ("diabetes", "error"))
            for size in (8, 16)
        ]
    },
    "navigation": {
        "runs": [{"scores": RETURNS, "curve": [{"iteration": 10 * number, **RETURNS} for number in range(3)]}]
    },
    "cheetah_direction": {"runs": [{"scores": RETURNS, "curve": [{"iteration": 1, **RETURNS}]}]},
    "cheetah_velocity": {"runs": [{"scores": RETURNS, "curve": [{"iteration": 1, **RETURNS}]}]},
    "lifetime": {
        "discounts": [[0.9, 0.5, 0.4], [0.9, 0.95, 0.97]],
        "seasons": [[0, 0, 1], [1, 1, 1]],
        "every": 10,
        "adapted": {"returns": [30.0, 31.0], "by_season": [30.0, 31.0]},
        "fixed": [{"discount": 0.9, "inner_lr": 0.1, "returns": [29.0, 30.0], "by_season": [25.0, 31.0]}],
    },
    "soak": {"memory": {"api": [1e8, 1.01e8], "engine": [3e8, 3e8]}, "minutes": 1.0},
}


@pytest.mark.parametrize("suite", SERIES)
def test_a_picture_is_drawn(suite: str, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    figures = MILLION if suite == "million" else [*MILLION, Figure(what="wrong", value=1, at_most=0)]
    report = Report(suite=suite, title=suite, how="", seed=0, scale={}, figures=figures, series=SERIES[suite])
    path = tmp_path / "picture.png"
    draw(read_report(report.write(tmp_path)), path)
    assert path.read_bytes().startswith(b"\x89PNG")
    assert path.stat().st_size > 10_000
