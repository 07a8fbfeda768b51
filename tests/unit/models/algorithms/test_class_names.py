"""Names of classes under the default head: fitted to, and no part of what it judges itself by."""

import pytest
import torch
from torch import Tensor

from models.algorithms.batched import adapt_batch
from models.algorithms.default_head import DefaultHead
from models.algorithms.leave_one_out import ridge_head
from models.algorithms.named import examples_of
from models.episode import SupportSet
from models.networks.features import Features

F = 12


def params_of(head: DefaultHead) -> dict[str, Tensor]:
    return head.init(torch.Generator().manual_seed(0))


def drawn(counts: list[int], seed: int = 0, wide: float = 2.0) -> SupportSet:
    """So many examples of each class, without names."""
    generator = torch.Generator().manual_seed(seed)
    slots = torch.arange(len(counts)).repeat_interleave(torch.tensor(counts))
    centres = torch.randn(len(counts), F, generator=generator)
    inputs = torch.randn(len(slots), F, generator=generator) + wide * centres[slots]
    return SupportSet(inputs, slots, torch.ones(len(slots)), torch.ones(len(counts)))


def named(support: SupportSet, names: Tensor, known: list[float] | None = None) -> SupportSet:
    ways = len(support.class_mask)
    mask = torch.ones(ways) if known is None else torch.tensor(known)
    return SupportSet(
        torch.cat([names, support.inputs]),
        torch.cat([torch.arange(ways), support.targets]),
        torch.cat([mask, support.mask]),
        support.class_mask,
    )


@pytest.fixture
def head() -> DefaultHead:
    return DefaultHead(Features(F), named=True)


def test_examples_are_what_is_real_and_no_name() -> None:
    support = named(drawn([2, 1]), torch.zeros(2, F), [1.0, 0.0])
    assert examples_of(support).tolist() == [0, 0, 1, 1, 1]
    padded = SupportSet(
        torch.nn.functional.pad(support.inputs, (0, 0, 0, 3)),
        torch.nn.functional.pad(support.targets, (0, 3)),
        torch.nn.functional.pad(support.mask, (0, 3)),
        torch.tensor([1.0, 1.0, 0.0]),
    )
    assert examples_of(padded).tolist() == [0, 0, 1, 1, 1, 0, 0, 0]


@pytest.mark.parametrize("counts", [[1, 1, 1], [2, 1, 3], [8, 8, 8]])
def test_names_that_are_not_there_add_nothing(head: DefaultHead, counts: list[int]) -> None:
    support, plain = drawn(counts), DefaultHead(Features(F))
    silent = named(support, torch.full((3, F), 9.0), [0.0, 0.0, 0.0])
    ours = head.adapt(params_of(head), silent)["weights"]
    torch.testing.assert_close(ours, plain.adapt(params_of(plain), support)["weights"], rtol=1e-4, atol=1e-5)


def test_a_name_is_one_more_example_at_one_shot(head: DefaultHead) -> None:
    """The class means are of both, and the temperature is the learned one: a lone example says nothing of it."""
    support = drawn([1, 1, 1])
    names = drawn([1, 1, 1], seed=1).inputs
    ours = head.adapt(params_of(head), named(support, names))["weights"]
    features = head.backbone(params_of(head), torch.cat([names, support.inputs]))
    means = (features[:3] + features[3:]) / 2
    expected = torch.cat([-means.square().sum(-1).unsqueeze(0), 2 * means.T])
    scale = torch.exp(params_of(head)["head.log_scale_means"])
    torch.testing.assert_close(ours, scale * expected, rtol=1e-4, atol=1e-5)


def test_names_say_nothing_of_the_temperature(head: DefaultHead) -> None:
    """Names that are told wrongly when left out make a head that counts them doubt itself, and ours no more so."""
    support = drawn([2, 2, 2], wide=6.0)
    wrong = drawn([1, 1, 1], wide=6.0).inputs.roll(1, 0)
    params = params_of(head)

    def temperature(one: DefaultHead, names: Tensor) -> Tensor:
        given = named(support, names)
        ours = one.adapt(params, given)["weights"][1:]
        features = one.backbone(params, given.inputs)
        means = torch.stack([features[given.targets == slot].mean(0) for slot in range(3)])
        return ours.norm() / (2 * means).norm()

    counting = DefaultHead(Features(F))
    assert temperature(counting, wrong) < temperature(head, wrong)


