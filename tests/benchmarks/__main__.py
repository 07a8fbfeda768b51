"""Every benchmark, or those that are named: one table, docs/benchmarks.md, and a JSON and a picture for each.

    python -P -m tests.benchmarks                    everything that a CPU can do
    python -P -m tests.benchmarks serving tiers      these

Each suite runs in a process of its own. Times are this machine's, and only say something about an idle one.
"""

import argparse
import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from app.cli.child_server import ending_on_signals
from tests.benchmarks import page
from tests.benchmarks.figures import FOLDER, Report
from tests.benchmarks.options import Options, add_options, options_of
from tests.benchmarks.pictures.drawing import draw
from tests.benchmarks.progress import say

SUITES = (
    "service",
    "serving",
    "tiers",
    "million",
    "invariance",
    "soak",
    "four_points",
    "students",
    "sinusoid_quality",
    "omniglot",
    "alphabets",
    "digits",
    "clinc",
    "clinc_labels",
    "clinc_names",
    "tables",
    "table_recipe",
    "recipe_times",
    "navigation",
    "cheetah_direction",
    "cheetah_velocity",
    "lifetime",
    "gpu",
)
OWN_COMMANDS = ("meta_training", "meta_training_gpu")
"""Suites that write their own JSON when they are run as modules."""
NEED_DATA = ("students",)
"""Suites that are run where --data is given."""
NAMED = (
    "gpu",
    "meta_training_gpu",
    "omniglot",
    "alphabets",
    "digits",
    "clinc",
    "clinc_labels",
    "clinc_names",
    "table_recipe",
    "recipe_times",
    "cheetah_direction",
    "cheetah_velocity",
)
"""Suites that are run when they are named: on a GPU, or for long."""


def run_here(suite: str, options: Options) -> Report:
    """Measure one suite in this process, and write its JSON and its picture."""
    report: Report = importlib.import_module(f"tests.benchmarks.{suite}").measure(options)
    report.write()
    draw(report, FOLDER / f"{suite}.png")
    return report


def run_apart(suite: str, options: Options) -> bool:
    """Run one suite as a process; whether its gates held."""
    command = [sys.executable, "-P", "-m"]
    command += (
        [f"tests.benchmarks.{suite}"] if suite in OWN_COMMANDS else ["tests.benchmarks", "--alone", suite]
    )
    words = [] if suite in OWN_COMMANDS else options.words()
    process = subprocess.Popen([*command, *words], stdout=sys.stderr)
    try:
        held = process.wait() == 0
    finally:
        # It has processes of its own to end.
        process.terminate()
        process.wait()
    if suite in OWN_COMMANDS and (FOLDER / f"{suite}.json").exists():
        draw(page.meta_training_report(FOLDER / f"{suite}.json"), FOLDER / f"{suite}.png")
    return held


def there_is(suite: str) -> bool:
    return importlib.util.find_spec(f"tests.benchmarks.{suite}") is not None


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    known = [suite for suite in (*SUITES, *OWN_COMMANDS) if there_is(suite)]
    parser.add_argument(
        "suites",
        nargs="*",
        metavar="suite",
        help=f"of {', '.join(known)}; all that need no GPU and no data without",
    )
    parser.add_argument("--alone", action="store_true", help=argparse.SUPPRESS)
    add_options(parser)
    given = parser.parse_args()
    if unknown := set(given.suites) - set(known):
        parser.error(f"no suite {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    options = options_of(given)
    left_out = (*NAMED, *(() if options.data else NEED_DATA))
    wanted = given.suites or [suite for suite in known if suite not in left_out]
    with ending_on_signals(), TemporaryDirectory() as scratch:
        if given.alone:
            sys.exit(0 if run_here(wanted[0], options).held else 1)
        options = options._replace(compiled=options.compiled or Path(scratch) / "compiled")
        missed = []
        for suite in wanted:
            say(f"suite {suite}")
            if not run_apart(suite, options):
                missed.append(suite)
    print(page.write(wanted))
    if missed:
        sys.exit(f"a gate was missed, or the suite failed: {', '.join(missed)}")


if __name__ == "__main__":
    main()
