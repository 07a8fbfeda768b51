"""The meta-test of a policy: its return before and after each step, on tasks that meta-training did not see."""

import math
from collections.abc import Callable

import torch

from models.algorithms.maml_policy import MamlPolicy
from models.environments.environment import EnvironmentFamily
from models.functional import Params
from models.training.policies.adaptation import adapt_with_fresh
from models.trajectory import returns

# Inner steps that a policy is scored after, each with fresh trajectories; and tasks at a time.
STEPS = 3
DRAW = 40

# Environment steps of a task for each of its gradient steps, as MAML was tested (Finn et al. 2017).
SAMPLES = 4000

Z95 = 1.96


def evaluate_policy(
    learner: MamlPolicy,
    meta_params: Params,
    family: EnvironmentFamily,
    *,
    tasks: int,
    n_trajectories: int | None = None,
    seed: int,
    device: torch.device | str = "cpu",
    before_each_pass: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """`return_step_<n>` for n inner steps from 0 to 3: mean undiscounted returns over tasks, each with the half
    width of its 95 % interval over tasks as `return_step_<n>_ci95`.

    The steps are at the learner's rates (`MamlPolicySpec.rates`), each from `n_trajectories` fresh
    trajectories of a task (None: as many as make 4000 steps). The same seed draws the same tasks, whatever the
    learner.
    """
    choosing = torch.Generator().manual_seed(seed)
    acting = torch.Generator().manual_seed(seed + 1)
    params = {name: value.to(device) for name, value in meta_params.items()}
    chosen = family.sample(choosing, tasks, "test").to(device)
    rates = learner.spec.rates(STEPS)
    count = n_trajectories or max(1, SAMPLES // family.horizon)
    parts = []
    for piece in torch.split(chosen, DRAW):
        before_each_pass()
        stages = adapt_with_fresh(learner, params, family, piece, rates, count, acting)
        parts.append(torch.stack([returns(stage.trajectories).mean(-1) for stage in stages]))
    report: dict[str, float] = {}
    for step, scores in enumerate(torch.cat(parts, -1).double()):
        report[f"return_step_{step}"] = scores.mean().item()
        spread = scores.std().item() if len(scores) > 1 else 0.0
        report[f"return_step_{step}_ci95"] = Z95 * spread / math.sqrt(len(scores))
    return report
