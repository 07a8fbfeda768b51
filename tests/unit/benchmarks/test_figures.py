"""Figures hold their gates or do not, and reports come back from their files as they were."""

from pathlib import Path

import pytest

from tests.benchmarks.figures import Figure, Report, number, ratio, read_report, rows_of


def a_report(suite: str = "serving", **changes: object) -> Report:
    figures = [
        Figure(what="rate", value=1234.5, unit="/s"),
        Figure(what="late", value=3, unit=" ms", at_most=2),
    ]
    given = {"title": "Serving", "how": "Over HTTP.", "seed": 3, "scale": {"rounds": 5}, "figures": figures}
    return Report(suite=suite, **{**given, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("figure", "held", "gate"),
    [
        (Figure(what="", value=8, unit="x", at_least=8), True, "≥ 8x"),
        (Figure(what="", value=7.9, unit="x", at_least=8, aim=9), False, "≥ 8x (aim 9x)"),
        (Figure(what="", value=1e-5, at_most=1e-5), True, "≤ 1e-05"),
        (Figure(what="", value=1, at_most=0), False, "≤ 0"),
        (Figure(what="", value=float("nan"), at_most=2), False, "≤ 2"),
        (Figure(what="", value=float("nan"), at_least=2), False, "≥ 2"),
        (Figure(what="", value=1e9), True, ""),
    ],
)
def test_a_figure_and_its_gate(figure: Figure, held: bool, gate: str) -> None:
    assert (figure.held, figure.gate) == (held, gate)


def test_numbers_are_told_with_the_digits_that_count() -> None:
    assert [number(value) for value in (1234567.8, 1000, 12, 0.5, 0.123456, 2.5e-7)] == [
        "1,234,568",
        "1,000",
        "12",
        "0.5",
        "0.1235",
        "2.5e-07",
    ]


def test_not_a_number_is_told_as_such() -> None:
    assert number(float("nan")) == "nan"


def test_a_ratio_is_the_median_of_the_rounds_ratios_and_not_of_their_rates() -> None:
    figure = ratio("ours", [10, 30, 20], [100, 100, 10], at_least=0.3, beside="bare")
    assert figure.value == pytest.approx(0.3)
    assert figure.held
    assert figure.beside == "bare; 3 rounds 0.1 to 2"


def test_rounds_that_do_not_match_are_refused() -> None:
    with pytest.raises(ValueError, match="zip"):
        ratio("ours", [1, 2], [1])


def test_a_report_comes_back_from_its_file(tmp_path: Path) -> None:
    report = a_report(series={"rates": [1.5, 2.5]})
    path = report.write(tmp_path / "new")
    assert path.name == "serving.json"
    assert read_report(path) == report
    assert report.cpus >= 1
    assert report.python.startswith("3.")
    assert report.torch


def test_a_report_holds_where_every_figure_does() -> None:
    assert not a_report().held
    assert a_report(figures=[Figure(what="rate", value=1)]).held


def test_the_table_says_which_gate_was_missed() -> None:
    rows = rows_of(a_report().figures)
    assert rows[2] == "| rate | 1,234/s |  |  |  |"
    assert rows[3] == "| late | 3 ms | ≤ 2 ms | **no** |  |"
