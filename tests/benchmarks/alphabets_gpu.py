"""The gate of alphabets by minutes of a GPU: the recipe with a wider network, and several episodes a step.

    python -P -m tests.benchmarks.alphabets_gpu --data DIR [--seconds N] [--width W] [--validate]
    python -P -m tests.benchmarks.alphabets_gpu --data DIR --weights FOLDER [--device cpu] --episodes 200 --out NEW

DIR holds omniglot_background.npz. With `--validate` as in `alphabets`; that is what the width was chosen by. Writes
alphabets_gpu.json, and beside it what was trained; the second form scores what an earlier run left in FOLDER.
"""

import argparse
import sys
from pathlib import Path

import msgspec
import torch

from models.precision import set_precision
from models.spec import ResNetMapsSpec
from tests.benchmarks import alphabets, few_shot, omniglot, page
from tests.benchmarks.figures import FOLDER, Figure, Report, rows_of
from tests.benchmarks.pictures.drawing import draw

WIDTH, EPISODES_A_STEP = 128, 4
EPISODES = 1000  # of each alphabet
SIDES = (4, 8)
"""That a task is looked at from; the recipe's first."""


def main() -> int:
    given = parsed()
    set_precision("tf32")
    # Episodes are drawn on the CPU, in pieces too small to be shared by many threads.
    torch.set_num_threads(2)
    data = omniglot.read(given.data)
    changes = {"learner": {"network": {"width": given.width}}, "training": {"meta_batch_size": given.batch}}
    config = few_shot.with_training(few_shot.config_of(alphabets.RECIPE, changes), seed=given.seed)
    if given.validate:
        config, data = alphabets.validation(config, data)
    figures: list[Figure] = []
    report = Report(
        suite="alphabets_gpu",
        title="Omniglot, within alphabets never seen, by a GPU",
        how=(
            "As `alphabets`, by the recipe with a network of more channels and several episodes an outer step, "
            "trained on a GPU; products are rounded to TF32 there, and the network to bfloat16 while it is trained."
        ),
        seed=given.seed,
        scale={"episodes": given.episodes},
        figures=figures,
        device=torch.cuda.get_device_name() if given.device.startswith("cuda") else given.device,
    )
    if given.weights is not None:
        config, params = few_shot.kept(given.weights, alphabets.RECIPE)
    else:
        trained = few_shot.train(config, data, given.device, given.seconds)
        config, params = trained.config, trained.params
        few_shot.keep(params, given.out, alphabets.RECIPE, config)
        report.series["history"] = trained.history
        told = f"{trained.how_long}, {trained.plan}"
        figures.append(Figure(what="training", value=trained.seconds / 60, unit=" min", beside=told))
    # What was trained before says itself how.
    network = config.learner.network
    assert isinstance(network, ResNetMapsSpec)
    report.scale["episodes a step"] = config.training.meta_batch_size
    report.series["config"] = msgspec.to_builtins(config)
    for sides in SIDES:
        learner = msgspec.structs.replace(config.learner, turns=sides)
        seen_so = msgspec.structs.replace(config, learner=learner)
        by_alphabet = alphabets.scores_of(seen_so, params, data, given.seed, given.episodes, given.device)
        what = f"`{alphabets.RECIPE}`, 20-way 1-shot, network.width {network.width}, from {sides} sides"
        figures += alphabets.figures_of(what, by_alphabet, given.episodes)
        report.write(given.out)
        print("\n".join(rows_of(figures)), flush=True)
    if given.out == FOLDER:
        draw(report, FOLDER / f"{report.suite}.png")
        page.write([])
    return 0 if report.held else 1


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--weights", type=Path, help="a folder of what was trained before")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--seconds", type=float, default=300.0, help="of training")
    parser.add_argument("--width", type=int, default=WIDTH)
    parser.add_argument("--batch", type=int, default=EPISODES_A_STEP, help="episodes a step")
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--episodes", type=int, default=EPISODES)
    parser.add_argument("--seed", type=int, default=0)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
