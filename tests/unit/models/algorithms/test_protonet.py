"""ProtoNet against prototypes and distances worked out in numpy."""

import numpy as np
import pytest
import torch

from models.algorithms.protonet import ProtoNet, squared_distances
from models.episode import SupportSet
from models.networks.mlp import Mlp


def _support(class_slots: int) -> SupportSet:
    inputs = torch.randn(7, 3, generator=torch.Generator().manual_seed(2))
    targets = torch.tensor([0, 1, 2, 0, 1, 0, 2])
    mask = torch.tensor([1.0, 1, 1, 1, 1, 1, 0])
    return SupportSet(inputs, targets, mask, (torch.arange(class_slots) < 3).float())


def test_logits_are_negative_squared_distances_to_class_means() -> None:
    learner = ProtoNet(Mlp(3, (6, 4)))
    params = learner.init(torch.Generator().manual_seed(0))
    support = _support(5)
    queries = torch.randn(4, 3, generator=torch.Generator().manual_seed(3))
    logits = learner.predict(params, learner.adapt(params, support), queries)["logits"].numpy()

    features = learner.backbone(params, support.inputs).numpy().astype(np.float64)
    asked = learner.backbone(params, queries).numpy().astype(np.float64)
    real, targets = support.mask.numpy() == 1, support.targets.numpy()
    for slot in range(3):
        prototype = features[real & (targets == slot)].mean(0)
        expected = -((asked - prototype) ** 2).sum(1)
        np.testing.assert_allclose(logits[:, slot], expected, rtol=1e-5, atol=1e-6)
    assert np.isneginf(logits[:, 3:]).all()


def test_distances_keep_their_digits_far_from_the_origin() -> None:
    generator = torch.Generator().manual_seed(1)
    points, centres = (torch.randn(n, 8, generator=generator) * 0.1 + 100 for n in (5, 4))
    exact = torch.cdist(points.double(), centres.double()).square().float()
    torch.testing.assert_close(squared_distances(points, centres), exact, rtol=1e-3, atol=1e-5)


def test_it_has_no_bound_on_ways_and_no_start() -> None:
    learner = ProtoNet(Mlp(3, (4,)))
    params = learner.init(torch.Generator().manual_seed(0))
    assert learner.max_ways is None
    with pytest.raises(ValueError, match="support set alone"):
        learner.adapt(params, _support(3), start={})