def test_ridge_chooses_its_penalty_by_examples_alone() -> None:
    support = drawn([6, 6])
    means = torch.stack([support.inputs[support.targets == slot].mean(0) for slot in range(2)])
    given = named(support, 3 * means.roll(1, 0))
    labels = torch.nn.functional.one_hot(given.targets, 2).double()
    penalties = torch.logspace(-3, 4, 15, dtype=torch.float64)
    judged = examples_of(given).double()
    chosen = ridge_head(given.inputs.double(), labels, penalties, judged)
    errors = []
    for penalty in penalties:
        one = ridge_head(given.inputs.double(), labels, penalty.unsqueeze(0))
        errors.append(float(((one.left_out - labels) * judged.unsqueeze(-1)).square().sum()))
    best = penalties[int(torch.tensor(errors).argmin())]
    expected = ridge_head(given.inputs.double(), labels, best.unsqueeze(0))
    torch.testing.assert_close(chosen.weights, expected.weights)
    by_all = ridge_head(given.inputs.double(), labels, penalties)
    assert not torch.allclose(by_all.weights, chosen.weights), "names would not have mattered here"


def test_padded_is_as_alone(head: DefaultHead) -> None:
    """Also of other ways: a name is told by the classes there are, not by the slots."""
    params = params_of(head)
    supports = [
        named(drawn([1, 1, 1]), drawn([1, 1, 1], seed=1).inputs),
        named(drawn([6, 6]), drawn([1, 1], seed=2).inputs, [1.0, 0.0]),
        named(drawn([4, 9, 2]), drawn([1, 1, 1], seed=3).inputs, [0.0, 0.0, 0.0]),
    ]
    size, ways = max(len(one.targets) for one in supports), 4

    def padded(one: SupportSet) -> SupportSet:
        missing, slots = size - len(one.targets), ways - len(one.class_mask)
        return SupportSet(
            torch.cat([one.inputs, torch.full((missing, F), 9.0)]),
            torch.cat([one.targets, torch.zeros(missing, dtype=torch.int64)]),
            torch.cat([one.mask, torch.zeros(missing)]),
            torch.cat([one.class_mask, torch.zeros(slots)]),
        )

    batch = SupportSet(*(torch.stack(parts) for parts in zip(*map(padded, supports), strict=True)))
    together = adapt_batch(head, params, batch)["weights"]
    for one, weights in zip(supports, together, strict=True):
        alone = head.adapt(params, one)["weights"]
        torch.testing.assert_close(weights[:, : alone.shape[1]], alone, rtol=1e-4, atol=1e-5)


def test_fitted_heads_wait_for_examples_not_for_names(head: DefaultHead) -> None:
    """At two shots and a name there are three rows a class, and two examples."""
    params, support = params_of(head), named(drawn([2, 2], wide=0.3), drawn([1, 1], seed=1).inputs)
    ours = head.adapt(params, support)["weights"][1:]
    features = head.backbone(params, support.inputs)
    means = torch.stack([features[support.targets == slot].mean(0) for slot in range(2)])
    scale = (ours * means.T).sum() / means.square().sum()
    torch.testing.assert_close(ours, scale * means.T, atol=1e-4, rtol=1e-4)


def test_beside_well_shown_classes_one_of_a_name_alone_keeps_its_place(head: DefaultHead) -> None:
    """All are class means then: a fit would take the one name for noise among many examples."""
    shown = drawn([9, 9, 9])
    few = shown._replace(inputs=shown.inputs[:18], targets=shown.targets[:18], mask=shown.mask[:18])
    names = shown.inputs[[0, 9, 18]]
    weights = head.adapt(params_of(head), named(few, names))["weights"]
    name = head.backbone(params_of(head), names)[2]
    torch.testing.assert_close(
        weights[1:, 2] / weights[1:, 2].norm(), name / name.norm(), rtol=1e-4, atol=1e-5
    )
