"""How a policy's outer step is taken: what the meta-gradient of the collected trajectories is used for."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

Epochs = Annotated[int, Meta(ge=1, le=100)]


class PpoSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="ppo"
):
    """ProMP (Rothfuss et al. 2019): Adam on the clipped ratio objective for some `epochs` on the same trajectories.

    `divergence` is the weight of KL(sampling ‖ new) of the policies before each inner step.
    """

    clip: Annotated[float, Meta(gt=0.0, lt=1.0)] = 0.3
    epochs: Epochs = 5
    divergence: Annotated[float, Meta(ge=0.0, le=1000.0)] = 5e-4


class TrpoSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="trpo"
):
    """Trust region (Schulman et al. 2015, as MAML): a natural gradient step with KL(old ‖ new) at most `divergence`
    after adapting, by conjugate gradients and a line search. `meta_lr` has no part in it."""

    divergence: Annotated[float, Meta(gt=0.0, le=10.0)] = 0.01
    cg_steps: Annotated[int, Meta(ge=1, le=100)] = 10
    damping: Annotated[float, Meta(ge=0.0, le=10.0)] = 1e-5
    backtracks: Annotated[int, Meta(ge=1, le=50)] = 15


class PolicyGradientSpec(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    forbid_unknown_fields=True,
    tag_field="name",
    tag="policy_gradient",
):
    """One Adam step on the policy gradient after adapting."""


AdaptedName = Literal["discount", "gae_lambda", "inner_lr"]


class LifetimeSpec(
    msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="name", tag="lifetime"
):
    """One agent's life (Xu, van Hasselt & Silver 2018): an iteration is one inner step of one policy, on one task.

    What is meta-learned is not where the policy starts but the hyperparameters in `adapt`, from the algorithm's own
    values on, by Adam at `meta_lr` in logits (a rate's: of its share of four times its first value). Each moves by
    what it did to the policy, as told by the next trajectories under the reference's discount and lambda, which
    stay as they are.

    What it did is a trace: `trace_decay` 0 keeps the last step's part alone, as the paper ends up with;
    1 follows all steps exactly. The family's next task comes after every `task_iterations`; nobody tells the agent.
    """

    adapt: Annotated[tuple[AdaptedName, ...], Meta(max_length=3)] = ("discount", "gae_lambda")
    trace_decay: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    reference_discount: Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0
    reference_lambda: Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0
    task_iterations: Annotated[int, Meta(ge=1, le=10_000_000)] = 200


OuterSpec = PpoSpec | TrpoSpec | PolicyGradientSpec | LifetimeSpec
