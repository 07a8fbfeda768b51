"""The options of the default head."""

from typing import Annotated, ClassVar, Literal

from msgspec import Meta

from models.spec.algorithms.algorithm import Algorithm

PENALTIES = 5
"""How many penalties of ridge regression are tried on every support set."""
LOGISTIC_PENALTIES = 2
"""And of logistic regression."""
FIT_STEPS = (2, 3, 4, 6, 8, 8, 10, 12)
"""Newton steps of a logistic regression: how many conjugate gradients each of them gets."""
AT_ONCE = 1 << 22
"""Numbers in the matrices of what logistic regressions leave out that are made at once."""


ESCALATED_FROM = 5
"""Examples a class, on average, from which on a text encoder may be tuned to a task."""
ESCALATED_MOST = 256
"""Examples at most: beyond, it would take too long for somebody who waits."""
FOLDS = 3
"""Parts of a support set, each predicted by what is fitted to the others."""
ESCALATION_WORK = 1_000_000_000_000
"""Multiply-adds that tuning an encoder to one task may take: on one core two thirds of what a caller waits for."""
ESCALATION_PASSES = 2
"""What a step takes, in passes of all examples through the encoder: forwards, and backwards through its top."""
_FEWEST_STEPS = 4

_MOST = 50_000_000_000
"""Multiply-adds of logistic regression: of support sets beyond, ridge regression alone is tried."""


def logistic_work(support: int, features: int, ways: int) -> int:
    """Multiply-adds of the logistic regressions on a support set of so many examples, places included.

    Of each penalty a fit among the examples, and of what it leaves out a matrix for every class.
    """
    side = min(support, features)
    # A step is its gradients, and as much as four more for its length.
    products = sum(FIT_STEPS) + 4 * len(FIT_STEPS)
    fit = products * support * min(support, 2 * features) * ways
    return LOGISTIC_PENALTIES * (fit + ways * side * side * (side + support))


def tries_logistic(support: int, features: int, ways: int) -> bool:
    """Whether it is tried on a support set of so many examples and classes, places included."""
    return logistic_work(support, features, ways) <= _MOST


class AutoSpec(Algorithm, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="auto"):
    """What the evidence supports on a pretrained encoder's features, chosen by the support set itself.

    Class means at one or two examples a class; from three on ridge or logistic regression, each with the penalty
    that does best on what it leaves out, where it says more of what it left out than class means do. Probabilities
    are calibrated on what is left out too, from where meta-training says to start.

    `escalate` lora: of a text encoder, low-rank differences (Hu et al. 2021) of `rank` in its top `layers` are
    fitted to the support set in so many `steps`, and kept where they predict what they have not seen clearly better
    than the encoder as it is. Of five examples a class and more; it takes seconds.
    """

    adjustable: ClassVar[tuple[str, ...]] = ("escalate",)

    escalate: Literal["never", "lora"] = "never"
    rank: Annotated[int, Meta(ge=1, le=64)] = 4
    layers: Annotated[int, Meta(ge=1, le=48)] = 2
    steps: Annotated[int, Meta(ge=1, le=200)] = 12
    tuning_lr: Annotated[float, Meta(gt=0.0, le=1.0)] = 0.003

    def escalation_steps(self, encoding: int) -> int:
        """Steps of each fit that `ESCALATION_WORK` allows where encoding all takes `encoding` multiply-adds.

        Of the sizes alone, so that equal tasks have equal steps; 0 where so few are left that nothing is tried.
        """
        # Fits to all but a part each, and one to all, are together as many to all as there are parts; and all is
        # encoded before, and after each of them.
        left = ESCALATION_WORK // max(encoding, 1) - (FOLDS + 2)
        steps = min(self.steps, left // (FOLDS * ESCALATION_PASSES))
        return steps if steps >= min(self.steps, _FEWEST_STEPS) else 0

    def may_escalate(self, support: int, ways: int) -> bool:
        """Whether a support set of so many examples and classes is one to tune an encoder to."""
        wanted = self.escalate != "never"
        return wanted and ESCALATED_FROM * ways <= support <= ESCALATED_MOST
