"""On a GPU a batch's answers are those of one task at a time, and as near the exact ones as the CPU's."""

from functools import partial

import pytest
import torch

from models.algorithms.batched import adapt_batch, predict_batch
from models.algorithms.learner import MetaLearner
from models.build import build_learner
from models.episode import Episode, QuerySet, SupportSet
from models.functional import Params
from models.networks.kernels import Kernels
from models.spec import (
    AlgorithmSpec,
    AutoSpec,
    Conv4Spec,
    LearnerSpec,
    LocalMatchingSpec,
    MamlSpec,
    NetworkSpec,
    PriorFittedSpec,
    ProtoNetSpec,
    ResNet12Spec,
    ResNetMapsSpec,
    RidgeSpec,
    Signature,
    TensorSpec,
)
from models.training.outer_step import Layout, flatten, unflatten
from tests.gpu.cuda import CPU, CUDA, apart, needs_cuda
from tests.unit.models.conftest import FURTHER, LEARNERS, network_of

pytestmark = needs_cuda

PICTURES = Signature(
    inputs=TensorSpec(datatype="FP32", shape=(-1, 28, 28, 1)),
    targets=TensorSpec(datatype="BYTES", shape=(-1,)),
)
TASKS, SHOTS, WAYS, QUERIES = 6, 9, 6, 4
CONV4 = Conv4Spec(hidden=16)
PATCHES = Kernels(convolution="patches")
OF_PICTURES: dict[str, tuple[AlgorithmSpec, NetworkSpec]] = {
    "maml, conv4": (MamlSpec(inner_steps=2, inner_lr=0.1), CONV4),
    "protonet, conv4": (ProtoNetSpec(), CONV4),
    "ridge, conv4": (RidgeSpec(), CONV4),
    "protonet, resnet12": (ProtoNetSpec(), ResNet12Spec(width=0.125)),
    "local matching, maps": (
        LocalMatchingSpec(max_support=SHOTS, rivals=0.2),
        ResNetMapsSpec(width=16, centred=True),
    ),
}
CASES: dict[str, tuple[LearnerSpec, Signature, Kernels]] = {
    **{
        name: (LearnerSpec(algorithm=algorithm, network=network_of(algorithm)), signature, Kernels())
        for name, (algorithm, signature) in LEARNERS.items()
    },
    **{name: (spec, signature, Kernels()) for name, (spec, signature) in FURTHER.items()},
    **{
        name: (LearnerSpec(algorithm=algorithm, network=network), PICTURES, Kernels())
        for name, (algorithm, network) in OF_PICTURES.items()
    },
    "maml, conv4 by patches": (
        LearnerSpec(algorithm=MamlSpec(inner_steps=2, inner_lr=0.1), network=CONV4),
        PICTURES,
        PATCHES,
    ),
    "views and turns": (
        LearnerSpec(algorithm=ProtoNetSpec(), network=CONV4, views=3, turns=8),
        PICTURES,
        Kernels(),
    ),
}
# Those that compute some of it in float32 whatever they are given: what is exact is then the CPU's float32.
IN_FLOAT32 = (AutoSpec, PriorFittedSpec)
GATE = 1e-4
WORSE = 3.0  # than the CPU's float32, where that is beyond the gate: a unit at its threshold goes either way


def _drawn(signature: Signature) -> tuple[SupportSet, torch.Tensor]:
    """Supports of M tasks, some of fewer examples and classes than there is room for, and queries."""
    generator = torch.Generator().manual_seed(0)
    shape = signature.inputs.example_shape
    shape = (shape[2], shape[0], shape[1]) if signature.is_image else shape
    inputs = torch.rand(TASKS, SHOTS, *shape, generator=generator)
    sizes = torch.randint(2, SHOTS + 1, (TASKS, 1), generator=generator)
    mask = (torch.arange(SHOTS) < sizes).float()
    if signature.task == "regression":
        targets = torch.randn(TASKS, SHOTS, signature.target_width, generator=generator)
        class_mask = torch.ones(TASKS, 0)
    else:
        ways = torch.randint(2, WAYS + 1, (TASKS, 1), generator=generator)
        targets = torch.randint(0, 1000, (TASKS, SHOTS), generator=generator) % ways
        class_mask = (torch.arange(WAYS) < ways).float()
    queries = torch.rand(TASKS, QUERIES, *shape, generator=generator)
    return SupportSet(inputs, targets, mask, class_mask), queries


def _exactly(case: str) -> torch.dtype:
    return torch.float32 if isinstance(CASES[case][0].algorithm, IN_FLOAT32) else torch.float64


def _learner(case: str) -> tuple[MetaLearner, Signature]:
    spec, signature, kernels = CASES[case]
    max_ways = WAYS if signature.task == "classification" else None
    return build_learner(spec, signature, max_ways, kernels), signature


@pytest.mark.parametrize("case", CASES)
def test_together_is_one_by_one_and_as_exact_as_the_cpu(case: str) -> None:
    learner, signature = _learner(case)
    params = learner.init(torch.Generator().manual_seed(1))
    supports, queries = _drawn(signature)

    def outputs(
        device: torch.device, tasks: slice, dtype: torch.dtype = torch.float32
    ) -> tuple[Params, Params]:
        def there(part: torch.Tensor) -> torch.Tensor:
            return part.to(device, dtype if part.is_floating_point() else part.dtype)

        here = {name: there(value) for name, value in params.items()}
        adapted = adapt_batch(learner, here, SupportSet(*(there(part[tasks]) for part in supports)))
        return adapted, predict_batch(learner, here, adapted, there(queries[tasks]))

    everything = slice(0, TASKS)
    together, on_cpu = outputs(CUDA, everything), outputs(CPU, everything)
    exact = outputs(CPU, everything, _exactly(case))
    alone = [outputs(CUDA, slice(m, m + 1)) for m in range(TASKS)]
    for which, batch in enumerate(together):
        for name, value in batch.items():
            rounded = apart(exact[which][name], on_cpu[which][name])
            assert apart(exact[which][name], value) <= max(GATE, WORSE * rounded), name
            assert apart(torch.cat([one[which][name] for one in alone]), value) <= GATE, name


@pytest.mark.parametrize("case", CASES)
def test_a_meta_gradient_is_as_exact_as_the_cpus(case: str) -> None:
    """Of all parameters together: one whose gradient is nothing but rounding has none of its own to be near."""
    learner, signature = _learner(case)
    params = learner.init(torch.Generator().manual_seed(1))
    supports, queries = _drawn(signature)
    targets = supports.targets[:, :QUERIES]
    batch = Episode(supports, QuerySet(queries, targets, torch.ones(TASKS, QUERIES)))

    def gradient(device: torch.device, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        here, there = (
            Layout(params).pack(params).to(device, dtype),
            unflatten(
                tuple(part.to(device, dtype if part.is_floating_point() else None) for part in flatten(batch))
            ),
        )

        def loss(vector: torch.Tensor) -> torch.Tensor:
            of_one = partial(learner.meta_loss, Layout(params).unpack(vector))
            return torch.vmap(lambda *parts: of_one(unflatten(parts))[0])(*flatten(there)).mean()

        with torch.enable_grad():
            return torch.autograd.grad(loss(here.requires_grad_()), here)[0].cpu().double()

    exact = gradient(CPU, _exactly(case))
    rounded, found = ((gradient(device) - exact).norm() / exact.norm() for device in (CPU, CUDA))
    assert found <= max(GATE, WORSE * rounded)
