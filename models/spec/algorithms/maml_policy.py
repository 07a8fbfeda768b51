"""The options of MAML for policies."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from models.spec.algorithms.algorithm import Algorithm
from models.spec.algorithms.inner_loop import InnerRate, InnerSteps
from models.spec.signature import Task

SurrogateName = Literal["lvc", "dice", "loaded_dice", "first_order", "naive"]


class MamlPolicySpec(Algorithm, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="maml_policy"):
    """Policy gradient steps on trajectories, from a learned initial policy (Finn et al. 2017; ProMP, 2019).

    `inner_lr` is the rate of the first step from that policy, `later_lr` that of all others, also of a step that
    goes on from an adaptation; None is half of `inner_lr`, as MAML was tested. `learned_rates` `per_parameter`
    learns a multiple of them for each number of the policy (Meta-SGD, Li et al. 2017).

    `surrogate` is what the inner step differentiates: its gradient is the policy gradient in each case, its second
    derivatives differ (`models.algorithms.surrogates`); `naive` is biased and there for comparison. `score_term`
    credits the exploration before the step (E-MAML, Stadie et al. 2018). `gae_lambda` 1 gives Monte-Carlo
    advantages. A Gaussian policy starts with `initial_std` and never goes below `min_std`, both in half widths of
    the box of actions.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("policy",)
    adjustable: ClassVar[tuple[str, ...]] = ("inner_steps", "inner_lr", "later_lr")
    starts_from_adaptation: ClassVar[bool] = True
    has_output_layer: ClassVar[bool] = True

    inner_steps: InnerSteps = 1
    inner_lr: InnerRate = 0.1
    later_lr: InnerRate | None = None
    learned_rates: Literal["none", "per_parameter"] = "none"
    surrogate: SurrogateName = "lvc"
    score_term: bool = False
    discount: Annotated[float, Meta(ge=0.0, le=1.0)] = 0.99
    gae_lambda: Annotated[float, Meta(ge=0.0, le=1.0)] = 1.0
    initial_std: Annotated[float, Meta(gt=0.0, le=100.0)] = 1.0
    min_std: Annotated[float, Meta(gt=0.0, le=1.0)] = 1e-6

    def rates(self, steps: int, *, later: bool = False) -> tuple[float, ...]:
        """The rates of so many steps from the learned policy, or of `later` ones."""
        after = self.inner_lr / 2 if self.later_lr is None else self.later_lr
        return tuple(after if step or later else self.inner_lr for step in range(steps))

    @property
    def gradient_steps(self) -> int:
        return self.inner_steps

    @property
    def unrolled_steps(self) -> int:
        return min(1, self.inner_steps) if self.surrogate == "first_order" else self.inner_steps
