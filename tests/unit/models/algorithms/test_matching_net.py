"""Matching networks against the paper's sum over the support set, and the places it is kept in."""

import pytest
import torch

from models.algorithms.matching_net import MatchingNet
from models.algorithms.places import order_of, placed
from models.episode import SupportSet
from models.networks.mlp import Mlp
from models.spec import MatchingNetSpec
from tests.unit.models.algorithms.finite_differences import (
    doubles,
    finite_differences,
    meta_gradient,
    padded_episode,
    relative_difference,
    small_learner,
)


def learner(max_support: int = 8) -> MatchingNet:
    return MatchingNet(MatchingNetSpec(max_support=max_support), Mlp(3, (6,), "tanh"))


def support(examples: int = 5, classes: int = 3) -> SupportSet:
    inputs = torch.randn(examples, 3, generator=torch.Generator().manual_seed(examples))
    slots = torch.arange(examples) % classes
    return SupportSet(inputs, slots, torch.ones(examples), torch.ones(classes))


def test_a_probability_is_the_attention_to_the_examples_of_a_class() -> None:
    net, seen = learner(), support()
    params = net.init(torch.Generator().manual_seed(0))
    queries = torch.randn(4, 3, generator=torch.Generator().manual_seed(1))
    keys, asked = (net.backbone(params, inputs) for inputs in (seen.inputs, queries))
    cosines = torch.nn.functional.cosine_similarity(asked[:, None], keys[None], dim=-1)
    attention = torch.softmax(10 * cosines, dim=-1)
    expected = torch.stack([attention[:, seen.targets == kind].sum(-1) for kind in range(3)], dim=-1)
    logits = net.predict(params, net.adapt(params, seen), queries)["logits"]
    torch.testing.assert_close(logits.exp(), expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(torch.softmax(logits, -1), expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("padding", [0, 2, 20])
def test_what_is_kept_does_not_depend_on_padding(padding: int) -> None:
    net, seen = learner(), support()
    params = net.init(torch.Generator().manual_seed(0))
    # Padding before the examples, not only behind them.
    padded = SupportSet(
        torch.cat([torch.full((padding, 3), 7.0), seen.inputs]),
        torch.cat([torch.zeros(padding, dtype=torch.int64), seen.targets]),
        torch.cat([torch.zeros(padding), seen.mask]),
        seen.class_mask,
    )
    alone, kept = net.adapt(params, seen), net.adapt(params, padded)
    assert {name: value.shape for name, value in kept.items()} == {
        "keys": (8, 6),
        "slots": (8,),
        "class_mask": (3,),
    }
    for name, value in alone.items():
        torch.testing.assert_close(kept[name], value)
    assert kept["slots"].tolist() == [1, 2, 3, 1, 2, 0, 0, 0]


def test_the_least_likely_class_has_a_finite_logit_and_gradients_are_finite() -> None:
    net, seen = learner(), support(6, 2)._replace(class_mask=torch.ones(3))
    params = net.init(torch.Generator().manual_seed(0))
    params["matching.log_scale"] = torch.tensor(50.0)

    def loss(moved: dict[str, torch.Tensor]) -> torch.Tensor:
        return net.support_loss(moved, net.adapt(moved, seen), seen)

    assert net.predict(params, net.adapt(params, seen), seen.inputs)["logits"].isfinite().all()
    assert all(value.isfinite().all() for value in torch.func.grad(loss)(params).values())


def test_real_examples_come_first_in_their_order() -> None:
    mask = torch.tensor([0.0, 1, 0, 1, 1])
    order = order_of(mask, 2)
    assert order.tolist() == [1, 3]
    assert placed(torch.arange(5.0), mask, order, 4).tolist() == [1, 3, 0, 0]


def test_it_has_no_start() -> None:
    net = learner()
    with pytest.raises(ValueError, match="support set alone"):
        net.adapt(net.init(torch.Generator().manual_seed(0)), support(), start={})


def test_a_meta_gradient_is_that_of_finite_differences() -> None:
    net, episode = (
        small_learner(MatchingNetSpec(max_support=6), "classification"),
        padded_episode("classification"),
    )
    params = doubles(net)
    expected = finite_differences(lambda moved: net.meta_loss(moved, episode)[0], params)
    assert relative_difference(meta_gradient(net, params, episode), expected) < 1e-6
