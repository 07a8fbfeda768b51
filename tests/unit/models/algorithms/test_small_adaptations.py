"""ANIL, BOIL and CAVIA: what each of them adapts, and that nothing else moves."""

import torch

from models.build import build_learner
from models.episode import SupportSet
from models.spec import AnilSpec, BoilSpec, CaviaSpec, Conv4Spec, LearnerSpec, MamlSpec, Signature, TensorSpec
from tests.unit.models.algorithms.finite_differences import doubles, padded_episode, small_learner


def test_anil_adapts_the_head_and_boil_the_body_of_what_maml_adapts() -> None:
    support = padded_episode("classification").support
    one_step = {"inner_steps": 1, "inner_lr": 0.1}
    maml = small_learner(MamlSpec(**one_step), "classification")
    params = doubles(maml)
    whole = maml.adapt(params, support)
    parts = [
        small_learner(algorithm, "classification").adapt(params, support)
        for algorithm in (AnilSpec(**one_step), BoilSpec(**one_step))
    ]
    assert parts[0].keys() == {"head.weight", "head.bias", "class_mask"}
    assert parts[1].keys() == {"backbone.0.weight", "backbone.0.bias", "class_mask"}
    for part in parts:
        for name, value in part.items():
            torch.testing.assert_close(value, whole[name])


def test_cavia_goes_on_from_its_context() -> None:
    support = padded_episode("regression").support
    one, two = (small_learner(CaviaSpec(inner_steps=steps, context=3), "regression") for steps in (1, 2))
    params = doubles(one)
    halfway = one.adapt(params, support)
    assert halfway["context"].shape == (3,)
    torch.testing.assert_close(one.adapt(params, support, halfway), two.adapt(params, support))


def test_an_image_gets_its_context_as_channels() -> None:
    images = TensorSpec(datatype="FP32", shape=(-1, 16, 16, 2))
    signature = Signature(inputs=images, targets=TensorSpec(datatype="BYTES", shape=(-1,)))
    spec = LearnerSpec(algorithm=CaviaSpec(inner_lr=0.1, context=3), network=Conv4Spec(hidden=8))
    learner = build_learner(spec, signature, 2)
    generator = torch.Generator().manual_seed(0)
    params = learner.init(generator)
    assert params["backbone.0.weight"].shape == (8, 5, 3, 3)
    inputs = torch.rand(4, 2, 16, 16, generator=generator)
    support = SupportSet(inputs, torch.tensor([0, 1, 0, 1]), torch.ones(4), torch.ones(2))
    adapted = learner.adapt(params, support)
    assert adapted["context"].abs().sum() > 0
    assert learner.support_loss(params, adapted, support) < learner.support_loss(
        params, {**adapted, "context": torch.zeros(3)}, support
    )
