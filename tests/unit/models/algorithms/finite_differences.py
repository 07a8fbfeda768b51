"""Small float64 learners and episodes, and gradients by finite differences, to hold meta-gradients against."""

from collections.abc import Callable

import torch
from torch import Tensor

from models.algorithms.learner import MetaLearner
from models.build import build_learner
from models.episode import Episode, QuerySet, SupportSet
from models.functional import Params
from models.spec import AlgorithmSpec, LearnerSpec, MlpSpec, Signature, Task, TensorSpec

INPUTS = TensorSpec(datatype="FP32", shape=(-1, 2))
SIGNATURES: dict[Task, Signature] = {
    "regression": Signature(inputs=INPUTS, targets=TensorSpec(datatype="FP32", shape=(-1, 1))),
    "classification": Signature(inputs=INPUTS, targets=TensorSpec(datatype="BYTES", shape=(-1,))),
}
MAX_WAYS = 4

# A stencil of fourth order: its own error, about the step's fourth power, is as small as float64's rounding.
_STEP = 1e-3
_STENCIL = {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}


def small_learner(algorithm: AlgorithmSpec, task: Task) -> MetaLearner:
    """On a network 2-5, tanh, with an output for each of 4 class slots or for one number."""
    spec = LearnerSpec(algorithm=algorithm, network=MlpSpec(hidden=(5,), activation="tanh"))
    return build_learner(spec, SIGNATURES[task], MAX_WAYS if task == "classification" else None)


def doubles(learner: MetaLearner, seed: int = 1) -> dict[str, Tensor]:
    """Meta-parameters in float64, away from where they begin: a start may be a special point."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: value.double() + 0.1 * torch.randn(value.shape, generator=generator).double()
        for name, value in learner.init(generator).items()
    }


def padded_episode(task: Task) -> Episode:
    """Five support examples and one that is padding; of four class slots one is unused."""
    generator = torch.Generator().manual_seed(3)

    def examples(count: int) -> tuple[Tensor, Tensor]:
        inputs = torch.randn(count, 2, generator=generator).double()
        if task == "classification":
            return inputs, torch.arange(count) % 3
        return inputs, torch.randn(count, 1, generator=generator).double()

    class_mask = torch.tensor([1.0, 1, 1, 0] if task == "classification" else []).double()
    support_mask = torch.tensor([1.0, 1, 1, 1, 1, 0]).double()
    return Episode(
        SupportSet(*examples(6), support_mask, class_mask), QuerySet(*examples(5), torch.ones(5).double())
    )


def finite_differences(function: Callable[[Params], Tensor], params: Params) -> dict[str, Tensor]:
    """The gradient of a scalar function of float64 parameters; all displaced parameters go through it at once."""
    flat = torch.cat([value.flatten() for value in params.values()])
    steps = _STEP * torch.eye(len(flat)).double()
    gradient = torch.zeros_like(flat)
    for place, weight in _STENCIL.items():
        parts = (flat + place * steps).split([value.numel() for value in params.values()], dim=1)
        displaced = {
            name: part.reshape(-1, *value.shape)
            for (name, value), part in zip(params.items(), parts, strict=True)
        }
        gradient += weight / _STEP * torch.vmap(function)(displaced)
    ends = gradient.split([value.numel() for value in params.values()])
    return {name: end.view(value.shape) for (name, value), end in zip(params.items(), ends, strict=True)}


def meta_gradient(learner: MetaLearner, params: Params, episode: Episode) -> dict[str, Tensor]:
    """The gradient of the learner's own meta-loss."""
    gradient, _ = torch.func.grad(learner.meta_loss, has_aux=True)(params, episode)
    return gradient


def relative_difference(ours: Params, theirs: Params) -> float:
    """The norm of the difference relative to the gradient's own, over all parameters."""
    assert ours.keys() == theirs.keys()
    apart, size = (
        torch.cat([(ours[name] * sign - theirs[name]).flatten() for name in theirs]).norm()
        for sign in (1.0, 0.0)
    )
    return float(apart / size)
