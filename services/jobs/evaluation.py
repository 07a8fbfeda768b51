"""From an evaluation's configuration and a version's file to what can be run. Imports torch; knows no row."""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
import torch

from models.build import build_environments, build_family, build_policy_learner
from models.encoders.tuning import Tuning, tuned_params
from models.environments.environment import MissingPackagesError
from models.functional import Params
from models.spec import EncoderSpec, EnvironmentSpec, LabelledSpec, MlpSpec, NetworkSpec
from models.tasks.duplicates import is_sample
from models.tasks.family import TaskFamily
from models.tasks.labelled_data import LabelledData
from models.tasks.split_record import SplitRecord
from models.tasks.whole import Whole
from models.training.examination import Examination
from models.training.policies.examination import PolicyExamination
from services.jobs.evaluation_config import EvaluationConfig
from services.jobs.failures import Unsuitable
from services.jobs.preparation import Load, choose_device
from services.jobs.settings import WorkerSettings
from services.jobs.tuned_training import EncoderOf, encoded, tuned_encoder
from services.storage.manifest import decode_artifact


class AnyExamination(Protocol):
    """What an evaluation's session needs: parts that are done one after the other."""

    @property
    def total(self) -> int:
        """Episodes of all parts."""
        ...

    @property
    def done(self) -> int:
        """Episodes of the parts that are done."""
        ...

    @property
    def finished(self) -> bool: ...

    def advance(self, tell: Callable[[int], None]) -> None:
        """Do the next part; `tell` hears of the episodes that are about to be drawn, and may raise."""
        ...

    def report(self) -> dict[str, Any]:
        """What is known so far, ready for JSON."""
        ...


def prepare_evaluation(
    plain: Mapping[str, Any],
    artifact: bytes,
    load: Load,
    settings: WorkerSettings,
    encoder_of: EncoderOf | None = None,
) -> AnyExamination:
    """The evaluation of a job's configuration; `load` gives the data of tasks that need some. Raises Unsuitable."""
    config = msgspec.convert(plain, EvaluationConfig)
    manifest, arrays = decode_artifact(artifact)
    small = isinstance(manifest.learner.network, MlpSpec) and not isinstance(config.tasks, EnvironmentSpec)
    threads = 1 if small else settings.worker_threads
    device = choose_device(settings.worker_device, threads, settings.worker_precision)
    params = {name: torch.tensor(value) for name, value in arrays.items()}
    try:
        if isinstance(config.tasks, EnvironmentSpec):
            return _PolicyExamination(
                build_policy_learner(manifest.learner, manifest.signature),
                params,
                build_environments(config.tasks),
                tasks=config.episodes,
                seed=config.seed,
                device=device,
            )
        network, seen = manifest.learner.network, _seen(manifest.training)
        family = _family(config, network, load, device, encoder_of, tuned_params(params), seen)
        params = {name: value for name, value in params.items() if name not in tuned_params(params)}
        return Examination(
            manifest.learner,
            manifest.signature,
            manifest.max_ways,
            params,
            family,
            episodes=config.episodes,
            seed=config.seed,
            shots=config.shots,
            device=device,
        )
    except ValueError as error:
        raise Unsuitable(str(error)) from error


class _PolicyExamination(PolicyExamination):
    def advance(self, tell: Callable[[int], None]) -> None:
        """Raises Unsuitable where the environment's packages are not installed."""
        try:
            super().advance(tell)
        except MissingPackagesError as error:
            raise Unsuitable(str(error)) from error


def _family(
    config: EvaluationConfig,
    network: NetworkSpec,
    load: Load,
    device: torch.device,
    encoder_of: EncoderOf | None,
    differences: Params,
    seen: str,
) -> TaskFamily:
    tasks, data = config.tasks, load(config.tasks, network, device)
    if isinstance(data, LabelledData) and isinstance(tasks, LabelledSpec):
        data = data.to(device)
        if isinstance(network, EncoderSpec) and network.is_tuned:
            encoder = tuned_encoder(network, device, encoder_of)
            there = {name: value.to(device) for name, value in differences.items()}
            data = encoded(data, encoder, Tuning(encoder.module, network).weights(there))
            tasks = tasks.as_tested
        if config.whole:
            return Whole(tasks, data, seen)
    return build_family(tasks, data)


def _seen(training: Mapping[str, Any]) -> str:
    """What a version's record tells of the examples that it was trained on; nothing where it was made elsewhere."""
    try:
        sample = msgspec.convert(training.get("split"), SplitRecord).train_sample
    except msgspec.ValidationError:
        return ""
    return sample if is_sample(sample) else ""
