"""MAML for policies. Knows trajectories and the policy as pure functions; nothing of environments or training."""

import torch
from torch import Generator, Tensor

from models.algorithms.advantages import Signal, signal_of
from models.algorithms.maml import RATES
from models.algorithms.surrogates import SURROGATES
from models.functional import Params, masked_mean
from models.policies.policy import Policy
from models.spec import MamlPolicySpec, Task
from models.trajectory import Trajectories

# Importance ratios are cut here: beyond it a few steps would outweigh all others.
RATIO_LIMIT = 10.0


class MamlPolicy:
    """Adapt a whole policy by policy gradient steps from a learned initial one (Finn et al. 2017, section 5.3).

    All methods are pure and take a single task, like those of `MetaLearner`; the support set is trajectories
    instead. Adapted parameters are the policy's own, all of them.

    `learned_rates` makes the rates meta-parameters, one for each number of the policy (Meta-SGD, Li et al. 2017):
    multiples of the spec's, from 1 on. They say which numbers trajectories tell enough about to move.
    """

    task: Task = "policy"
    max_ways: int | None = None

    def __init__(self, spec: MamlPolicySpec, policy: Policy) -> None:
        self.spec = spec
        self.policy = policy
        self.surrogate = SURROGATES[spec.surrogate]

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """The policy's parameters, and `rates.<name>` of each where rates are learned."""
        params = self.policy.init(generator)
        if self.spec.learned_rates == "none":
            return params
        return {**params, **{RATES + name: torch.ones_like(value) for name, value in params.items()}}

    def adapt(
        self, meta_params: Params, support: Trajectories, start: Params | None = None
    ) -> dict[str, Tensor]:
        """The policy's parameters after `inner_steps` steps on the trajectories, from `start` or `meta_params`.

        Every step uses the same trajectories, each action weighted by how much likelier it became since it was
        sampled: since its `log_prob` where that is known, else since before the first step. No trajectories, no
        step. Differentiable in `meta_params`.
        """
        before = meta_params if start is None else start
        params = {name: (meta_params if _is_rate(name) else before)[name] for name in meta_params}
        support = self.with_log_probs(params, support)
        signal = signal_of(support, self.spec.discount, self.spec.gae_lambda)
        for rate in self.spec.rates(self.spec.inner_steps, later=start is not None):
            params = self.step(params, support, signal, rate)
        return {name: value for name, value in params.items() if not _is_rate(name)}

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """What to draw actions from, for observations [Q, D].

        A box: `mean` and `std` float32 [Q, A], in the environment's units. Discrete: `probabilities` [Q, n].
        """
        found = self.policy.distribution(adapted_params, query_inputs)
        if "mean" in found:
            return {"mean": found["mean"], "std": found["log_std"].exp().expand_as(found["mean"])}
        return {"probabilities": found["log_probabilities"].exp()}

    def support_loss(self, meta_params: Params, adapted_params: Params, support: Trajectories) -> Tensor:
        """What a further step would decrease: minus the surrogate's mean over the support's steps, a scalar."""
        signal = signal_of(support, self.spec.discount, self.spec.gae_lambda)
        return self.inner_loss(adapted_params, self.with_log_probs(adapted_params, support), signal)

    def step(
        self, params: Params, support: Trajectories, signal: Signal, rate: float | Tensor
    ) -> dict[str, Tensor]:
        """The parameters after one inner step at that rate; of trajectories whose `log_probs` are all set.

        Learned rates are among them, and stay.
        """
        return self.step_and_look(params, support, signal, rate)[0]

    def step_and_look(
        self, params: Params, support: Trajectories, signal: Signal, rate: float | Tensor
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """`step`, and the distribution before it for every action: the same pass over the network gives both."""

        def loss(at: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
            distribution = self.policy.distribution(at, support.observations)
            return self._loss(distribution, support, signal), distribution

        moving = {name: value for name, value in params.items() if not _is_rate(name)}
        gradients, distribution = torch.func.grad(loss, has_aux=True)(moving)
        if not self.surrogate.differentiated:
            gradients = {name: gradient.detach() for name, gradient in gradients.items()}
        if self.spec.learned_rates != "none":
            gradients = {name: params[RATES + name] * gradient for name, gradient in gradients.items()}
        moved = {name: value - rate * gradients[name] for name, value in moving.items()}
        return {**params, **moved}, distribution

    def inner_loss(self, params: Params, support: Trajectories, signal: Signal) -> Tensor:
        """Minus the surrogate's mean over all real steps, a scalar; of trajectories whose `log_probs` are set."""
        return self._loss(self.policy.distribution(params, support.observations), support, signal)

    def _loss(self, distribution: Params, support: Trajectories, signal: Signal) -> Tensor:
        log_probs = self.policy.log_prob(distribution, support.actions) * support.mask
        weights = (log_probs.detach() - support.log_probs).exp().clamp(max=RATIO_LIMIT)
        terms = self.surrogate.terms(log_probs, signal)
        return -masked_mean((terms * weights).flatten(), support.mask.flatten())

    def log_probs(self, params: Params, support: Trajectories) -> Tensor:
        """Log-probabilities [R, L] of the trajectories' actions under a policy; 0 in padding."""
        distribution = self.policy.distribution(params, support.observations)
        return self.policy.log_prob(distribution, support.actions) * support.mask

    def with_log_probs(self, params: Params, support: Trajectories) -> Trajectories:
        """The trajectories with their unknown `log_probs` set to those under `params`."""
        ours = self.log_probs(params, support).detach()
        known = support.known.unsqueeze(-1)
        given = torch.where(known > 0, support.log_probs, ours) * support.mask
        return support._replace(log_probs=given, known=torch.ones_like(support.known))

    def clipped_share(self, params: Params, support: Trajectories) -> Tensor:
        """The share of real steps with known `log_probs` whose importance ratio under `params` is cut, or below
        a RATIO_LIMIT-th; a scalar. Well above 0, the trajectories are those of another policy."""
        ratios = self.log_probs(params, support) - support.log_probs
        beyond = (ratios.abs() > torch.tensor(RATIO_LIMIT).log()).to(ratios.dtype)
        mask = support.mask * support.known.unsqueeze(-1)
        return masked_mean(beyond.flatten(), mask.flatten())


def _is_rate(name: str) -> bool:
    return name.startswith(RATES)
