"""On a GPU a batch's answers are those of one task at a time, and as near the exact ones as the CPU's."""

import pytest
import torch

from models.algorithms.batched import adapt_batch, predict_batch
from models.build import build_learner
from models.episode import SupportSet
from models.functional import Params
from models.networks.kernels import Kernels
from models.spec import (
    AlgorithmSpec,
    Conv4Spec,
    LearnerSpec,
    MamlSpec,
    MlpSpec,
    NetworkSpec,
    ProtoNetSpec,
    RidgeSpec,
    Signature,
    TensorSpec,
)
from tests.gpu.cuda import CPU, CUDA, apart, needs_cuda

pytestmark = needs_cuda

LABELS = TensorSpec(datatype="BYTES", shape=(-1,))
NUMBERS = Signature(
    inputs=TensorSpec(datatype="FP32", shape=(-1, 3)), targets=TensorSpec(datatype="FP32", shape=(-1, 2))
)
POINTS = Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 3)), targets=LABELS)
PICTURES = Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 28, 28, 1)), targets=LABELS)
MLP, CONV4 = MlpSpec(hidden=(32, 32), activation="tanh"), Conv4Spec(hidden=16)
CASES: dict[str, tuple[AlgorithmSpec, NetworkSpec, Signature, Kernels]] = {
    "maml, numbers": (MamlSpec(inner_steps=5, inner_lr=0.05), MLP, NUMBERS, Kernels()),
    "maml, classes": (MamlSpec(inner_steps=5, inner_lr=0.1), MLP, POINTS, Kernels()),
    "protonet": (ProtoNetSpec(), MLP, POINTS, Kernels()),
    "ridge, numbers": (RidgeSpec(components=3), MLP, NUMBERS, Kernels()),
    "ridge, classes": (RidgeSpec(), MLP, POINTS, Kernels()),
    "maml, conv4": (MamlSpec(inner_steps=2, inner_lr=0.1), CONV4, PICTURES, Kernels()),
    "maml, conv4 by patches": (
        MamlSpec(inner_steps=2, inner_lr=0.1),
        CONV4,
        PICTURES,
        Kernels(convolution="patches"),
    ),
    "protonet, conv4": (ProtoNetSpec(), CONV4, PICTURES, Kernels()),
    "ridge, conv4": (RidgeSpec(), CONV4, PICTURES, Kernels()),
}
TASKS, SHOTS, WAYS, QUERIES = 6, 9, 5, 4
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


@pytest.mark.parametrize("case", CASES)
def test_together_is_one_by_one_and_as_exact_as_the_cpu(case: str) -> None:
    algorithm, network, signature, kernels = CASES[case]
    spec = LearnerSpec(algorithm=algorithm, network=network)
    max_ways = WAYS if signature.task == "classification" else None
    learner = build_learner(spec, signature, max_ways, kernels)
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
    exact = outputs(CPU, everything, torch.float64)
    alone = [outputs(CUDA, slice(m, m + 1)) for m in range(TASKS)]
    for which, batch in enumerate(together):
        for name, value in batch.items():
            rounded = apart(exact[which][name], on_cpu[which][name])
            assert apart(exact[which][name], value) <= max(GATE, WORSE * rounded), name
            assert apart(torch.cat([one[which][name] for one in alone]), value) <= GATE, name
