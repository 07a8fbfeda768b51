"""Local matching against its sums written out, the places it is kept in, and what it must not depend on."""

import math

import pytest
import torch
from torch import Tensor

from models.algorithms.local_matching import LocalMatching
from models.build import build_learner
from models.episode import Episode, QuerySet, SupportSet
from models.functional import Params
from models.networks.resnet_maps import ResNetMaps
from models.spec import LearnerSpec, LocalMatchingSpec, ResNetMapsSpec, Signature, TensorSpec
from tests.unit.models.algorithms.finite_differences import (
    doubles,
    finite_differences,
    meta_gradient,
    padded_episode,
    relative_difference,
    small_learner,
)

ROWS, COLUMNS = 2, 3
CLASSES = torch.ones(3)


class Plain:
    """A backbone whose features are the inputs: six places of two columns each."""

    width = ROWS * COLUMNS * 2

    def init(self, generator: torch.Generator) -> dict[str, Tensor]:
        return {}

    def __call__(self, params: Params, inputs: Tensor) -> Tensor:
        return inputs


def learner(max_support: int = 8, rivals: float = 0.0) -> LocalMatching:
    spec = LocalMatchingSpec(width=4, max_support=max_support, rivals=rivals)
    return LocalMatching(spec, Plain(), (ROWS, COLUMNS))


def params_of(net: LocalMatching) -> dict[str, Tensor]:
    """Away from the start, where all parts count alike and the displacement is symmetric."""
    generator = torch.Generator().manual_seed(0)
    return {
        name: value + 0.3 * torch.randn(value.shape, generator=generator)
        for name, value in net.init(generator).items()
    }


def inputs_of(examples: int, seed: int) -> Tensor:
    return torch.randn(examples, Plain.width, generator=torch.Generator().manual_seed(seed))


def support(examples: int = 5, classes: int = 3) -> SupportSet:
    slots = torch.arange(examples) % classes
    return SupportSet(inputs_of(examples, examples), slots, torch.ones(examples), CLASSES)


def written_out(params: Params, query: Tensor, example: Tensor) -> float:
    """The score of two examples, part by part."""
    asked, kept = (features.reshape(ROWS * COLUMNS, 2) for features in (query, example))
    x, y = asked @ params["matching.project"], kept @ params["matching.project"]
    near = torch.zeros(len(x), len(y))
    for p in range(len(x)):
        for r in range(len(y)):
            down, right = p // COLUMNS - r // COLUMNS, p % COLUMNS - r % COLUMNS
            apart = (x[p] - y[r]).square().sum() / (2 * math.sqrt(4))
            down, right = torch.tensor([down, right]) * params["matching.reach"]
            near[p, r] = -apart - (down**2 + right**2) / 2
    count, shift = params["matching.count"], params["matching.count_shift"]
    there = (torch.nn.functional.softplus(asked @ count + shift) * near.exp().sum(1).log()).mean()
    back = (torch.nn.functional.softplus(kept @ count + shift) * near.exp().sum(0).log()).mean()
    return float(params["matching.log_scale"].exp() * (there + back))


def test_a_logit_is_the_mean_likelihood_of_a_class_s_examples() -> None:
    net, seen, queries = learner(), support(), inputs_of(4, 1)
    params = params_of(net)
    logits = net.predict(params, net.adapt(params, seen), queries)["logits"]
    for query, row in zip(queries, logits, strict=True):
        scores = torch.tensor([written_out(params, query, example) for example in seen.inputs])
        for kind in range(3):
            expected = scores[seen.targets == kind].exp().mean().log()
            torch.testing.assert_close(row[kind], expected, atol=1e-4, rtol=1e-4)


def test_what_is_like_the_other_classes_is_less_like_a_query() -> None:
    plain, wary, seen, queries = learner(), learner(rivals=0.5), support(), inputs_of(4, 1)
    params = params_of(plain)
    adapted = wary.adapt(params, seen)
    scores = torch.tensor([[written_out(params, one, other) for other in seen.inputs] for one in seen.inputs])
    for example, kind in enumerate(seen.targets):
        likeness = scores[seen.targets != kind, example].logsumexp(0)
        torch.testing.assert_close(adapted["rivalry"][example], likeness / 2, atol=1e-4, rtol=1e-4)
    assert adapted["rivalry"][len(seen.inputs) :].tolist() == [0.0] * 3
    # One example a class: a class's logit is its example's score.
    few = seen._replace(inputs=seen.inputs[:3], targets=seen.targets[:3], mask=seen.mask[:3])
    kept = wary.adapt(params, few)
    before = plain.predict(params, plain.adapt(params, few), queries)["logits"]
    after = wary.predict(params, kept, queries)["logits"]
    torch.testing.assert_close(after, before - kept["rivalry"][:3])


def test_one_class_alone_has_no_rivals() -> None:
    net, seen = learner(rivals=1.0), support(3, 1)
    params = params_of(net)
    assert net.adapt(params, seen)["rivalry"].tolist() == [0.0] * 8


