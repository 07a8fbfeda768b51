"""A recipe's training as a worker runs it: its data, its encoder, its plan. Knows no queue and no clock."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import torch

from models.encoders.text import TextEncoder
from models.programs.folder import ProgramFolder
from models.spec import EncoderSpec, GroupSpec, LabelledSpec, NetworkSpec, TaskFamilySpec
from models.tasks.grouped_data import GroupedData
from models.tasks.labelled_data import LabelledData
from models.training.config import MetaTrainingConfig
from services.jobs.encoded import TOKENS_SHARE
from services.jobs.preparation import prepare
from services.jobs.settings import WorkerSettings
from services.jobs.training import Training
from services.jobs.training_data import training_data
from tests.benchmarks import digits, omniglot
from tests.benchmarks.clinc_methods import data_of, words_in
from tests.benchmarks.intents import read_intents, sentence_encoder
from tests.benchmarks.student_answers import as_dataset, read_answers


def run_of(
    config: MetaTrainingConfig, folder: Path, device: str, programs: ProgramFolder | None = None
) -> Training:
    """A fresh run of a job's own; `programs` is where a GPU's measured plan is noted."""
    network = config.learner.network
    encoder: TextEncoder | None = None
    if isinstance(network, EncoderSpec):
        encoder = sentence_encoder(torch.device(device))
        network = msgspec.structs.replace(network, width=encoder.width)
        config = msgspec.structs.replace(
            config, learner=msgspec.structs.replace(config.learner, network=network)
        )
    plain = msgspec.json.decode(msgspec.json.encode(config))
    settings = WorkerSettings(worker_device=device)  # type: ignore[arg-type]
    return prepare(plain, loading(folder, encoder), settings, programs, lambda *_: encoder)


def loading(folder: Path, encoder: TextEncoder | None) -> Callable[..., LabelledData | GroupedData | None]:
    """What a recipe's tasks are drawn from, of a folder of data sets."""

    def load(tasks: TaskFamilySpec, network: NetworkSpec, _device: torch.device) -> Any:
        if isinstance(tasks, LabelledSpec):
            if encoder is not None:
                return texts(folder, encoder, tuned=isinstance(network, EncoderSpec) and network.is_tuned)
            return (digits if tasks.within_task and not tasks.rotations else omniglot).read(folder)
        if isinstance(tasks, GroupSpec) and getattr(tasks, "dataset", None) is not None:
            return training_data(tasks, as_dataset(read_answers(folder)[0]))
        return None

    return load


def texts(folder: Path, encoder: TextEncoder, *, tuned: bool) -> LabelledData:
    """CLINC150's intents with the names of their classes, as features, or as tokens where the encoder is tuned."""
    intents = read_intents(folder / "text" / "clinc150.parquet")
    both = [*intents.texts, *words_in(intents.labels)]
    inputs = encoder.tokens_of(both, TOKENS_SHARE) if tuned else encoder.encode(both)
    return data_of(inputs, intents.labels)
