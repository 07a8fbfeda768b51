"""Gradient learners' meta-gradients in float64: against finite differences, and against libraries if installed."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from models.episode import Episode
from models.functional import Params, only_real_classes
from models.spec import (
    AlgorithmSpec,
    AnilSpec,
    BoilSpec,
    CaviaSpec,
    ImamlSpec,
    MamlSpec,
    MetaCurvatureSpec,
    ReptileSpec,
    Task,
)
from tests.unit.models.algorithms.finite_differences import (
    doubles,
    finite_differences,
    meta_gradient,
    padded_episode,
    relative_difference,
    small_learner,
)

CLOSE = 1e-6

EXACT: dict[str, AlgorithmSpec] = {
    "maml": MamlSpec(inner_steps=3, inner_lr=0.1),
    "meta-sgd": MamlSpec(inner_steps=2, inner_lr=0.1, learned_rates="per_parameter"),
    "maml++": MamlSpec(inner_steps=3, inner_lr=0.1, learned_rates="per_step", step_loss_decay=0.5),
    "clipped": MamlSpec(inner_steps=2, inner_lr=0.1, inner_clip=0.2),
    "robust": MamlSpec(inner_steps=2, inner_lr=0.1, step_loss_decay=0.5, robust=0.5),
    "anil": AnilSpec(inner_steps=3, inner_lr=0.1),
    "boil": BoilSpec(inner_steps=3, inner_lr=0.1),
    "cavia": CaviaSpec(inner_steps=2, inner_lr=0.5, context=3),
    "meta-curvature": MetaCurvatureSpec(inner_steps=2, inner_lr=0.1),
    # At the inner loop's minimum, and with as many conjugate gradients as it takes, it is the true gradient.
    "imaml": ImamlSpec(inner_steps=50, inner_lr=0.15, proximity=4.0, cg_steps=30),
}
FIRST_ORDER: dict[str, AlgorithmSpec] = {
    "maml": MamlSpec(inner_steps=2, inner_lr=0.1, first_order=True),
    "anil": AnilSpec(inner_steps=2, inner_lr=0.1, first_order=True),
    "boil": BoilSpec(inner_steps=2, inner_lr=0.1, first_order=True),
    "cavia": CaviaSpec(inner_steps=2, inner_lr=0.5, context=3, first_order=True),
}
BOTH = pytest.mark.parametrize("task", ["regression", "classification"])


@BOTH
@pytest.mark.parametrize("name", EXACT)
def test_it_is_that_of_finite_differences(name: str, task: Task) -> None:
    learner, episode = small_learner(EXACT[name], task), padded_episode(task)
    params = doubles(learner)
    expected = finite_differences(lambda moved: learner.meta_loss(moved, episode)[0], params)
    ours = meta_gradient(learner, params, episode)
    assert relative_difference(ours, expected) < CLOSE
    assert all(value.dtype == torch.float64 for value in ours.values())


@BOTH
@pytest.mark.parametrize("name", FIRST_ORDER)
def test_first_order_takes_what_adapting_added_for_a_constant(name: str, task: Task) -> None:
    learner, episode = small_learner(FIRST_ORDER[name], task), padded_episode(task)
    params = doubles(learner)
    adapted = learner.adapt(params, episode.support)
    added = {name: value - params.get(name, 0.0) for name, value in adapted.items() if name != "class_mask"}

    def loss(moved: Params) -> Tensor:
        then = {name: moved.get(name, 0.0) + value for name, value in added.items()}
        query = episode.support._replace(**episode.query._asdict())
        return learner.support_loss(moved, then, query)

    ours, expected = meta_gradient(learner, params, episode), finite_differences(loss, params)
    assert relative_difference(ours, expected) < CLOSE
    exact = finite_differences(lambda moved: learner.meta_loss(moved, episode)[0], params)
    assert relative_difference(ours, exact) > 100 * CLOSE


@BOTH
@pytest.mark.parametrize(
    "algorithm",
    [
        MamlSpec(inner_steps=2, inner_lr=0.1, first_order=True, learned_rates="per_parameter"),
        MamlSpec(inner_steps=2, inner_lr=0.1, first_order=True, learned_rates="per_step"),
        MetaCurvatureSpec(inner_steps=2, inner_lr=0.1, first_order=True),
    ],
    ids=["meta-sgd", "maml++", "meta-curvature"],
)
def test_first_order_learns_rates_and_curvature_from_gradients_taken_for_constants(
    algorithm: MamlSpec | MetaCurvatureSpec, task: Task
) -> None:
    learner, episode = small_learner(algorithm, task), padded_episode(task)
    params = doubles(learner)
    query = episode.support._replace(**episode.query._asdict())

    def moved(given: Params, before: Params, gradients: Params, step: int) -> dict[str, Tensor]:
        """As the papers write a step."""
        after = {}
        for name, gradient in gradients.items():
            if isinstance(algorithm, MetaCurvatureSpec):
                for axis in range(gradient.dim()):
                    matrix = given[f"curvature.{name}.{axis}"]
                    gradient = torch.tensordot(matrix, gradient.movedim(axis, 0), dims=1).movedim(0, axis)
                after[name] = before[name] - 0.1 * gradient
            else:
                rate = given[f"rates.{name}"]
                rate = rate[step] if algorithm.learned_rates == "per_step" else rate
                after[name] = before[name] - 0.1 * rate * gradient
        return after

    names = [name for name in params if not name.startswith(("rates.", "curvature."))]
    there, taken = {name: params[name] for name in names}, []
    for step in range(2):
        loss = learner.loss_on(episode.support, params)  # type: ignore[attr-defined]
        taken.append(torch.func.grad(loss)(there))
        there = moved(params, there, taken[-1], step)

    def frozen(given: Params) -> Tensor:
        adapted = {name: given[name] for name in names}
        for step, gradients in enumerate(taken):
            adapted = moved(given, adapted, gradients, step)
        return learner.support_loss(given, adapted, query)

    expected = finite_differences(frozen, params)
    assert relative_difference(meta_gradient(learner, params, episode), expected) < CLOSE


@BOTH
def test_reptile_s_is_the_way_that_an_optimizer_goes(task: Task) -> None:
    spec = ReptileSpec(inner_steps=4, inner_lr=0.1, inner_batches=2)
    learner, episode = small_learner(spec, task), padded_episode(task)
    params = doubles(learner)
    network = _Module(params)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    # Real examples by class, in order; those of a class go into the two mini-batches in turn.
    real = [(x, y) for x, y, mask in zip(*episode.support[:3], strict=True) if mask] + list(
        zip(*episode.query[:2], strict=True)
    )
    kinds = [int(y) if task == "classification" else 0 for _, y in real]
    places = [kinds[:at].count(kind) % 2 for at, kind in enumerate(kinds)]
    for step in range(4):
        batch = [pair for pair, place in zip(real, places, strict=True) if place == step % 2]
        optimizer.zero_grad()
        inputs, targets = (torch.stack(part) for part in zip(*batch, strict=True))
        _loss(task, network(inputs), targets, episode).backward()
        optimizer.step()
    ours = meta_gradient(learner, params, episode)
    expected = {name: (params[name] - value.detach()) / 0.1 for name, value in network.named().items()}
    assert relative_difference(ours, expected) < CLOSE


@BOTH
@pytest.mark.parametrize("peer", ["higher", "torchopt"])
@pytest.mark.parametrize("name", ["maml", "anil", "boil"])
def test_it_is_that_of_a_library(name: str, peer: str, task: Task) -> None:
    library = pytest.importorskip(peer)
    learner, episode = small_learner(EXACT[name], task), padded_episode(task)
    params = doubles(learner)
    network = _Module(params)
    adapted = {"anil": network.head, "boil": network.body, "maml": network}
    theirs = _higher if peer == "higher" else _torchopt
    theirs(library, network, adapted[name], task, episode)
    expected = {name: value.grad for name, value in network.named().items()}
    assert relative_difference(meta_gradient(learner, params, episode), expected) < CLOSE


@pytest.mark.filterwarnings("ignore:We've integrated functorch:FutureWarning")
@BOTH
def test_imaml_s_is_torchopt_s_implicit_gradient(task: Task) -> None:
    torchopt = pytest.importorskip("torchopt")
    learner, episode = small_learner(EXACT["imaml"], task), padded_episode(task)
    params = doubles(learner)
    names = list(params)

    def stationary(solution: tuple[Tensor, ...], centre: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The gradient of the proximal loss, which is zero at its minimum."""
        there = dict(zip(names, solution, strict=True))
        slopes = torch.func.grad(
            lambda p: learner.support_loss(params, _with_classes(p, episode), episode.support)
        )(there)
        return tuple(
            slopes[name] + 4.0 * (value - middle)
            for name, value, middle in zip(names, solution, centre, strict=True)
        )

    @torchopt.diff.implicit.custom_root(
        stationary,
        argnums=1,
        solve=torchopt.linear_solve.solve_normal_cg(maxiter=200, atol=1e-14, rtol=1e-14),
    )
    def solve(start: tuple[Tensor, ...], centre: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        adapted = learner.adapt(dict(zip(names, centre, strict=True)), episode.support)
        return tuple(adapted[name].detach().requires_grad_() for name in names)

    centre = tuple(params[name].clone().requires_grad_() for name in names)
    solution = dict(zip(names, solve(centre, centre), strict=True))
    query = episode.support._replace(**episode.query._asdict())
    learner.support_loss(params, _with_classes(solution, episode), query).backward()
    expected = {name: value.grad for name, value in zip(names, centre, strict=True)}
    assert relative_difference(meta_gradient(learner, params, episode), expected) < CLOSE


class _Module(nn.Module):
    """The network of `small_learner` as a library wants it."""

    def __init__(self, params: Params) -> None:
        super().__init__()
        weights = [params[f"{name}.weight"] for name in ("backbone.0", "head")]
        self.body, self.head = (nn.Linear(*weight.shape[::-1], dtype=torch.float64) for weight in weights)
        for name, value in self.named().items():
            value.data.copy_(params[name])

    def named(self) -> dict[str, Tensor]:
        """The parameters by their names here."""
        return {
            f"{name}.{part}": getattr(layer, part)
            for name, layer in (("backbone.0", self.body), ("head", self.head))
            for part in ("weight", "bias")
        }

    def forward(self, inputs: Tensor) -> Tensor:
        return self.head(torch.tanh(self.body(inputs)))


def _loss(task: Task, outputs: Tensor, targets: Tensor, episode: Episode) -> Tensor:
    if task == "regression":
        return nn.functional.mse_loss(outputs, targets)
    return nn.functional.cross_entropy(only_real_classes(outputs, episode.support.class_mask), targets)


def _higher(higher: Any, network: "_Module", adapted: nn.Module, task: Task, episode: Episode) -> None:
    """Leave the meta-gradient of three inner steps on `adapted`, a part of the network, in its parameters."""
    inner = torch.optim.SGD(adapted.parameters(), lr=0.1)
    real = episode.support.mask == 1
    with higher.innerloop_ctx(network, inner, copy_initial_weights=False) as (moved, descent):
        for _ in range(3):
            outputs = moved(episode.support.inputs[real])
            descent.step(_loss(task, outputs, episode.support.targets[real], episode))
        _loss(task, moved(episode.query.inputs), episode.query.targets, episode).backward()


def _torchopt(torchopt: Any, network: "_Module", adapted: nn.Module, task: Task, episode: Episode) -> None:
    """The same by torchopt."""
    inner = torchopt.MetaSGD(adapted, lr=0.1)
    before = torchopt.extract_state_dict(adapted, by="reference")
    real = episode.support.mask == 1
    for _ in range(3):
        outputs = network(episode.support.inputs[real])
        inner.step(_loss(task, outputs, episode.support.targets[real], episode))
    _loss(task, network(episode.query.inputs), episode.query.targets, episode).backward()
    torchopt.recover_state_dict(adapted, before)


def _with_classes(params: Params, episode: Episode) -> Params:
    return {**params, "class_mask": episode.support.class_mask}
