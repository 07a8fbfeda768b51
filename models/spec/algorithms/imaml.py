"""The options of MAML with implicit gradients."""

from typing import Annotated, ClassVar

from msgspec import Meta

from models.spec.algorithms.inner_loop import InnerLoop, InnerRate, InnerSteps


class ImamlSpec(InnerLoop, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="imaml"):
    """Implicit MAML (Rajeswaran et al. 2019): the inner loop's minimum is differentiated, not its path.

    `proximity` is how strongly adapted parameters are held to the initialisation (the paper's lambda), `cg_steps`
    the conjugate-gradient steps that a meta-gradient takes.
    """

    adjustable: ClassVar[tuple[str, ...]] = ("inner_steps", "inner_lr", "proximity")

    inner_steps: InnerSteps = 16
    inner_lr: InnerRate = 0.05
    proximity: Annotated[float, Meta(gt=0.0, le=1e4)] = 2.0
    cg_steps: Annotated[int, Meta(ge=1, le=100)] = 5

    @property
    def unrolled_steps(self) -> int:
        return min(1, self.inner_steps)
