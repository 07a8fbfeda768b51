"""Reptile's options."""

from typing import Annotated

from msgspec import Meta

from models.spec.algorithms.inner_loop import InnerLoop, InnerRate, InnerSteps


class ReptileSpec(InnerLoop, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="reptile"):
    """Reptile (Nichol et al. 2018): the initialisation moves towards what it was adapted to.

    In meta-training a task is adapted to by `inner_steps` on all its examples, in `inner_batches` mini-batches.
    """

    inner_steps: InnerSteps = 5
    inner_lr: InnerRate = 0.02
    inner_batches: Annotated[int, Meta(ge=1, le=64)] = 2

    @property
    def unrolled_steps(self) -> int:
        return min(1, self.inner_steps)
