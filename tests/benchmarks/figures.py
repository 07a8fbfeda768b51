"""Figures beside their gates, and the report of a suite that holds them. Knows text and JSON; measures nothing."""

import math
import platform
import statistics
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from os import cpu_count
from pathlib import Path
from typing import Any

import msgspec

TIMES = "\N{MULTIPLICATION SIGN}"
FOLDER = Path(__file__).parents[2] / "docs" / "benchmarks"


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One row: what was measured, what it came to, what it has to be, and what stands beside it.

    `value` is in `unit`; a figure without a bound is told for what it is. `aim` is where the gate should move.
    `beside` is what gives the number its size: the floor under it, the rounds' spread, the plan in use.
    """

    what: str
    value: float | None  # None, as JSON has it, becomes NaN: there is no figure
    unit: str = ""
    at_least: float | None = None
    at_most: float | None = None
    aim: float | None = None
    beside: str = ""

    def __post_init__(self) -> None:
        if self.value is None:
            msgspec.structs.force_setattr(self, "value", math.nan)

    @property
    def measured(self) -> str:
        return f"{number(self.value)}{self.unit}"

    @property
    def gate(self) -> str:
        sign, bound = ("≥", self.at_least) if self.at_least is not None else ("≤", self.at_most)
        if bound is None:
            return ""
        aim = "" if self.aim is None else f" (aim {number(self.aim)}{self.unit})"
        return f"{sign} {number(bound)}{self.unit}{aim}"

    @property
    def held(self) -> bool:
        """NaN holds no gate."""
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)


class Report(msgspec.Struct, kw_only=True):
    """What one suite measured, when, on what, and by which scale; `series` holds what its picture is drawn from."""

    suite: str
    title: str
    how: str
    seed: int
    scale: dict[str, Any]
    figures: list[Figure]
    series: dict[str, Any] = {}
    date: str = ""
    device: str = "cpu"
    cpus: int = 0
    machine: str = ""
    python: str = ""
    torch: str = ""

    def __post_init__(self) -> None:
        """What is not given is this moment and this machine."""
        self.date = self.date or f"{datetime.now(UTC):%Y-%m-%d}"
        self.cpus = self.cpus or cpu_count() or 1
        self.machine = self.machine or platform.machine()
        self.python = self.python or platform.python_version()
        self.torch = self.torch or version("torch")

    @property
    def held(self) -> bool:
        return all(figure.held for figure in self.figures)

    @property
    def circumstances(self) -> str:
        """One line: the machine, the date, and how much was run."""
        scale = ", ".join(f"{name} {given}" for name, given in self.scale.items())
        machine = f"{self.cpus} CPU cores ({self.machine}), device {self.device}"
        versions = f"Python {self.python}, torch {self.torch}"
        return f"{self.date}, {machine}, {versions}, seed {self.seed}{scale and '; '}{scale}."

    def write(self, folder: Path = FOLDER) -> Path:
        """The report as `<suite>.json`."""
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{self.suite}.json"
        path.write_bytes(msgspec.json.format(msgspec.json.encode(self), indent=1) + b"\n")
        return path


def read_report(path: Path) -> Report:
    """Raises msgspec.DecodeError for a file of another form."""
    return msgspec.json.decode(path.read_bytes(), type=Report)


def number(value: float) -> str:
    """Four digits at least, thousands parted; no decimals where there are as many before the point."""
    if abs(value) >= 1000 or float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.4g}"


def spread(rounds: Sequence[float]) -> str:
    """The lowest and the highest of several rounds."""
    return f"{len(rounds)} rounds {number(min(rounds))} to {number(max(rounds))}" if len(rounds) > 1 else ""


def ratio(
    what: str,
    ours: Sequence[float],
    others: Sequence[float],
    *,
    at_least: float | None = None,
    at_most: float | None = None,
    aim: float | None = None,
    beside: str = "",
) -> Figure:
    """Ours against another's, round by round; the median of the rounds is the figure."""
    ratios = [one / other for one, other in zip(ours, others, strict=True)]
    beside = "; ".join(part for part in (beside, spread(ratios)) if part)
    return Figure(
        what=what,
        value=statistics.median(ratios),
        unit=TIMES,
        at_least=at_least,
        at_most=at_most,
        aim=aim,
        beside=beside,
    )


def rows_of(figures: Sequence[Figure]) -> list[str]:
    """A Markdown table."""
    rows = ["| what | measured | gate | held | beside it |", "|---|---|---|---|---|"]
    for one in figures:
        held = "" if not one.gate else "yes" if one.held else "**no**"
        rows.append(f"| {one.what} | {one.measured} | {one.gate} | {held} | {one.beside} |")
    return rows
