"""The outer loop on the mean loss of a meta-batch. Knows learners, families and plans by their protocols."""

from collections.abc import Mapping

import msgspec
import torch
from torch import Tensor

from models.algorithms.learner import Trainable
from models.functional import Params
from models.tasks.family import TaskFamily
from models.training.blocks import Blocks
from models.training.config import TrainingSpec
from models.training.optimizer import update_of
from models.training.outer_step import Layout, OuterState, OuterStep
from models.training.plans import Plan, VmapPlan
from models.training.trainer import Stretch

_MOMENTS = ("exp_avg", "exp_avg_sq")


class DivergedError(RuntimeError):
    """Meta-training met a loss or parameters that are not finite: the configuration does not train."""

    def __init__(
        self,
        iteration: int,
        advice: str = "meta-training diverged; a smaller meta_lr, or where there is one a smaller inner_lr,",
    ) -> None:
        super().__init__(f"numbers were not finite at iteration {iteration}: {advice} usually helps")
        self.iteration = iteration


class MetaTrainer:
    """Meta-trains one learner on one family; its whole state goes into a checkpoint and comes back from one.

    Its bytes depend on the configuration, the seed and its stretches alone: on the CPU, at one number of threads,
    a run that was stopped and resumed equals an uninterrupted one of the same stretches bit for bit. All tasks go
    in one pass, from the first iteration to the last, unless somebody says otherwise by `use`.
    """

    def __init__(
        self,
        training: TrainingSpec,
        family: TaskFamily,
        learner: Trainable,
        device: torch.device | str = "cpu",
    ) -> None:
        self.training = training
        self.family = family
        self.learner = learner
        self.device = torch.device(device)
        self.iteration = 0
        generator = torch.Generator().manual_seed(training.seed)
        initial = learner.init(generator)
        self._layout = Layout(initial)
        params = self._layout.pack(initial).to(self.device)
        self.outer_state = OuterState(params, torch.zeros_like(params), torch.zeros_like(params))
        self.blocks = Blocks(training, family, generator, self.device)
        update = update_of(training.optimizer, training.clip_norm, self._layout)
        self.step = OuterStep(learner, self._layout, update, self.blocks.example)
        self.plan: Plan = VmapPlan(self.step)
        self.stretches: tuple[Stretch, ...] = ()

    @property
    def meta_params(self) -> dict[str, Tensor]:
        """The meta-parameters as they are now, float32 on the CPU, detached."""
        return self._named(self.outer_state.params)

    def start_from(self, params: Params) -> dict[str, Tensor]:
        """Before the first step: take over, and give, the parameters that agree in name and shape with its own."""
        shapes = self._layout.shapes
        taken = {name: value for name, value in params.items() if shapes.get(name) == value.shape}
        vector = self._layout.pack({**self.meta_params, **taken}).to(self.device)
        self.outer_state = self.outer_state._replace(params=vector)
        return taken

    @property
    def finished(self) -> bool:
        return self.iteration >= self.training.iterations

    def run(self, iterations: int) -> dict[str, float]:
        """Takes that many outer steps, or those that are left; the mean of every metric over them.

        `meta_loss` is what is minimised; the others are the learner's. Raises DivergedError.
        """
        first = self.iteration
        last = min(first + iterations, self.training.iterations)
        if first >= last:
            return {}
        self._note_plan()
        history = []
        while self.iteration < last:
            block = self.blocks.at(self.iteration)
            place = self.iteration - block.first
            count = min(self.blocks.length - place, last - self.iteration)
            self.outer_state, metrics_IK = self.plan.run(self.outer_state, block, place, count)
            history.append(metrics_IK)
            self.iteration += count
        metrics_IK = torch.cat(history).cpu()
        broken = (~metrics_IK[:, 0].isfinite()).nonzero()
        if len(broken):
            raise DivergedError(first + int(broken[0]) + 1)
        if not bool(self.outer_state.params.isfinite().all()):
            raise DivergedError(self.iteration)
        return dict(zip(self.step.metric_names, metrics_IK.mean(0).tolist(), strict=True))

    def use(self, plan: Plan) -> None:
        """Take the steps from here on by another plan."""
        self.plan = plan
        self._note_plan()

    def state(self) -> dict[str, Tensor]:
        """Everything that the next step depends on, by name, on the CPU."""
        state = {
            "iteration": torch.tensor(self.iteration),
            "generator": self.blocks.generator_state(self.iteration),
            "stretches": _bytes(msgspec.json.encode(self.stretches)),
            **{f"meta_params/{name}": value for name, value in self.meta_params.items()},
        }
        for moment in _MOMENTS if self.iteration else ():
            named = self._named(getattr(self.outer_state, moment))
            state |= {f"{moment}/{name}": value for name, value in named.items()}
        return state

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes on from what `state` gave, for the same configuration, by the present plan.

        Raises ValueError where it does not fit.
        """
        given = {name: value.shape for name, value in state.items() if name.startswith("meta_params/")}
        if given != {f"meta_params/{name}": shape for name, shape in self._layout.shapes.items()}:
            raise ValueError("the checkpoint is not one of this learner")
        self.iteration = int(state["iteration"])
        self.blocks.restore(state["generator"])
        if "stretches" in state:
            plain = bytes(state["stretches"].tolist())
            self.stretches = msgspec.json.decode(plain, type=tuple[Stretch, ...])
        parts = ("meta_params", *(_MOMENTS if self.iteration else ()))
        vectors = [
            self._layout.pack({name: state[f"{part}/{name}"] for name in self._layout.shapes}).to(self.device)
            for part in parts
        ]
        self.outer_state = OuterState(*vectors, *self.outer_state[len(vectors) :])

    def _note_plan(self) -> None:
        if not self.stretches or self.stretches[-1].plan != self.plan.name:
            kept = tuple(stretch for stretch in self.stretches if stretch.first < self.iteration)
            self.stretches = (*kept, Stretch(self.iteration, self.plan.name))

    def _named(self, vector: Tensor) -> dict[str, Tensor]:
        return {name: value.to("cpu", copy=True) for name, value in self._layout.unpack(vector).items()}


def _bytes(data: bytes) -> Tensor:
    return torch.tensor(list(data), dtype=torch.uint8)
