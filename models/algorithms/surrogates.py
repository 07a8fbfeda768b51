"""What an inner policy gradient step differentiates: estimators by name. Pure tensor formulas, no policy.

All have the policy gradient as their gradient, exactly in expectation. What a meta-gradient needs beyond it is the
Hessian of the expected return, and there they differ. Per trajectory, with sg = stop-gradient:

    l_t = log pi(a_t | s_t)      A_t = advantage      r_t = discounted reward      box(c) = exp(c - sg(c))
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from models.algorithms.advantages import Signal
from models.spec import SurrogateName

Terms = Callable[[Tensor, Signal], Tensor]


class Surrogate(NamedTuple):
    """An estimator; what is to be maximised is the sum of its terms over a trajectory's steps.

    `terms(log_probs, signal)` [..., L] takes both [..., L], log-probabilities 0 in padding; the signal is data.
    `differentiated` False: the step's gradient is a constant to the meta-gradient. `unbiased` says
    whether the expected Hessian is the true one.
    """

    terms: Terms
    unbiased: bool
    differentiated: bool = True


def box(exponents: Tensor) -> Tensor:
    """exp(c - sg(c)): one, with the derivatives of the exponential (the MagicBox of Foerster et al. 2018)."""
    return torch.exp(exponents - exponents.detach())


def naive(log_probs: Tensor, signal: Signal) -> Tensor:
    """l_t A_t: drops every outer product of scores from the Hessian (see Rothfuss et al. 2019, section 3)."""
    return log_probs * signal.advantages


def lvc(log_probs: Tensor, signal: Signal) -> Tensor:
    """box(l_t) A_t: keeps the outer products of one time, drops those across times (ProMP, Rothfuss et al. 2019).

    Biased, exact at horizon 1, and of a variance far below that of the unbiased ones.
    """
    return box(log_probs) * signal.advantages


def dice(log_probs: Tensor, signal: Signal) -> Tensor:
    """box(sum of l up to t) r_t: unbiased, of high variance (DiCE, Foerster et al. 2018)."""
    return box(log_probs.cumsum(-1)) * signal.rewards


def loaded_dice(log_probs: Tensor, signal: Signal) -> Tensor:
    """[box(c_t) - box(c_{t-1})] A_t, c_t the sum of l up to t (Farquhar et al. 2019).

    Unbiased for any baseline that depends on the state alone, with Monte-Carlo advantages; gae_lambda below 1
    biases it.
    """
    sums = log_probs.cumsum(-1)
    return (box(sums) - box(sums - log_probs)) * signal.advantages


SURROGATES: dict[SurrogateName, Surrogate] = {
    "lvc": Surrogate(lvc, unbiased=False),
    "dice": Surrogate(dice, unbiased=True),
    "loaded_dice": Surrogate(loaded_dice, unbiased=True),
    "first_order": Surrogate(naive, unbiased=False, differentiated=False),
    "naive": Surrogate(naive, unbiased=False),
}


def score_term(log_probs: Tensor, credit: Tensor) -> Tensor:
    """The sum of all l of a task's trajectories before a step [R, L] times what came of it [], held constant.

    Its gradient is what the finite-sample objective, E[return after a step on these very trajectories], has beyond
    the derivative of the step (Al-Shedivat et al. 2018; E-MAML, Stadie et al. 2018), if the credit is that return,
    less whatever does not depend on these trajectories.
    """
    return log_probs.sum() * credit.detach()
