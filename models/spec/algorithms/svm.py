"""The options of a support vector machine as last layer."""

from typing import ClassVar

from models.spec.algorithms.algorithm import Algorithm
from models.spec.algorithms.logistic import PenaltyFactor

# Twelve take the centre to where it ends; the others are for hard tasks, and double the digits.
INTERIOR_STEPS = 30


class SvmSpec(Algorithm, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="svm"):
    """A multi-class support vector machine on learned features (MetaOptNet, Lee et al. 2019).

    What an example on the wrong side costs is learned; `penalty_factor` divides it: above 1 trusts labels less.
    """

    adjustable: ClassVar[tuple[str, ...]] = ("penalty_factor",)

    penalty_factor: PenaltyFactor = 1.0
