"""Neural processes' options."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from models.spec.algorithms.algorithm import Algorithm
from models.spec.algorithms.matching_net import MaxSupport
from models.spec.signature import Task

# A multiple of the most heads there may be, so that any number of them divides it.
Representation = Annotated[int, Meta(ge=8, le=2048, multiple_of=8)]


class CnpSpec(Algorithm, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="cnp"):
    """Conditional neural processes (Garnelo et al. 2018): the mean of what is made of each example is decoded.

    An adaptation is `representation` numbers, however many examples there were.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("regression",)
    gives_std: ClassVar[bool] = True

    representation: Representation = 64


class AnpSpec(Algorithm, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="anp"):
    """Attentive neural processes (Kim et al. 2019): a query attends to the examples that matter for it.

    An adaptation keeps every example, in `max_support` places whether used or not, and takes no more than that.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("regression",)
    gives_std: ClassVar[bool] = True

    representation: Representation = 64
    heads: Literal[1, 2, 4, 8] = 4
    max_support: MaxSupport = 128

    @property
    def support_bound(self) -> int | None:
        return self.max_support
