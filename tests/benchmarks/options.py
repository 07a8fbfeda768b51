"""How much of everything a suite runs. Plain values with the defaults that the figures are told for."""

import argparse
from pathlib import Path
from typing import NamedTuple


class Options(NamedTuple):
    """`rounds` of `seconds` each alternate between contenders; a suite waits `patience` seconds for its compiler.

    `models` is for the million, `requests` for invariance, `minutes` for the soak, `seeds` and `iterations` (the
    recipes' own where there are none) for the quality of training. `compiled` keeps compiled programs from one
    suite to the next; `data` is a folder of data sets that are not part of the project. `weights` is a folder of
    what was fitted for `tables` before; without it `tables` fits for `minutes`. `alphabets` and the
    cheetahs keep their state there, and go on from it.
    """

    seed: int = 0
    rounds: int = 5
    seconds: float = 3.0
    patience: float = 600.0
    models: int = 1_000_000
    requests: int = 10_000
    minutes: float = 10.0
    seeds: int = 3
    iterations: int | None = None
    compiled: Path | None = None
    data: Path | None = None
    weights: Path | None = None

    def words(self) -> list[str]:
        """The command line that says the same."""
        given = [(name, value) for name, value in self._asdict().items() if value is not None]
        return [word for name, value in given for word in (f"--{name}", str(value))]


def add_options(parser: argparse.ArgumentParser) -> None:
    plain = Options()
    parser.add_argument("--seed", type=int, default=plain.seed)
    parser.add_argument("--rounds", type=int, default=plain.rounds, help="in which contenders take turns")
    parser.add_argument("--seconds", type=float, default=plain.seconds, help="of load in each turn")
    parser.add_argument(
        "--patience",
        type=float,
        default=plain.patience,
        help="seconds to wait for compiled programs, a suite",
    )
    parser.add_argument("--models", type=int, default=plain.models, help="adapted models of `million`")
    parser.add_argument("--requests", type=int, default=plain.requests, help="of `invariance`")
    parser.add_argument("--seeds", type=int, default=plain.seeds, help="that a quality is the mean of")
    parser.add_argument("--iterations", type=int, help="of every training, instead of the recipe's")
    parser.add_argument(
        "--minutes", type=float, default=plain.minutes, help="of load in `soak`, or of fitting in `tables`"
    )
    parser.add_argument("--compiled", type=Path, help="a folder that keeps compiled programs for another run")
    parser.add_argument("--data", type=Path, help="a folder of data sets, for those suites that need one")
    parser.add_argument("--weights", type=Path, help="a folder of what was fitted before")


def options_of(given: argparse.Namespace) -> Options:
    return Options(**{name: getattr(given, name) for name in Options._fields})