@pytest.mark.parametrize("padding", [0, 2, 20])
def test_what_is_kept_does_not_depend_on_padding(padding: int) -> None:
    net, seen = learner(), support()
    params = params_of(net)
    padded = SupportSet(
        torch.cat([torch.full((padding, Plain.width), 7.0), seen.inputs]),
        torch.cat([torch.zeros(padding, dtype=torch.int64), seen.targets]),
        torch.cat([torch.zeros(padding), seen.mask]),
        seen.class_mask,
    )
    alone, kept = net.adapt(params, seen), net.adapt(params, padded)
    assert {name: value.shape for name, value in kept.items()} == {
        "parts": (8, 6, 4),
        "counts": (8, 6),
        "slots": (8,),
        "class_mask": (3,),
    }
    for name, value in alone.items():
        torch.testing.assert_close(kept[name], value)
    assert kept["slots"].tolist() == [1, 2, 3, 1, 2, 0, 0, 0]


def test_the_meta_loss_does_not_depend_on_padding_and_looks_both_ways() -> None:
    net, seen, targets = learner(), support(), torch.tensor([0, 1, 2, 2])
    params, queries = params_of(net), inputs_of(4, 1)
    alone = Episode(seen, QuerySet(queries, targets, torch.ones(4)))
    loud = torch.full((3, Plain.width), 7.0)
    padded = Episode(
        SupportSet(
            torch.cat([seen.inputs, loud]),
            torch.cat([seen.targets, torch.zeros(3, dtype=torch.int64)]),
            torch.cat([seen.mask, torch.zeros(3)]),
            torch.cat([CLASSES, torch.zeros(2)]),
        ),
        QuerySet(
            torch.cat([queries, loud]),
            torch.cat([targets, torch.zeros(3, dtype=torch.int64)]),
            torch.tensor([1.0] * 4 + [0.0] * 3),
        ),
    )
    loss, metrics = net.meta_loss(params, alone)
    torch.testing.assert_close(net.meta_loss(params, padded)[0], loss, atol=1e-5, rtol=1e-5)
    scores = torch.tensor(
        [[written_out(params, query, example) for example in seen.inputs] for query in queries]
    )
    chances = torch.softmax(scores, 0)
    back = torch.stack([chances[targets == kind, row].sum() for row, kind in enumerate(seen.targets)])
    expected = (metrics["loss"] - back.log().mean()) / 2
    torch.testing.assert_close(loss, expected, atol=1e-4, rtol=1e-4)


def test_a_query_does_not_see_the_others() -> None:
    net, seen, queries = learner(), support(), inputs_of(4, 1)
    params = params_of(net)
    adapted = net.adapt(params, seen)
    together = net.predict(params, adapted, queries)["logits"]
    alone = torch.cat([net.predict(params, adapted, query.unsqueeze(0))["logits"] for query in queries])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-5)


def test_parts_far_apart_leave_finite_logits_and_gradients() -> None:
    net, seen = learner(), support(4, 2)
    far = seen._replace(inputs=1000 * seen.inputs)
    params = {**params_of(net), "matching.log_scale": torch.tensor(50.0)}

    def loss(moved: dict[str, Tensor]) -> Tensor:
        return net.meta_loss(moved, Episode(far, QuerySet(far.inputs.flip(0), far.targets, far.mask)))[0]

    gradient, value = torch.func.grad_and_value(loss)(params)
    assert value.isfinite()
    assert all(part.isfinite().all() for part in gradient.values())


def test_it_has_no_start() -> None:
    net = learner()
    with pytest.raises(ValueError, match="support set alone"):
        net.adapt(params_of(net), support(), start={})


def test_a_meta_gradient_is_that_of_finite_differences() -> None:
    net, episode = (
        small_learner(LocalMatchingSpec(width=3, max_support=6), "classification"),
        padded_episode("classification"),
    )
    params = doubles(net)
    expected = finite_differences(lambda moved: net.meta_loss(moved, episode)[0], params)
    assert relative_difference(meta_gradient(net, params, episode), expected) < 1e-6


def test_on_maps_a_shifted_image_is_nearer_than_another() -> None:
    signature = Signature(
        inputs=TensorSpec(datatype="FP32", shape=(-1, 12, 10, 1)),
        targets=TensorSpec(datatype="BYTES", shape=(-1,)),
    )
    spec = LearnerSpec(algorithm=LocalMatchingSpec(max_support=4), network=ResNetMapsSpec(width=8))
    net = build_learner(spec, signature)
    assert isinstance(net, LocalMatching)
    assert isinstance(net.backbone, ResNetMaps)
    assert net.grid == (3, 3)
    params = net.init(torch.Generator().manual_seed(0))
    images = torch.zeros(2, 1, 12, 10)
    images[0, 0, 2:5, 1:9] = 1.0
    images[1, 0, 1:11, 6:8] = 1.0
    seen = SupportSet(images, torch.tensor([0, 1]), torch.ones(2), torch.ones(2))
    moved = torch.roll(images, 2, dims=-2)
    assert net.predict(params, net.adapt(params, seen), moved)["logits"].argmax(-1).tolist() == [0, 1]


def test_rounded_likenesses_are_nearly_the_same() -> None:
    """Even of parts that lie far from the origin, where a squared length has more digits than bfloat16 keeps."""
    plain, seen, queries = learner(), support(), inputs_of(4, 1)
    params = params_of(plain)
    params["matching.reach"] = 3 * torch.ones(2)
    rounded = LocalMatching(plain.spec, Plain(), (ROWS, COLUMNS), torch.bfloat16)
    expected, found = (
        net.predict(params, net.adapt(params, seen), queries)["logits"] for net in (plain, rounded)
    )
    assert found.dtype == torch.float32
    assert not torch.equal(found, expected)
    torch.testing.assert_close(found, expected, atol=0.1, rtol=0.02)
