"""The default head: which of its heads a support set gets, and that it holds for classes of any size."""

import pytest
import torch
from torch import Tensor

from models.algorithms.batched import adapt_batch
from models.algorithms.default_head import APART, DefaultHead
from models.algorithms.leave_one_out import prototype_head, ridge_head
from models.algorithms.multinomial import logistic_heads
from models.episode import SupportSet
from models.networks.features import Features
from models.networks.mlp import Mlp
from models.spec.algorithms.auto import LOGISTIC_PENALTIES

F = 12


@pytest.fixture
def head() -> DefaultHead:
    return DefaultHead(Features(F))


def params_of(head: DefaultHead) -> dict[str, Tensor]:
    return head.init(torch.Generator().manual_seed(0))


def drawn(counts: list[int], *, skewed: bool = False, seed: int = 0) -> SupportSet:
    """So many examples of each class; skewed, classes differ in a direction that carries little of the variance."""
    generator = torch.Generator().manual_seed(seed)
    slots = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    centres = torch.randn(len(counts), F, generator=generator)
    inputs = torch.randn(len(slots), F, generator=generator) + 2 * centres[slots]
    if skewed:
        inputs = torch.randn(len(slots), F, generator=generator)
        inputs[:, 0] = 0.6 * (slots.float() - (len(counts) - 1) / 2)
    return SupportSet(inputs, slots, torch.ones(len(slots)), torch.ones(len(counts)))


def means_of(head: DefaultHead, support: SupportSet) -> Tensor:
    """The class means' weights [F + 1, N], of any scale."""
    features = head.backbone(params_of(head), support.inputs).double()
    labels = torch.nn.functional.one_hot(support.targets, len(support.class_mask)).double()
    return prototype_head(features, labels).weights.float()


def are_means(head: DefaultHead, support: SupportSet) -> bool:
    ours, means = head.adapt(params_of(head), support)["weights"], means_of(head, support)
    scale = (ours * means).sum() / means.square().sum()
    return bool(torch.allclose(ours, scale * means, atol=1e-4))


@pytest.mark.parametrize("counts", [[1, 1, 1], [2, 2, 2], [1, 3, 2], [2, 1]])
def test_few_examples_give_class_means(head: DefaultHead, counts: list[int]) -> None:
    assert are_means(head, drawn(counts))


def test_many_examples_give_ridge_where_it_errs_less(head: DefaultHead) -> None:
    support = drawn([20, 20], skewed=True)
    assert not are_means(head, support)
    params = params_of(head)
    logits = head.predict(params, head.adapt(params, support), drawn([100, 100], skewed=True, seed=1).inputs)
    truth = torch.arange(2).repeat_interleave(100)
    ours = (logits["logits"].argmax(-1) == truth).float().mean()
    queries = head.backbone(params, drawn([100, 100], skewed=True, seed=1).inputs)
    means = means_of(head, support)
    theirs = ((means[0] + queries @ means[1:]).argmax(-1) == truth).float().mean()
    assert ours > theirs


