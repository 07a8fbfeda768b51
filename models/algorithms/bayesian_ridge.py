"""Bayesian linear regression on learned features. Knows the backbone as a pure function; nothing of training."""

import torch
from torch import Generator, Tensor
from torch.nn.functional import softplus

from models.algorithms.normal_inverse_gamma import (
    Posterior,
    Predictive,
    Prior,
    condition,
    condition_and_predict,
    predict,
)
from models.episode import Episode, SupportSet
from models.functional import Network, Params, masked_mean, squared_error
from models.spec import RidgeSpec, Task

# Keeps the noise's distribution proper however well meta-training comes to predict.
SMALLEST_SCALE = 1e-6

# Bounds on a weight's prior deviation in units of the noise: what float64 solves to more digits than float32 has.
LOG_DEVIATIONS = (-8.0, 8.0)


class BayesianRidge:
    """Regression by a closed-form Bayesian last layer with a learned prior (ALPaCA, Harrison et al. 2018).

    The columns are phi(x) = [1, x, backbone(x)] (a network over images or series leaves x out). The prior is a
    mixture of `components` Normal-Inverse-Gamma distributions: each stands for a kind of task, the support set
    tells which kind it is, how noisy, and of which scale, and the predictive distribution is a mixture of
    Student's t.
    Meta-training fits backbone and priors by the predictive density of the query set.
    """

    task: Task = "regression"
    max_ways = None

    def __init__(self, spec: RidgeSpec, backbone: Network, targets: int, raw_inputs: int) -> None:
        """`targets` is T; `raw_inputs` the width D of vector inputs, 0 for images and series."""
        self.components = spec.components
        self.backbone = backbone
        self.targets = targets
        self.raw_inputs = raw_inputs
        self.columns = 1 + raw_inputs + backbone.width

    def init(self, generator: Generator) -> dict[str, Tensor]:
        """Priors that differ a little, so that they can come to stand for different kinds of tasks."""
        params = self.backbone.init(generator)
        kinds, columns, targets = self.components, self.columns, self.targets
        params["prior.mean"] = torch.zeros(kinds, columns, targets)
        params["prior.log_deviation"] = 1.0 + 0.25 * torch.randn(kinds, columns, generator=generator)
        params["prior.shape"] = torch.zeros(kinds)
        params["prior.scale"] = torch.linspace(-2.0, 1.0, kinds).unsqueeze(-1).repeat(1, targets)
        params["prior.weight"] = torch.zeros(kinds)
        return params

    def adapt(
        self, meta_params: Params, support: SupportSet, start: Params | None = None
    ) -> dict[str, Tensor]:
        """The posterior by the names of its fields, float32; raises ValueError for a `start`."""
        if start is not None:
            raise ValueError("a closed-form last layer adapts from a support set alone")
        columns_SP = self._columns(meta_params, support.inputs)
        posterior = condition(
            self._prior(meta_params), columns_SP, support.targets.double(), support.mask.double()
        )
        return {name: value.float() for name, value in posterior._asdict().items()}

    def predict(self, meta_params: Params, adapted_params: Params, query_inputs: Tensor) -> dict[str, Tensor]:
        """`mean` and `std` [Q, T], float32."""
        predictive = self._predictive(meta_params, adapted_params, query_inputs)
        return {"mean": predictive.mean().float(), "std": predictive.std().float()}

    def support_loss(self, meta_params: Params, adapted_params: Params, support: SupportSet) -> Tensor:
        predictive = self._predictive(meta_params, adapted_params, support.inputs)
        return squared_error(predictive.mean().float(), support.targets, support.mask)

    def meta_loss(self, meta_params: Params, episode: Episode) -> tuple[Tensor, dict[str, Tensor]]:
        """The query's mean negative log predictive density, in nats an example; `loss` is its squared error."""
        support, query = episode
        prior = self._prior(meta_params)
        seen = (self._columns(meta_params, support.inputs), support.targets.double(), support.mask.double())
        queried_QP = self._columns(meta_params, query.inputs)
        if len(support.inputs) < self.columns:
            predictive = condition_and_predict(prior, *seen, queried_QP)
        else:
            predictive = predict(condition(prior, *seen), queried_QP)
        nll = -masked_mean(predictive.log_density(query.targets.double()).float(), query.mask)
        loss = squared_error(predictive.mean().detach().float(), query.targets, query.mask)
        return nll, {"loss": loss, "nll": nll.detach()}

    def _columns(self, meta_params: Params, inputs: Tensor) -> Tensor:
        """phi, float64 [E, P]."""
        ones = torch.ones_like(inputs.flatten(1)[:, :1])
        raw = [inputs] if self.raw_inputs else []
        return torch.cat([ones, *raw, self.backbone(meta_params, inputs)], dim=-1).double()

    def _prior(self, meta_params: Params) -> Prior:
        return Prior(
            meta_params["prior.mean"].double(),
            torch.exp(meta_params["prior.log_deviation"].double().clamp(*LOG_DEVIATIONS)),
            1.0 + softplus(meta_params["prior.shape"].double()),
            SMALLEST_SCALE + softplus(meta_params["prior.scale"].double()),
            torch.log_softmax(meta_params["prior.weight"].double(), dim=0),
        )

    def _predictive(self, meta_params: Params, adapted_params: Params, inputs: Tensor) -> Predictive:
        posterior = Posterior(*(adapted_params[name].double() for name in Posterior._fields))
        return predict(posterior, self._columns(meta_params, inputs))
