"""The options of a ridge last layer."""

from typing import Annotated, ClassVar

from msgspec import Meta

from models.spec.algorithms.algorithm import Algorithm
from models.spec.signature import Task


class RidgeSpec(Algorithm, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="ridge"):
    """A closed-form last layer on learned features (R2D2, Bertinetto et al. 2019; ALPaCA, Harrison et al. 2018).

    Regression is Bayesian linear regression with a learned prior, so that answers carry a std; `components`
    priors are mixed, for families of several kinds of tasks. Classification uses none.
    """

    tasks: ClassVar[tuple[Task, ...]] = ("classification", "regression")
    gives_std: ClassVar[bool] = True

    components: Annotated[int, Meta(ge=1, le=32)] = 1
