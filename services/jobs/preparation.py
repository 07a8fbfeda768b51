"""From a job's configuration to a training that can begin. Imports torch; knows no row."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import torch

from models.build import build_family
from models.precision import Precision, set_precision
from models.programs.folder import ProgramFolder
from models.spec import EncoderSpec, EnvironmentSpec, MlpSpec, NetworkSpec, TaskFamilySpec, signature_of
from models.tasks.grouped import Grouped
from models.tasks.grouped_data import GroupedData
from models.tasks.labelled import Labelled
from models.tasks.labelled_data import LabelledData
from models.training.config import MetaTrainingConfig
from services.jobs.failures import Unsuitable
from services.jobs.meta_training import MetaTraining
from services.jobs.policy_training import PolicyTraining
from services.jobs.settings import WorkerSettings
from services.jobs.training import Training
from services.jobs.tuned_training import EncoderOf, TunedTraining, tuned_encoder

# The data of tasks that need some, as the network takes them: where that is an encoder, the device makes features.
Load = Callable[[TaskFamilySpec, NetworkSpec, torch.device], LabelledData | GroupedData | None]


def prepare(
    plain: Mapping[str, Any],
    load: Load,
    settings: WorkerSettings,
    programs: ProgramFolder | None = None,
    encoder_of: EncoderOf | None = None,
) -> Training:
    """The training of a job's configuration; `load` gives the dataset of tasks that need one. Raises Unsuitable."""
    config = msgspec.convert(plain, MetaTrainingConfig)
    threads = threads_for(config, settings.worker_threads)
    device = choose_device(settings.worker_device, threads, settings.worker_precision)
    if isinstance(config.tasks, EnvironmentSpec):
        return PolicyTraining(config, config.tasks, device)
    try:
        data = load(config.tasks, config.learner.network, device)
        if isinstance(data, LabelledData):
            # Episodes are made where the device is: a GPU would wait for those that a CPU warps.
            data = data.to(device)
        family = build_family(config.tasks, data)
        if isinstance(family, Grouped):
            signature = family.signature
        elif isinstance(family, Labelled):
            signature = signature_of(config.tasks, family.data.wire_shape, family.table)
        else:
            signature = signature_of(config.tasks)
    except ValueError as error:
        raise Unsuitable(str(error)) from error
    network = config.learner.network
    if isinstance(network, EncoderSpec) and network.is_tuned:
        if not isinstance(family, Labelled):
            raise Unsuitable("encoders are tuned to labelled texts or images: leave `tuning` out")
        encoder = tuned_encoder(network, device, encoder_of)
        return TunedTraining(config, signature, family, encoder, device)
    measured = settings.worker_plans == "measured"
    return MetaTraining(config, signature, family, device, programs, measured=measured)


def threads_for(config: MetaTrainingConfig, most: int) -> int:
    """How many threads a step can use: one for an mlp and for features, for those steps are too small to share.

    The threads would wait for each other longer than they compute, tenfold longer where another process wants the
    core. A policy's steps are passes over all steps of all trajectories at once.
    """
    network = config.learner.network
    features = isinstance(network, EncoderSpec) and not network.is_tuned
    small = (features or isinstance(network, MlpSpec)) and not isinstance(config.tasks, EnvironmentSpec)
    return 1 if small else most


def choose_device(name: str, threads: int, precision: Precision = "float32") -> torch.device:
    """The device that a setting names (`auto` prefers CUDA); the CPU then uses so many threads at most.

    `precision` is what a GPU computes to, in this process.
    """
    torch.set_num_threads(threads)
    set_precision(precision)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
