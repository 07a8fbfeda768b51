"""Omniglot's gates: characters among random others by prototypes and by MAML, and characters within an alphabet.

    python -P -m tests.benchmarks omniglot --data DIR          the recipes as they are, 60 CPU-minutes each
    python -P -m tests.benchmarks.omniglot --data DIR --device cuda --seconds 240 --out FOLDER
    python -P -m tests.benchmarks.omniglot --data DIR --seconds 60 --tiny --only omniglot-maml

The second form trains larger networks for a share of the seconds each, takes as many outer steps as that allows,
and keeps what it trained; it needs torch, numpy and msgspec alone. DIR holds omniglot_background.npz.
"""

import argparse
import math
import sys
import time
import traceback
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
import torch

from models.precision import set_precision
from models.spec import MamlSpec
from models.tasks.labelled_data import LabelledData
from tests.benchmarks import few_shot
from tests.benchmarks.figures import FOLDER, Figure, Report, rows_of
from tests.benchmarks.options import Options

FILE = "omniglot_background.npz"
EPISODES = 1000
TEST_SEED = 1 << 31  # apart from the episodes of the same seed that training draws
VIEWS = (1, 9)
MAML_STEPS = (1, 5, 10)


class Gate(NamedTuple):
    """A recipe, its share of the time, what changes on a GPU, and what is asked of it: ways, bound and aim."""

    recipe: str
    share: float
    on_gpu: Mapping[str, Any]
    ways: Mapping[int, tuple[float, float | None]]


GATES = (
    Gate(
        "omniglot-protonet",
        0.17,
        {"learner": {"network": {"width": 0.5}}, "training": {"meta_lr": 0.001}},
        {5: (98.5, None), 20: (95.5, None)},
    ),
    Gate(
        "omniglot-within-alphabet",
        0.45,
        {"learner": {"network": {"width": 0.5}, "members": 4}, "training": {"meta_lr": 0.001}},
        {20: (93.0, 95.5)},
    ),
    Gate(
        "omniglot-maml",
        0.38,
        {"learner": {"network": {"hidden": 64}}, "training": {"meta_batch_size": 16}},
        {5: (98.0, None)},
    ),
)
CPU_BOUNDS = {"omniglot-maml": 96.0}
TINY = {
    "omniglot-protonet": {"learner": {"network": {"width": 0.125}}, "tasks": {"train_ways": 20}},
    "omniglot-maml": {"learner": {"network": {"hidden": 8}}, "training": {"meta_batch_size": 2}},
    "omniglot-within-alphabet": {
        "learner": {"network": {"width": 0.125}, "members": 2},
        "tasks": {"train_ways": 20},
    },
}


def read(path: Path) -> LabelledData:
    """Images, characters and alphabets of a file, or of the one in a folder."""
    with np.load(path / FILE if path.is_dir() else path) as file:
        labels = file["labels"].astype(np.int64)
        return LabelledData.from_arrays(file["images"], labels, file["class_alphabet"][labels])


def measure(options: Options) -> Report:
    """The recipes as they are, on this machine."""
    if options.data is None:
        sys.exit("omniglot needs --data, a folder with omniglot_background.npz")
    return run(read(options.data), "cpu", options.seed, GATES, seconds=None, out=None, changes={})


