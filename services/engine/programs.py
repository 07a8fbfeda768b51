"""What the device runs: pure functions of tensors, for one learner and kind of work. Knows no call and no plan.

Adapted parameters go in and come out as flat rows [P] of their layout. A program is written for one task; the plan
says how the tasks of a pass go through it (`together`, `each`, or compiled).
"""

from collections.abc import Callable, Sequence
from typing import Literal

import msgspec
import torch
from torch import Tensor

from models.algorithms.maml_policy import MamlPolicy
from models.algorithms.named import examples_of
from models.build import AnyLearner, build_any_learner
from models.episode import SupportSet
from models.functional import Params
from models.networks.kernels import Kernels
from models.spec import BoxSpace, DiscreteSpace, LearnerSpec, Signature
from models.trajectory import Trajectories
from services.engine.layout import Layout, layout_of
from services.engine.trajectories import no_tensors

Kind = Literal["adapt", "go_on", "predict"]
Task = Callable[[Params, tuple[Tensor, ...]], tuple[Tensor, ...]]

_PLAIN = Kernels()


class ProgramSpec(msgspec.Struct, frozen=True, kw_only=True, cache_hash=True):
    """What a program is built from, anywhere: no weights, but everything that its code depends on.

    `adapt`    support inputs [S, X], targets, mask [S], class mask [N]  ->  row [P], loss on the support
               (a policy: the tensors of R trajectories    ->  row [P], loss, share of ratios that were cut)
    `go_on`    the same and a row [P] to start from                      ->  the same
    `predict`  row [P], inputs [Q, X]                                    ->  mean and std, or probabilities

    `support` is S, or R and `steps` L where the learner is a policy's.
    """

    kind: Kind
    learner: LearnerSpec
    signature: Signature
    max_ways: int | None
    support: int = 0
    steps: int = 0
    ways: int = 0
    queries: int = 0


class Program:
    """One spec made runnable."""

    def __init__(self, spec: ProgramSpec, learner: AnyLearner, layout: Layout) -> None:
        self.spec = spec
        self._learner = learner
        self._layout = layout

    def together(self, meta_params: Params, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """All M tasks at once: `tensors` with a leading M in, outputs with a leading M out."""
        with torch.no_grad():
            return torch.vmap(self._task, in_dims=(None, 0))(dict(meta_params), tuple(tensors))

    def each(self, meta_params: Params, tensors: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """The same, one task after the other: quicker where a batched kernel is slower than its parts."""
        with torch.no_grad():
            tasks = [
                self._task(meta_params, tuple(tensor[m] for tensor in tensors))
                for m in range(len(tensors[0]))
            ]
        return tuple(torch.stack(outputs) for outputs in zip(*tasks, strict=True))

    def _task(self, meta_params: Params, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        if self.spec.kind == "predict":
            row, inputs = tensors
            answer = self._learner.predict(meta_params, self._layout.view(row), inputs)
            if "logits" in answer:
                return (torch.softmax(answer["logits"], dim=-1),)
            return tuple(answer[name] for name in output_names(self.spec))
        start = self._layout.view(tensors[-1]) if self.spec.kind == "go_on" else None
        if isinstance(self._learner, MamlPolicy):
            trajectories = Trajectories(*tensors[: len(Trajectories._fields)])
            adapted = self._learner.adapt(meta_params, trajectories, start)
            loss = self._learner.support_loss(meta_params, adapted, trajectories)
            cut = self._learner.clipped_share(meta_params if start is None else start, trajectories)
            return self._layout.flat(adapted), loss, cut
        support = SupportSet(*tensors[: len(SupportSet._fields)])
        adapted = self._learner.adapt(meta_params, support, start)
        if self.spec.signature.class_names:
            support = support._replace(mask=examples_of(support))
        return self._layout.flat(adapted), self._learner.support_loss(meta_params, adapted, support)


def output_names(spec: ProgramSpec) -> tuple[str, ...]:
    """What comes out of a program, in order."""
    actions = spec.signature.actions
    if spec.kind != "predict":
        return ("row", "loss") if actions is None else ("row", "loss", "clipped")
    if spec.signature.task == "classification" or isinstance(actions, DiscreteSpace):
        return ("probabilities",)
    if isinstance(actions, BoxSpace):
        return ("mean", "std")
    return ("mean", "std") if spec.learner.algorithm.gives_std else ("mean",)


def build_program(spec: ProgramSpec, meta_params: Params, kernels: Kernels = _PLAIN) -> Program:
    """The program of a spec; `meta_params` only tell names, shapes and device."""
    learner = build_any_learner(spec.learner, spec.signature, spec.max_ways, kernels)
    return Program(spec, learner, adapted_layout(learner, spec.signature, spec.ways, meta_params))


def adapted_layout(learner: AnyLearner, signature: Signature, ways: int, meta_params: Params) -> Layout:
    """The layout of what a learner adapts to, for `ways` class slots: found by adapting to nothing."""
    device = next(iter(meta_params.values())).device
    with torch.no_grad():
        nothing = _support(signature, 1, 1, ways, device)
        adapted = (
            learner.adapt(meta_params, Trajectories(*nothing))
            if isinstance(learner, MamlPolicy)
            else learner.adapt(meta_params, SupportSet(*nothing))
        )
    return layout_of(tuple((name, tuple(value.shape)) for name, value in adapted.items()))


def example_tensors(spec: ProgramSpec, tasks: int, width: int, device: torch.device) -> list[Tensor]:
    """Zeros of the shapes that a pass of M = `tasks` has; `width` is P."""
    if spec.kind == "predict":
        one = [torch.zeros(width, device=device), _inputs(spec.signature, spec.queries, device)]
    else:
        one = _support(spec.signature, spec.support, spec.steps, spec.ways, device)
        if spec.kind == "go_on":
            one.append(torch.zeros(width, device=device))
    return [tensor.expand(tasks, *tensor.shape).contiguous() for tensor in one]


def _support(signature: Signature, size: int, steps: int, ways: int, device: torch.device) -> list[Tensor]:
    if signature.actions is not None:
        return no_tensors(signature, size, steps, device)
    classes = signature.task == "classification"
    targets = (
        torch.zeros(size, dtype=torch.int64, device=device)
        if classes
        else torch.zeros(size, signature.target_width, device=device)
    )
    mask, class_mask = torch.zeros(size, device=device), torch.zeros(ways if classes else 0, device=device)
    return [_inputs(signature, size, device), targets, mask, class_mask]


def _inputs(signature: Signature, size: int, device: torch.device) -> Tensor:
    shape = signature.inputs.example_shape
    if signature.is_image:
        height, width, channels = shape
        shape = (channels, height, width)
    return torch.zeros(size, *shape, device=device)
