"""The options of MAML, Meta-SGD and MAML++."""

from typing import Annotated, Literal

from msgspec import Meta

from models.spec.algorithms.inner_loop import UnrolledLoop


class MamlSpec(UnrolledLoop, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="maml"):
    """Model-agnostic meta-learning (Finn et al. 2017): a few gradient steps from a learned initialisation.

    `learned_rates` learns them as multiples of `inner_lr`: `per_parameter` one for each number (Meta-SGD, Li et
    al. 2017), `per_step` one for each tensor at each step (MAML++, Antoniou et al. 2019). `step_loss_decay` is
    MAML++'s multi-step loss: how much less a step's loss counts than the next one's; 0 counts the last alone.
    `inner_clip` bounds the norm of every inner gradient (Pascanu et al. 2013), 0 does not: where rare tasks have
    steep losses, many steps would run away on them.

    `robust` is for regression on tasks of which some cannot be foretold from their support sets: the outer loop
    learns from the square of a query's error below it and from its logarithm beyond; 0 squares them all.
    """

    learned_rates: Literal["none", "per_parameter", "per_step"] = "none"
    step_loss_decay: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.0
    inner_clip: Annotated[float, Meta(ge=0.0, le=1e6)] = 0.0
    robust: Annotated[float, Meta(ge=0.0, le=1e6)] = 0.0

    @property
    def query_passes(self) -> int:
        return max(1, self.inner_steps) if self.step_loss_decay else 1