def test_shots_of_all_kinds_share_a_batch(head: DefaultHead) -> None:
    params = params_of(head)
    supports = [drawn([1, 1, 1]), drawn([6, 6, 6]), drawn([1, 9, 2])]
    size = max(len(one.targets) for one in supports)

    def padded(one: SupportSet) -> SupportSet:
        missing = size - len(one.targets)
        return SupportSet(
            torch.cat([one.inputs, torch.full((missing, F), 9.0)]),
            torch.cat([one.targets, torch.zeros(missing, dtype=torch.int64)]),
            torch.cat([one.mask, torch.zeros(missing)]),
            one.class_mask,
        )

    batch = SupportSet(*(torch.stack(parts) for parts in zip(*map(padded, supports), strict=True)))
    together = adapt_batch(head, params, batch)["weights"]
    for one, weights in zip(supports, together, strict=True):
        torch.testing.assert_close(weights, head.adapt(params, one)["weights"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("counts", [[1, 30], [30, 1, 1], [1] * 40, [5]])
def test_classes_of_one_example_are_classes(head: DefaultHead, counts: list[int]) -> None:
    params, support = params_of(head), drawn(counts)
    adapted = head.adapt(params, support)
    logits = head.predict(params, adapted, support.inputs)["logits"]
    assert logits.isfinite().all()
    if min(counts) == 1:
        alone = support.targets == counts.index(1)
        assert (logits[alone].argmax(-1) == support.targets[alone]).all()


def test_equal_examples_of_two_classes_are_a_toss(head: DefaultHead) -> None:
    params = params_of(head)
    inputs = torch.ones(8, F)
    support = SupportSet(inputs, torch.arange(8) % 2, torch.ones(8), torch.ones(2))
    logits = head.predict(params, head.adapt(params, support), inputs)["logits"]
    torch.testing.assert_close(torch.softmax(logits, -1), torch.full((8, 2), 0.5))


@pytest.mark.parametrize("size", [1e4, 1e8, 1e12])
def test_features_of_any_size_are_answered_by_a_head_that_can_be_fitted(size: float) -> None:
    """Of examples that are all alike and large, what penalties add is lost to rounding."""
    head = DefaultHead(Mlp(2, (8,)))
    params = params_of(head)
    slots = torch.arange(6) % 2
    inputs = size * torch.tensor([[1.0, 1.0], [-1.0, -1.0]])[slots]
    adapted = head.adapt(params, SupportSet(inputs, slots, torch.ones(6), torch.ones(2)))
    logits = head.predict(params, adapted, inputs)["logits"]
    assert logits.isfinite().all()
    assert (logits.argmax(-1) == slots).all()


def test_the_meta_gradient_reaches_what_is_learned(head: DefaultHead) -> None:
    head = DefaultHead(Features(F, projection=F))
    params = params_of(head)
    support, query = drawn([4, 4, 4]), drawn([2, 2, 2], seed=1)

    def loss(by_name: dict[str, Tensor]) -> Tensor:
        weights = head.adapt(by_name, support)
        logits = head.predict(by_name, weights, query.inputs)["logits"]
        return torch.nn.functional.cross_entropy(logits, query.targets)

    gradients = torch.func.grad(loss)(params)
    assert all(gradient.isfinite().all() for gradient in gradients.values())
    assert gradients["backbone.map"].abs().sum() > 0
    # The mean is known before meta-training, and stays.
    assert gradients["backbone.mean"].abs().sum() == 0


def test_classes_in_a_row_give_logistic_regression(head: DefaultHead) -> None:
    """Those in the middle are hidden behind the others for a fit of squares."""
    params, support, ways = params_of(head), drawn([15] * 10, skewed=True), 10
    ours = head.adapt(params, support)["weights"]
    labels = torch.nn.functional.one_hot(support.targets, ways).double()
    features = head.backbone(params, support.inputs).double()
    offsets = APART * (torch.arange(LOGISTIC_PENALTIES).double() - LOGISTIC_PENALTIES // 2)
    penalties = torch.exp(params["head.log_penalty_logistic"].double() + offsets)

    def apart(weights: Tensor) -> float:
        """How far from a multiple of `ours`; softmax does not see what all classes share."""
        mine, other = (one - one.mean(-1, keepdim=True) for one in (ours, weights.float()))
        return float(1 - torch.nn.functional.cosine_similarity(mine.flatten(), other.flatten(), dim=0))

    candidates = logistic_heads(features, labels, torch.ones(ways), penalties)
    assert min(apart(one.weights) for one in candidates) < 1e-5
    others = (
        prototype_head(features, labels),
        *(ridge_head(features, labels, one.unsqueeze(0)) for one in penalties),
    )
    assert min(apart(one.weights) for one in others) > 1e-2
