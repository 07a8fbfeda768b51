"""The gate of series: spoken digits of speakers that meta-training never heard, 10-way 1-shot.

    python -P -m tests.benchmarks digits --data DIR

DIR holds fsdd_logmel.npz. Beside the learner stands the nearest prototype on the raw features, same episodes.
"""

import argparse
import sys
from pathlib import Path

import msgspec
import numpy as np
import torch

from models.algorithms.protonet import squared_distances
from models.build import build_family
from models.episode import MetaBatch
from models.functional import one_hot
from models.tasks.labelled_data import LabelledData
from models.training.config import MetaTrainingConfig
from tests.benchmarks import few_shot
from tests.benchmarks.figures import FOLDER, Figure, Report, rows_of
from tests.benchmarks.options import Options

FILE = "fsdd_logmel.npz"
RECIPE = "digits-speakers"
EPISODES = 1000
TEST_SEED = 1 << 31  # apart from the episodes of the same seed that training draws
POINTS = 15.0


def read(path: Path) -> LabelledData:
    """Log spectra as series [n, frames, bands] in 0..1, digits and speakers, of a file or the one in a folder."""
    with np.load(path / FILE if path.is_dir() else path) as file:
        series = file["logmel"].transpose(0, 2, 1).astype(np.float32) / 255
        return LabelledData.from_arrays(series, file["digit"], file["speaker_names"][file["speaker"]])


def measure(options: Options) -> Report:
    """The recipe as it is, on this machine."""
    if options.data is None:
        sys.exit("digits needs --data, a folder with fsdd_logmel.npz")
    return run(read(options.data), options.seed)


def run(
    data: LabelledData,
    seed: int,
    *,
    seconds: float | None = None,
    episodes: int = EPISODES,
    device: str = "cpu",
) -> Report:
    config = few_shot.with_training(few_shot.config_of(RECIPE, {}), seed=seed)
    trained = few_shot.train(config, data, device, seconds)
    scores = few_shot.score(trained, data, device, episodes=episodes, seed=TEST_SEED + seed)
    accuracy = 100 * scores["accuracy"]
    raw, interval = raw_accuracy(config, data, TEST_SEED + seed, episodes)
    held_out = f"± {100 * scores['accuracy_ci95']:.2f} over {episodes} episodes"
    return Report(
        suite="digits",
        title="Spoken digits, speakers never heard",
        how=(
            "10-way 1-shot within one speaker, a third of the speakers held out; the recipe, trained by the "
            "project's own trainer, beside the nearest prototype on the raw features."
        ),
        seed=seed,
        scale={"episodes": episodes},
        device=device,
        figures=[
            Figure(
                what=f"`{RECIPE}`: above the nearest prototype on raw features",
                value=accuracy - raw,
                unit=" points",
                at_least=POINTS,
                beside=trained.how_long,
            ),
            Figure(what=f"`{RECIPE}`: accuracy", value=accuracy, unit=" %", beside=held_out),
            Figure(
                what="nearest prototype on raw features", value=raw, unit=" %", beside=f"± {interval:.2f}"
            ),
        ],
        series={"config": msgspec.to_builtins(trained.config), "history": trained.history, "scores": scores},
    )


def raw_accuracy(
    config: MetaTrainingConfig, data: LabelledData, seed: int, episodes: int
) -> tuple[float, float]:
    """The nearest prototype's accuracy in percent, and half the width of its 95 % interval."""
    family, generator = build_family(config.tasks, data), torch.Generator().manual_seed(seed)
    parts = [nearest(family.sample(generator, 50, "test")) for _ in range(-(-episodes // 50))]
    shares = 100 * torch.cat(parts).double()
    return shares.mean().item(), 1.96 * shares.std().item() / len(shares) ** 0.5


def nearest(batch: MetaBatch) -> torch.Tensor:
    """Each episode's share of queries whose nearest class mean, of the inputs as they are, is their own."""

    def share(batch: MetaBatch) -> torch.Tensor:
        support, query = batch
        members_SN = one_hot(support.targets, support.mask, support.class_mask.shape[-1])
        prototypes_ND = members_SN.T @ support.inputs.flatten(1) / members_SN.sum(0).unsqueeze(-1)
        guesses = squared_distances(query.inputs.flatten(1), prototypes_ND).argmin(-1)
        return (guesses == query.targets).float().mean()

    return torch.vmap(share)(batch)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=FOLDER)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--seconds", type=float, help="of training; without, the recipe's iterations")
    parser.add_argument("--episodes", type=int, default=EPISODES)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    report = run(
        read(given.data), given.seed, seconds=given.seconds, episodes=given.episodes, device=given.device
    )
    report.write(given.out)
    print("\n".join(rows_of(report.figures)))
    sys.exit(0 if report.held else 1)


if __name__ == "__main__":
    main()
