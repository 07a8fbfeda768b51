"""The gate of alphabets: 20 characters of an alphabet never seen, one drawing of each, by an hour of one CPU.

    python -P -m tests.benchmarks alphabets --data DIR [--weights FOLDER]
    python -P -m tests.benchmarks.alphabets --data DIR --weights FOLDER --validate [--optimizer adam]

DIR holds omniglot_background.npz. The recipe is trained as it is; its state is kept in FOLDER from minute to
minute, and a run that was ended goes on from there. The second form holds out five of the training alphabets, and
the test's stay unseen: that is what settings are chosen by.
"""

import argparse
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, get_args

import msgspec
import numpy as np
import torch

from models.build import build_family, build_learner
from models.spec import LabelledSpec, max_ways_of, signature_of
from models.tasks.labelled_data import LabelledData
from models.tasks.split import split_classes
from models.training.checkpoint import decode_checkpoint, encode_checkpoint
from models.training.config import MetaTrainingConfig, OptimizerName
from models.training.evaluation import evaluate
from models.training.meta_trainer import MetaTrainer
from tests.benchmarks import few_shot, omniglot
from tests.benchmarks.figures import Figure, Report, rows_of
from tests.benchmarks.options import Options

RECIPE = "omniglot-within-alphabet-parts"
EPISODES = 200  # of each alphabet
BOUND, AIM = 93.0, 95.5
CPU_MINUTES = 60.0
STRIDE = 100  # outer steps between two looks at the clock
KEEP_EVERY_S = 60.0
Scores = dict[str, dict[str, float]]
"""By alphabet, what `evaluate` gives."""
VALIDATION = ("Armenian", "Bengali", "Burmese_(Myanmar)", "Japanese_(katakana)", "Latin")


class Trained(NamedTuple):
    """What came of the recipe; its state is in the folder."""

    config: MetaTrainingConfig
    params: dict[str, torch.Tensor]
    cpu_seconds: float
    plans: list[str]
    history: list[dict[str, float]]


def measure(options: Options) -> Report:
    """The recipe as it is, on this machine; of `--iterations` instead of its own, where they are given."""
    if options.data is None:
        sys.exit("alphabets needs --data, a folder with omniglot_background.npz")
    data = omniglot.read(options.data)
    config = few_shot.with_training(few_shot.config_of(RECIPE, {}), seed=options.seed)
    if options.iterations is not None:
        config = few_shot.with_training(config, iterations=options.iterations)
    with TemporaryDirectory() as scratch:
        trained = train(config, data, options.weights or Path(scratch))
    return report_of(trained, data, options.seed)


def report_of(trained: Trained, data: LabelledData, seed: int, episodes: int = EPISODES) -> Report:
    """The held-out alphabets' figures, together and one by one."""
    minutes, steps = trained.cpu_seconds / 60, int(trained.history[-1]["iteration"])
    by_alphabet = scores_of(trained.config, trained.params, data, seed, episodes)
    figures = figures_of(f"`{RECIPE}`, 20-way 1-shot", by_alphabet, episodes)
    figures.append(
        Figure(
            what="training",
            value=minutes,
            unit=" CPU-minutes",
            at_most=CPU_MINUTES,
            beside=f"{steps} outer steps, plan {', '.join(trained.plans)}",
        )
    )
    return Report(
        suite="alphabets",
        title="Omniglot, within alphabets never seen",
        how=(
            "20 characters of one of five held-out alphabets, one drawing of each; every other drawing is "
            "classified by itself. The recipe, trained by the project's own trainer on the other 25 alphabets and "
            "on invented ones; "
            "CPU-minutes are the process's own, of all its threads."
        ),
        seed=seed,
        scale={"episodes": episodes},
        figures=figures,
        series={"config": msgspec.to_builtins(trained.config), "history": trained.history},
    )


