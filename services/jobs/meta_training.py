"""One job's training as it lives in a worker's memory between two steps. Imports torch; knows no row.

Preparing builds family, learner and trainer from the configuration and goes on from a checkpoint, if any.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
import torch
from torch import Generator

from models.build import build_family, build_learner
from models.episode import MetaBatch
from models.functional import Params
from models.precision import Precision, set_precision
from models.programs.folder import ProgramFolder
from models.spec import Signature, TaskFamilySpec, max_ways_of, signature_of
from models.tasks.family import Split, TaskFamily
from models.tasks.grouped import Grouped
from models.tasks.grouped_data import GroupedData
from models.tasks.labelled_data import LabelledData
from models.tasks.split_record import HasSplit
from models.training.checkpoint import decode_checkpoint, encode_checkpoint
from models.training.config import MetaTrainingConfig
from models.training.evaluation import meta_test
from models.training.meta_trainer import DivergedError, MetaTrainer
from models.training.phases import Phases
from models.training.planner import Planner
from models.training.pretraining import pretrainer
from models.training.program import ProgramSpec
from services.jobs.failures import Diverged, Unsuitable
from services.storage.manifest import Manifest, encode_artifact

# Meta-test episodes are drawn apart from the training episodes of the same seed.
_TEST_SEED = 1 << 31


class MetaTraining:
    """A trainer with what it was made from. Not safe for several threads; every job has its own."""

    def __init__(
        self,
        config: MetaTrainingConfig,
        signature: Signature,
        family: TaskFamily,
        device: torch.device,
        programs: ProgramFolder | None = None,
    ) -> None:
        """With `programs` the run's plans are measured, else it has one. Raises Unsuitable where learner and
        signature do not fit."""
        self._config = config
        self._signature = signature
        self._max_ways = max_ways_of(config.learner, config.tasks, signature)
        self._family = family
        self._device = device
        try:
            learner = build_learner(config.learner, signature, self._max_ways)
        except ValueError as error:
            raise Unsuitable(str(error)) from error
        self._trainer = MetaTrainer(config.training, family, learner, device)
        try:
            before = pretrainer(config.training, config.learner, signature, learner, family, device)
            self._phases = Phases(self._trainer, before, signature)
        except ValueError as error:
            raise Unsuitable(str(error)) from error
        self._planner: Planner | None = None
        if programs is not None:
            program = ProgramSpec.of(config.learner, signature, self._max_ways, self._trainer)
            self._planner = Planner(self._trainer, program, programs)
        self._begun = False

    @classmethod
    def prepare(
        cls,
        plain: Mapping[str, Any],
        load: Callable[[TaskFamilySpec], LabelledData | GroupedData | None],
        device: torch.device,
        programs: ProgramFolder | None = None,
    ) -> "MetaTraining":
        """From a job's configuration; `load` gives the dataset of tasks that need one. Raises Unsuitable."""
        config = msgspec.convert(plain, MetaTrainingConfig)
        try:
            data = load(config.tasks)
            if isinstance(data, LabelledData):
                # Episodes are made where the device is: a GPU would wait for those that a CPU warps.
                data = data.to(device)
            family = build_family(config.tasks, data)
            if isinstance(family, Grouped):
                signature = family.signature
            elif isinstance(data, LabelledData):
                signature = signature_of(config.tasks, data.wire_shape, data.table)
            else:
                signature = signature_of(config.tasks)
        except ValueError as error:
            raise Unsuitable(str(error)) from error
        return cls(config, signature, family, device, programs)

    @property
    def iteration(self) -> int:
        """Iterations taken, of all phases."""
        return self._phases.iteration

    @property
    def signature(self) -> Signature:
        """Of the model that is being trained."""
        return self._signature

    @property
    def phases(self) -> Phases:
        """What has been trained so far."""
        return self._phases

    @property
    def finished(self) -> bool:
        return self._phases.finished

    @property
    def phase(self) -> str:
        """What the next iteration belongs to: pretraining or meta_training."""
        return self._phases.phase

    def run(self, iterations: int) -> dict[str, float]:
        """Take iterations, of one phase; the mean of every metric over them. Raises Diverged."""
        if not self._begun and self.phase == "meta_training":
            self._begun = True
            if self._planner is not None:
                self._planner.begin()
        try:
            return self._phases.run(iterations)
        except DivergedError as error:
            raise Diverged(str(error)) from error

    @property
    def plan(self) -> str:
        """What executes the outer steps."""
        return self._trainer.plan.name

    def turn(self) -> None:
        """Go on by a better plan if there is one. Call it right before `checkpoint`, which records it."""
        if self._planner is not None and self._begun:
            self._planner.turn()

    def checkpoint(self) -> bytes:
        """The whole state of the training; equal states give equal bytes."""
        return encode_checkpoint(self._phases.state())

    def restore(self, data: bytes) -> None:
        """Go on from a checkpoint. Raises ValueError where it is none of this training."""
        self._phases.restore(decode_checkpoint(data))

    def meta_test(self, before_each_pass: Callable[[], None]) -> dict[str, dict[str, float]]:
        """Scores on held-out tasks; `before_each_pass` may raise to break off.

        `meta_test` is what the trained model scores. A run with pretraining also has `before`,
        `after_pretraining` and `after_meta_training`, all on the same episodes.
        """
        training = self._config.training

        def scores(params: Params) -> dict[str, float]:
            return meta_test(
                self._config.learner,
                self._signature,
                self._max_ways,
                params,
                _Watched(self._family, before_each_pass),
                episodes=training.test_episodes,
                seed=_TEST_SEED + training.seed,
                device=self._device,
            )

        trained = scores(self._trainer.meta_params)
        earlier = {phase: scores(params) for phase, params in self._phases.earlier().items()}
        return {"meta_test": trained, **earlier, **({"after_meta_training": trained} if earlier else {})}

    def artifact(self, record: Mapping[str, Any], metrics: Mapping[str, Any]) -> bytes:
        """The trained model as the file that a version is; `record` says how it came to be."""
        params = {name: value.numpy() for name, value in self._trainer.meta_params.items()}
        where = {"device": self._device.type, "torch": str(torch.__version__)}
        split = (
            {"split": msgspec.to_builtins(self._family.split.record)}
            if isinstance(self._family, HasSplit)
            else {}
        )
        plans = [msgspec.structs.asdict(stretch) for stretch in self._trainer.stretches]
        manifest = Manifest(
            learner=self._config.learner,
            signature=self._signature,
            max_ways=self._max_ways,
            training={**record, **where, **split, "plans": plans},
            metrics=dict(metrics),
        )
        return encode_artifact(params, manifest)


class _Watched:
    """A family that calls back before it samples: the meta-test's only chance to be broken off."""

    def __init__(self, family: TaskFamily, before: Callable[[], None]) -> None:
        self._family = family
        self._before = before

    def sample(self, generator: Generator, meta_batch_size: int, split: Split = "train") -> MetaBatch:
        self._before()
        return self._family.sample(generator, meta_batch_size, split)


def choose_device(name: str, network: str, threads: int, precision: Precision = "float32") -> torch.device:
    """The device that a setting names (`auto` prefers CUDA); the CPU then uses so many threads at most.

    `precision` is what a GPU computes to, in this process.

    An mlp's steps are too small to share: the threads would wait for each other longer than they compute,
    tenfold longer where another process wants the core.
    """
    torch.set_num_threads(1 if network == "mlp" else threads)
    set_precision(precision)
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)
