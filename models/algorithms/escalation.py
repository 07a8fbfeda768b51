"""Whether tuning a text encoder to one task pays, and by what it is then tuned. Knows the default head.

The frozen encoder is fitted first; differences of its weights are kept only where they say clearly more of examples
that they were not fitted to (P>M>F, Hu et al. 2022; SetFit, Tunstall et al. 2022).
"""

from collections.abc import Generator as PyGenerator
from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Generator, Tensor

from models.algorithms.default_head import DefaultHead
from models.algorithms.leave_one_out import prototype_head
from models.encoders.text import TextEncoder
from models.encoders.tuning import Tuning
from models.episode import SupportSet
from models.functional import Params, one_hot
from models.spec.algorithms.auto import FOLDS, AutoSpec

Stepwise = PyGenerator[None, None, dict[str, Tensor]]

_BETAS, _EPSILON = (0.9, 0.999), 1e-8


class Scores(NamedTuple):
    """Of examples by what was fitted to the others: their mean log-likelihood, and how many in one are right."""

    likelihood: float
    accuracy: float


class Escalation(NamedTuple):
    """Both scores, and the differences to adapt with, by name: none where the encoder stays as it is.

    Where it would have taken too long nothing was tried, and there are no scores.
    """

    frozen: Scores | None
    tuned: Scores | None
    factors: dict[str, Tensor]


class Escalating:
    """One task's: `steps` are an iterator of short ones, so that others get a turn between two; then `result`.

    Deterministic: the same task gives the same bytes, and takes as many steps as its sizes allow, whatever the
    clock says.
    """

    def __init__(
        self,
        spec: AutoSpec,
        learner: DefaultHead,
        meta_params: Params,
        encoder: TextEncoder,
        tuning: Tuning,
        tokens: Tensor,
        targets: Tensor,
        n_ways: int,
        mask: Tensor | None = None,
    ) -> None:
        """`learner` takes the encoder's features. Tokens [S, L] with -1 behind a text's end, class slots [S].

        The first `n_ways` are names where the learner's support sets are named; `mask` [S] is 0 for those that
        there are not. A name is fitted to and never asked for.
        """
        self._spec = spec
        self._learner = learner
        self._meta_params = meta_params
        self._encoder = encoder
        self._tuning = tuning
        self._tokens = tokens
        self._targets = targets
        self._class_mask = torch.ones(n_ways, device=tokens.device)
        self._mask = torch.ones_like(targets).float() if mask is None else mask
        self._names = n_ways if learner.named else 0
        self.result: Escalation | None = None
        self._steps = spec.escalation_steps(tokens.numel() * encoder.multiply_adds)
        self.steps: Iterator[None] = self._run()

    def _run(self) -> Iterator[None]:
        if self._steps == 0:
            self.result = Escalation(None, None, {})
            return
        with torch.no_grad():
            features_SF = self._encoder.features(self._tokens, self._encoder.weights)
        yield
        folds_S = _folds(self._targets[self._names :], len(self._class_mask))
        # Names are of no part: no fold leaves them out.
        folds_S = torch.cat([folds_S.new_full((self._names,), -1), folds_S])
        answers: dict[str, list[Tensor]] = {"frozen": [], "tuned": []}
        for fold in range(FOLDS):
            kept, left = folds_S != fold, folds_S == fold
            found = yield from self._fit(kept)
            answers["frozen"].append(self._likelihoods(features_SF, kept, left))
            answers["tuned"].append(self._likelihoods(self._tuned(found), kept, left))
            yield
        frozen_S2, tuned_S2 = (torch.cat(answers[name]) for name in ("frozen", "tuned"))
        gains_S = (tuned_S2 - frozen_S2)[:, 0]
        factors: dict[str, Tensor] = {}
        # More than a standard error of the gain, and no fewer right.
        if gains_S.mean() > gains_S.std() / len(gains_S) ** 0.5 and _right(tuned_S2) >= _right(frozen_S2):
            factors = yield from self._fit(torch.ones_like(folds_S, dtype=torch.bool))
        self.result = Escalation(_scores(frozen_S2), _scores(tuned_S2), factors)

    def _fit(self, kept: Tensor) -> Stepwise:
        """Differences by Adam, on how class means classify those of the `kept` examples that they leave out."""
        tokens, targets = self._tokens[kept], self._targets[kept]
        labels = one_hot(targets, self._mask[kept], len(self._class_mask))
        scale = torch.exp(self._meta_params["head.log_scale_means"])
        shown = labels[self._names :]
        # One that leaves its class the name alone is not learned from, as the head is not judged by it.
        judged = (shown @ shown.sum(0) > 1.0).float()

        def loss(moved: dict[str, Tensor]) -> Tensor:
            encoded = self._encoder.features(tokens, self._tuning.weights(moved))
            head = prototype_head(self._learner.backbone(self._meta_params, encoded), labels)
            picked = (torch.log_softmax(scale * head.left_out, -1) * labels).sum(-1)[self._names :]
            known = head.known[self._names :] * judged
            return -(picked * known).sum() / known.sum().clamp(min=1.0)

        fresh = self._tuning.init(Generator().manual_seed(0))
        factors = {name: value.to(tokens.device) for name, value in fresh.items()}
        first = {name: torch.zeros_like(value) for name, value in factors.items()}
        second = dict(first)
        for step in range(1, self._steps + 1):
            with torch.enable_grad():
                gradients = torch.func.grad(loss)(factors)
            for name, gradient in gradients.items():
                first[name] = torch.lerp(first[name], gradient, 1 - _BETAS[0])
                second[name] = torch.lerp(second[name], gradient.square(), 1 - _BETAS[1])
            # It fades to nothing: the last step is a small one.
            rate = self._spec.tuning_lr * (1 - (step - 1) / self._steps)
            mean, spread = (1 - beta**step for beta in _BETAS)
            factors = {
                name: value - rate * (first[name] / mean) / ((second[name] / spread).sqrt() + _EPSILON)
                for name, value in factors.items()
            }
            yield
        return factors

    def _tuned(self, factors: dict[str, Tensor]) -> Tensor:
        with torch.no_grad():
            return self._encoder.features(self._tokens, self._tuning.weights(factors))

    def _likelihoods(self, features: Tensor, kept: Tensor, left: Tensor) -> Tensor:
        """[E, 2] of the examples that are `left`: log-likelihood, and whether it is right, by a fit to others."""
        with torch.no_grad():
            targets = self._targets[kept]
            support = SupportSet(features[kept], targets, self._mask[kept], self._class_mask)
            adapted = self._learner.adapt(self._meta_params, support)
            logits = self._learner.predict(self._meta_params, adapted, features[left])["logits"]
        truth = self._targets[left]
        likelihood = torch.log_softmax(logits, -1).gather(-1, truth.unsqueeze(-1)).squeeze(-1)
        return torch.stack([likelihood, (logits.argmax(-1) == truth).to(likelihood.dtype)], -1)


def _folds(targets: Tensor, n_ways: int) -> Tensor:
    """[S], the part that each example belongs to: every class spread over all of them."""
    ones_SN = torch.nn.functional.one_hot(targets, n_ways)
    rank_S = (ones_SN.cumsum(0) - ones_SN).gather(-1, targets.unsqueeze(-1)).squeeze(-1)
    return (rank_S + targets) % FOLDS


def _right(answers: Tensor) -> float:
    return float(answers[:, 1].sum())


def _scores(answers: Tensor) -> Scores:
    likelihood, accuracy = answers.mean(0).tolist()
    return Scores(likelihood, accuracy)