def run(
    data: LabelledData,
    device: str,
    seed: int,
    gates: tuple[Gate, ...],
    *,
    seconds: float | None,
    out: Path | None,
    changes: Mapping[str, Mapping[str, Any]],
    episodes: int = EPISODES,
) -> Report:
    """Train and score each; what is done is on disk before the next begins, where `out` is given."""
    figures: list[Figure] = []
    series: dict[str, Any] = {}
    whole = sum(gate.share for gate in gates)

    def report() -> Report:
        return Report(
            suite="omniglot",
            title="Omniglot, characters never seen",
            how=(
                "The recipes, trained by the project's own trainer; accuracy over fresh episodes of held-out "
                "characters (drawn at random, and turned ones held out with them) or of five held-out alphabets."
            ),
            seed=seed,
            scale={"episodes": episodes},
            figures=figures,
            series=series,
            device=torch.cuda.get_device_name() if device.startswith("cuda") else device,
        )

    for gate in gates:
        print(gate.recipe, flush=True)
        given = None if seconds is None else seconds * gate.share / whole
        try:
            config = few_shot.with_training(
                few_shot.config_of(gate.recipe, changes.get(gate.recipe, {})), seed=seed
            )
            trained = few_shot.train(config, data, device, given)
            if out is not None:
                few_shot.keep(trained.params, out, gate.recipe, trained.config)
            series[gate.recipe] = {
                "config": msgspec.to_builtins(trained.config),
                "seconds": trained.seconds,
                "step_seconds": trained.step_seconds,
                "plan": trained.plan,
                "history": trained.history,
            }
            figures += scores_of(gate, trained, data, device, seed, episodes, series[gate.recipe])
        except RuntimeError as error:  # of a device, or diverged: the other gates have their own chance
            traceback.print_exc()
            figures.append(
                Figure(what=f"`{gate.recipe}`", value=math.nan, at_least=100.0, beside=str(error)[:200])
            )
        if out is not None:
            report().write(out)
            print("\n".join(rows_of(figures)), flush=True)
    return report()


def scores_of(
    gate: Gate,
    trained: few_shot.Trained,
    data: LabelledData,
    device: str,
    seed: int,
    episodes: int,
    series: dict[str, Any],
) -> list[Figure]:
    """A figure for each of the gate's ways; what else was scored goes into `series`."""
    figures, learner = [], trained.config.learner
    versions = {"": learner}  # the gate is the recipe's own
    if isinstance(learner.algorithm, MamlSpec):
        for steps in MAML_STEPS:
            algorithm = msgspec.structs.replace(learner.algorithm, inner_steps=steps)
            versions[f", {steps} inner steps"] = msgspec.structs.replace(learner, algorithm=algorithm)
    else:
        for views in VIEWS:
            versions[f", {views} views" if views > 1 else ", 1 view"] = msgspec.structs.replace(
                learner, views=views
            )
    versions = {what: spec for what, spec in versions.items() if not what or spec != learner}
    for ways, (bound, aim) in gate.ways.items():
        if not device.startswith("cuda"):
            bound = CPU_BOUNDS.get(gate.recipe, bound)
        for version, spec in versions.items():
            began = time.monotonic()
            scores = few_shot.score(
                trained,
                data,
                device,
                episodes=episodes,
                seed=TEST_SEED + seed,
                learner=spec,
                tasks={"n_way": ways, "train_ways": None},
            )
            what = f"`{gate.recipe}`, {ways}-way 1-shot{version}"
            series[what] = {**scores, "seconds": time.monotonic() - began}
            print(f"  {what}: {scores}", flush=True)
            figures.append(
                Figure(
                    what=what,
                    value=100 * scores["accuracy"],
                    unit=" %",
                    at_least=None if version else bound,
                    aim=None if version else aim,
                    beside=f"± {100 * scores['accuracy_ci95']:.2f} over {episodes} episodes; "
                    f"{trained.how_long}",
                )
            )
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument(
        "--seconds", type=float, help="of training, all together; without, the recipes' iterations"
    )
    parser.add_argument("--only", nargs="+", choices=[gate.recipe for gate in GATES])
    parser.add_argument("--episodes", type=int, default=EPISODES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--tiny", action="store_true", help="small networks, to see that all of it runs")
    given = parser.parse_args()
    gates = tuple(gate for gate in GATES if given.only is None or gate.recipe in given.only)
    changes: dict[str, Mapping[str, Any]] = {}
    if given.device.startswith("cuda"):
        set_precision("tf32")
        # Episodes are drawn on the CPU, in pieces too small to be shared by many threads.
        torch.set_num_threads(4)
        changes = {gate.recipe: gate.on_gpu for gate in GATES}
    if given.tiny:
        changes = TINY
    report = run(
        read(given.data),
        given.device,
        given.seed,
        gates,
        seconds=given.seconds,
        out=given.out,
        changes=changes,
        episodes=given.episodes,
    )
    sys.exit(0 if report.held else 1)


if __name__ == "__main__":
    main()