def train(config: MetaTrainingConfig, data: LabelledData, folder: Path) -> Trained:
    """To the end, from what the folder keeps of it."""
    folder.mkdir(parents=True, exist_ok=True)
    state, notes = folder / f"{RECIPE}.safetensors", folder / f"{RECIPE}.json"
    trainer = few_shot.trainer_of(config, data, "cpu")
    history: list[dict[str, float]] = []
    if state.exists():
        trainer.restore(decode_checkpoint(state.read_bytes()))
        history = msgspec.json.decode(notes.read_bytes())
    before = history[-1]["cpu_seconds"] if history else 0.0
    began = time.process_time()
    if not trainer.finished:
        # By a trainer of its own: what it measures draws episodes, and those of a run that goes on are its own.
        fresh = few_shot.trainer_of(config, data, "cpu")
        trainer.use(few_shot.quickest_plan(fresh, config, data))
    for metrics in _stretches(trainer):
        spent = before + time.process_time() - began
        history.append({"iteration": trainer.iteration, "cpu_seconds": spent, **metrics})
        told = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        print(f"  {trainer.iteration}/{config.training.iterations}, {spent:.0f} s: {told}", flush=True)
        kept = [entry.get("kept", 0.0) for entry in history]
        if trainer.finished or spent - max(kept) > KEEP_EVERY_S:
            history[-1]["kept"] = spent
            state.write_bytes(encode_checkpoint(trainer.state()))
            notes.write_bytes(msgspec.json.encode(history))
    plans = [stretch.plan for stretch in trainer.stretches]
    return Trained(config, trainer.meta_params, history[-1]["cpu_seconds"], plans, history)


def _stretches(trainer: MetaTrainer) -> Iterator[dict[str, float]]:
    while not trainer.finished:
        yield trainer.run(STRIDE)


def figures_of(what: str, by_alphabet: Scores, episodes: int) -> list[Figure]:
    """The gate's, by the mean of the alphabets, and then each alphabet's."""
    accuracy = sum(one["accuracy"] for one in by_alphabet.values()) / len(by_alphabet)
    interval = math.hypot(*(one["accuracy_ci95"] for one in by_alphabet.values())) / len(by_alphabet)
    together = f"± {100 * interval:.2f}, the mean of {len(by_alphabet)} alphabets, {episodes} episodes each"
    mean = Figure(what=what, value=100 * accuracy, unit=" %", at_least=BOUND, aim=AIM, beside=together)
    return [mean] + [
        Figure(
            what=name,
            value=100 * scores["accuracy"],
            unit=" %",
            beside=f"± {100 * scores['accuracy_ci95']:.2f}",
        )
        for name, scores in by_alphabet.items()
    ]


def scores_of(
    config: MetaTrainingConfig,
    params: dict[str, torch.Tensor],
    data: LabelledData,
    seed: int,
    episodes: int,
    device: str = "cpu",
) -> Scores:
    """On fresh episodes of each of the held-out alphabets."""
    tasks = config.tasks
    assert isinstance(tasks, LabelledSpec)
    signature = signature_of(tasks, data.wire_shape)
    learner = build_learner(config.learner, signature, max_ways_of(config.learner, tasks))
    held_out, data = split_classes(tasks, data).record.test, data.to(device)
    scores = {}
    for name in held_out:
        family = build_family(msgspec.structs.replace(tasks, test_tasks=(name,)), data)
        test_seed = omniglot.TEST_SEED + seed
        scores[name] = evaluate(learner, params, family, episodes=episodes, seed=test_seed, device=device)
        print(name, scores[name], flush=True)
    return scores


def validation(config: MetaTrainingConfig, data: LabelledData) -> tuple[MetaTrainingConfig, LabelledData]:
    """The same without the test's alphabets, and with others held out."""
    tasks = config.tasks
    assert isinstance(tasks, LabelledSpec)
    assert data.tasks is not None
    names = np.array(data.task_names)[data.tasks.numpy()]
    kept = ~np.isin(names, split_classes(tasks, data).record.test)
    seen = LabelledData.from_arrays(data.inputs[kept, 0].numpy(), data.labels[kept].numpy(), names[kept])
    held_out = msgspec.structs.replace(tasks, test_tasks=VALIDATION)
    return msgspec.structs.replace(config, tasks=held_out), seen


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--weights", type=Path, required=True)
    parser.add_argument("--validate", action="store_true")
    parser.add_argument("--iterations", type=int)
    parser.add_argument("--optimizer", choices=get_args(OptimizerName))
    parser.add_argument("--episodes", type=int, default=EPISODES)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(given.threads)
    data = omniglot.read(given.data)
    config = few_shot.with_training(few_shot.config_of(RECIPE, {}), seed=given.seed)
    if given.iterations is not None:
        config = few_shot.with_training(config, iterations=given.iterations)
    if given.optimizer is not None:
        config = few_shot.with_training(config, optimizer=given.optimizer)
    if given.validate:
        config, data = validation(config, data)
    trained = train(config, data, given.weights)
    print("\n".join(rows_of(report_of(trained, data, given.seed, given.episodes).figures)))


if __name__ == "__main__":
    main()
