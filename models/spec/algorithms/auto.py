"""The options of the default head."""

from models.spec.algorithms.algorithm import Algorithm

PENALTIES = 5
"""How many penalties are tried on every support set."""


class AutoSpec(Algorithm, frozen=True, kw_only=True, forbid_unknown_fields=True, tag="auto"):
    """What the evidence supports on a pretrained encoder's features, chosen by the support set itself.

    Class means at one or two examples a class; from three on ridge regression, with the penalty that errs least on
    what it leaves out, where it says more of what it left out than class means do. Probabilities are calibrated on
    what is left out too, from where meta-training says to start.
    """
