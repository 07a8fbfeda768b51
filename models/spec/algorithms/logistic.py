"""The options of a logistic last layer."""

from typing import Annotated, ClassVar

from msgspec import Meta

from models.spec.algorithms.algorithm import Algorithm

# Enough for separable classes at small penalties from anywhere; the last of them double the digits.
NEWTON_STEPS = 20

PenaltyFactor = Annotated[float, Meta(ge=1e-3, le=1e3)]


class LogisticSpec(Algorithm, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="logistic"):
    """Logistic regression on learned features, fitted to the optimum (LR-D2, Bertinetto et al. 2019).

    The penalty is learned; `penalty_factor` multiplies it: above 1 trusts noisy labels less, below 1 more.
    """

    adjustable: ClassVar[tuple[str, ...]] = ("penalty_factor",)

    penalty_factor: PenaltyFactor = 1.0
