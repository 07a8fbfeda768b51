"""The closed form against textbook formulas in numpy, and its two ways of computing against one another."""

import math

import numpy as np
import torch

from models.algorithms.normal_inverse_gamma import Prior, condition, condition_and_predict, predict

K, P, S, E, T = 3, 6, 9, 4, 2


def _prior(generator: torch.Generator) -> Prior:
    return Prior(
        mean=torch.randn(K, P, T, generator=generator).double(),
        deviation=torch.exp(torch.randn(K, P, generator=generator)).double(),
        shape=1.0 + torch.rand(K, generator=generator).double(),
        scale=0.1 + torch.rand(K, T, generator=generator).double(),
        log_weight=torch.log_softmax(torch.randn(K, generator=generator), 0).double(),
    )


def _data(generator: torch.Generator) -> tuple[torch.Tensor, ...]:
    columns = torch.randn(S, P, generator=generator).double()
    targets = torch.randn(S, T, generator=generator).double()
    mask = (torch.arange(S) < S - 2).double()
    return columns, targets, mask, torch.randn(E, P, generator=generator).double()


def test_one_prior_is_the_textbook_posterior() -> None:
    generator = torch.Generator().manual_seed(0)
    prior, (columns, targets, mask, queried) = _prior(generator), _data(generator)
    answer = predict(condition(prior, columns, targets, mask), queried)
    phi, y, asked = (tensor.numpy() for tensor in (columns[:-2], targets[:-2], queried))
    log_evidence = np.zeros(K)
    for k in range(K):
        precision = np.diag(prior.deviation[k].numpy() ** -2)
        mean, shape, scale = prior.mean[k].numpy(), prior.shape[k].item(), prior.scale[k].numpy()
        new_precision = precision + phi.T @ phi
        new_mean = np.linalg.solve(new_precision, precision @ mean + phi.T @ y)
        new_shape = shape + len(phi) / 2
        for t in range(T):
            quadratic = (
                y[:, t] @ y[:, t]
                + mean[:, t] @ precision @ mean[:, t]
                - new_mean[:, t] @ new_precision @ new_mean[:, t]
            )
            new_scale = scale[t] + quadratic / 2
            spread = 1 + np.einsum("ep,pq,eq->e", asked, np.linalg.inv(new_precision), asked)
            np.testing.assert_allclose(answer.location[k, :, t], asked @ new_mean[:, t], rtol=1e-9)
            np.testing.assert_allclose(
                answer.scale[k, :, t], np.sqrt(new_scale / new_shape * spread), rtol=1e-9
            )
            log_evidence[k] += (
                (np.linalg.slogdet(precision)[1] - np.linalg.slogdet(new_precision)[1]) / 2
                + shape * math.log(scale[t])
                - new_shape * math.log(new_scale)
                + math.lgamma(new_shape)
                - math.lgamma(shape)
            )
    weights = np.exp(prior.log_weight.numpy()) * np.exp(log_evidence - log_evidence.max())
    np.testing.assert_allclose(answer.log_weight.exp(), weights / weights.sum(), rtol=1e-9)


def test_both_ways_of_computing_agree() -> None:
    generator = torch.Generator().manual_seed(1)
    prior, (columns, targets, mask, queried) = _prior(generator), _data(generator)
    kept = predict(condition(prior, columns, targets, mask), queried)
    direct = condition_and_predict(prior, columns, targets, mask, queried)
    for one, other in zip(kept, direct, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-9, atol=1e-12)


def test_mean_std_and_density_are_those_of_the_mixture() -> None:
    generator = torch.Generator().manual_seed(2)
    prior, (columns, targets, mask, queried) = _prior(generator), _data(generator)
    answer = predict(condition(prior, columns, targets, mask), queried)
    kinds = torch.distributions.StudentT(2 * answer.shape[:, None, None], answer.location, answer.scale)
    weights = answer.log_weight.exp()[:, None, None]
    mean = (weights * kinds.mean).sum(0)
    variance = (weights * (kinds.variance + kinds.mean.square())).sum(0) - mean.square()
    torch.testing.assert_close(answer.mean(), mean)
    torch.testing.assert_close(answer.std(), variance.sqrt())
    values = torch.randn(E, T, generator=generator).double()
    log_density = torch.logsumexp(kinds.log_prob(values).sum(-1) + answer.log_weight[:, None], 0)
    torch.testing.assert_close(answer.log_density(values), log_density)


def test_without_examples_the_prior_answers() -> None:
    generator = torch.Generator().manual_seed(3)
    prior, (columns, targets, _, queried) = _prior(generator), _data(generator)
    answer = predict(condition(prior, columns, targets, torch.zeros(S).double()), queried)
    torch.testing.assert_close(answer.location, queried @ prior.mean)
    torch.testing.assert_close(answer.log_weight, prior.log_weight)
