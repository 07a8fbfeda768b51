"""The recipe `small-tables` as it is, by the project's own trainer, on the real tables of classes of `tables`.

    python -P -m tests.benchmarks table_recipe --data DIR [--weights FOLDER]

What is trained is kept in FOLDER from minute to minute, and a run that was ended goes on from there.
"""

import os
import sys
import time
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import torch

from models.build import build_family, build_learner
from models.spec import max_ways_of, signature_of
from models.training.checkpoint import decode_checkpoint, encode_checkpoint
from models.training.config import MetaTrainingConfig
from models.training.meta_trainer import MetaTrainer
from tests.benchmarks import few_shot, tables
from tests.benchmarks.figures import FOLDER, Report
from tests.benchmarks.options import Options
from tests.benchmarks.progress import say
from tests.benchmarks.table_training import Fitted, Settings

RECIPE = "small-tables"
_STRIDE = 20
_KEEP_EVERY = 100  # iterations


def measure(options: Options) -> Report:
    """The recipe as it is, on one thread; of `--iterations` instead of its own, where they are given."""
    if options.data is None:
        sys.exit("table_recipe needs --data, a folder whose folder `tabular` holds cls_*.csv.gz")
    config = few_shot.with_training(few_shot.config_of(RECIPE, {}), seed=options.seed)
    if options.iterations is not None:
        config = few_shot.with_training(config, iterations=options.iterations)
    with TemporaryDirectory() as scratch:
        fitted = train(config, options.weights or Path(scratch))
    plan = tables.Plan(
        data=options.data / "tabular",
        out=FOLDER,
        weights=None,
        settings=Settings(device="cpu"),
        seed=options.seed,
        processes=os.cpu_count() or 1,
    )
    report = tables.run(plan, {"classification": fitted})
    return msgspec.structs.replace(report, suite="table_recipe", title="Small tables, by the recipe as it is")


def train(config: MetaTrainingConfig, folder: Path) -> Fitted:
    """To the end, from what the folder keeps of this very configuration; seconds are those that were computed."""
    torch.set_num_threads(1)
    folder.mkdir(parents=True, exist_ok=True)
    digest = sha256(msgspec.json.encode(config)).hexdigest()[:16]
    state, spent_file = folder / f"{RECIPE}-{digest}.safetensors", folder / f"{RECIPE}-{digest}.seconds"
    learner = build_learner(
        config.learner, signature_of(config.tasks), max_ways_of(config.learner, config.tasks)
    )
    trainer = MetaTrainer(config.training, build_family(config.tasks), learner)
    spent = 0.0
    if state.exists():
        trainer.restore(decode_checkpoint(state.read_bytes()))
        spent = float(spent_file.read_text())
    began = time.process_time() - spent
    while not trainer.finished:
        metrics = trainer.run(_STRIDE)
        if trainer.finished or trainer.iteration % _KEEP_EVERY == 0:
            spent = time.process_time() - began
            told = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
            say(f"{trainer.iteration}/{config.training.iterations}, {spent:.0f} s: {told}")
            spent_file.write_text(str(spent))
            state.write_bytes(encode_checkpoint(trainer.state()))
    drawn = config.training.iterations * config.training.meta_batch_size
    return Fitted("classification", config.learner, trainer.meta_params, drawn, spent)
