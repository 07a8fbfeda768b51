"""MAML's options."""

from typing import Annotated, ClassVar

from msgspec import Meta

from models.spec.algorithms.algorithm import Algorithm
from models.spec.signature import Task

InnerSteps = Annotated[int, Meta(ge=0, le=200)]
InnerRate = Annotated[float, Meta(gt=0.0, le=10.0)]


class MamlSpec(Algorithm, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="maml"):
    """Model-agnostic meta-learning (Finn et al. 2017): a few gradient steps from a learned initialisation."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    adjustable: ClassVar[tuple[str, ...]] = ("inner_steps", "inner_lr")
    starts_from_adaptation: ClassVar[bool] = True
    has_output_layer: ClassVar[bool] = True

    inner_steps: InnerSteps = 1
    inner_lr: InnerRate = 0.01
    first_order: bool = False

    @property
    def gradient_steps(self) -> int:
        return self.inner_steps

    @property
    def unrolled_steps(self) -> int:
        return min(1, self.inner_steps) if self.first_order else self.inner_steps
