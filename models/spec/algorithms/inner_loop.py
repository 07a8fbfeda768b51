"""What the specs of all algorithms have in common that adapt by gradient steps."""

from typing import Annotated, ClassVar

from msgspec import Meta

from models.spec.algorithms.algorithm import Algorithm
from models.spec.signature import Task

InnerSteps = Annotated[int, Meta(ge=0, le=200)]
InnerRate = Annotated[float, Meta(gt=0.0, le=10.0)]


class InnerLoop(Algorithm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`inner_steps` steps of gradient descent on the support set's loss, at the rate `inner_lr`."""

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    adjustable: ClassVar[tuple[str, ...]] = ("inner_steps", "inner_lr")
    starts_from_adaptation: ClassVar[bool] = True
    has_output_layer: ClassVar[bool] = True

    inner_steps: InnerSteps = 1
    inner_lr: InnerRate = 0.01

    @property
    def gradient_steps(self) -> int:
        return self.inner_steps


class UnrolledLoop(InnerLoop, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An inner loop that the meta-gradient goes back through; `first_order` takes its gradients for constants."""

    first_order: bool = False

    @property
    def unrolled_steps(self) -> int:
        return min(1, self.inner_steps) if self.first_order else self.inner_steps
