"""What one process is told to run, the next one runs."""

import argparse
from pathlib import Path

from tests.benchmarks.options import Options, add_options, options_of


def parsed(words: list[str]) -> Options:
    parser = argparse.ArgumentParser()
    add_options(parser)
    return options_of(parser.parse_args(words))


def test_options_survive_a_command_line() -> None:
    changed = Options(
        seed=3,
        rounds=2,
        seconds=0.5,
        patience=1.5,
        models=10,
        requests=20,
        minutes=0.25,
        iterations=5,
        seeds=2,
    )
    for options in (Options(), changed, changed._replace(compiled=Path("/some/where"))):
        assert parsed(options.words()) == options


def test_nothing_said_is_what_the_figures_are_told_for() -> None:
    assert parsed([]) == Options()
