"""On a GPU a batch's answers are those of one task at a time, and as near the exact ones as the CPU's."""

from functools import partial

import pytest
import torch

from models.algorithms.batched import adapt_batch, predict_batch
from models.episode import Episode, QuerySet, SupportSet
from models.functional import Params
from models.spec import AutoSpec, PriorFittedSpec
from models.training.outer_step import Layout, flatten, unflatten
from tests.every_learner import CASES, QUERIES, TASKS, drawn, learner_of
from tests.gpu.cuda import CPU, CUDA, apart, needs_cuda

pytestmark = needs_cuda

# Those that compute some of it in float32 whatever they are given: what is exact is then the CPU's float32.
IN_FLOAT32 = (AutoSpec, PriorFittedSpec)
GATE = 1e-4
WORSE = 3.0  # than the CPU's float32, where that is beyond the gate: a unit at its threshold goes either way


def _exactly(case: str) -> torch.dtype:
    return torch.float32 if isinstance(CASES[case][0].algorithm, IN_FLOAT32) else torch.float64


@pytest.mark.parametrize("case", CASES)
def test_together_is_one_by_one_and_as_exact_as_the_cpu(case: str) -> None:
    learner, signature = learner_of(case)
    params = learner.init(torch.Generator().manual_seed(1))
    supports, queries = drawn(signature)

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
    learner, signature = learner_of(case)
    params = learner.init(torch.Generator().manual_seed(1))
    supports, queries = drawn(signature)
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
