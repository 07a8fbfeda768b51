"""What is learned on an encoder's features: less the mean of what was meta-trained on, of length one."""

import numpy as np
import torch

from models.build import build_family
from models.networks.features import Features
from models.spec import LabelledSpec
from models.tasks.labelled import Labelled
from models.tasks.labelled_data import LabelledData


def test_features_are_centred_and_of_length_one() -> None:
    generator = torch.Generator().manual_seed(0)
    mean, raw = torch.randn(6, generator=generator), torch.randn(9, 6, generator=generator)
    network = Features(6, mean=mean)
    params = network.init(generator)
    centred = raw - mean
    expected = centred / centred.norm(dim=1, keepdim=True)
    torch.testing.assert_close(network(params, raw), expected)
    # The mean is a start's own: what it was made from may change.
    mean += 1
    torch.testing.assert_close(network(params, raw), expected)
    for projection in (6, 4):
        mapped = Features(6, projection)
        found = mapped(mapped.init(generator), raw)
        assert found.shape == (9, mapped.width) == (9, projection)
        torch.testing.assert_close(found.norm(dim=1), torch.ones(9))


def test_an_example_does_not_see_the_others() -> None:
    generator = torch.Generator().manual_seed(0)
    network, raw = Features(5, 3, torch.ones(5)), torch.randn(4, 5, generator=generator)
    params = network.init(generator)
    loud = torch.cat([raw[:1], raw[1:] * 100])
    torch.testing.assert_close(network(params, loud)[0], network(params, raw[:1])[0])


def test_the_mean_is_that_of_meta_training_alone() -> None:
    labels = np.arange(10).repeat(4)
    inputs = labels[:, None] + np.random.default_rng(0).normal(size=(40, 3))
    data = LabelledData.from_arrays(inputs, labels)
    family = build_family(LabelledSpec(dataset="d", n_way=2, n_query=2, test_fraction=0.4), data)
    assert isinstance(family, Labelled)
    held_out = [int(name) for name in family.split.record.test]
    assert len(held_out) == 4
    seen = data.inputs[torch.from_numpy(~np.isin(labels, held_out))]
    torch.testing.assert_close(family.train_mean(), seen.mean(0))
