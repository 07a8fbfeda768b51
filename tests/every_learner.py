"""Every kind of learner, on small networks of every kind, with tasks for it. Knows no device."""

import torch

from models.algorithms.learner import MetaLearner
from models.build import build_learner
from models.episode import SupportSet
from models.networks.kernels import Kernels
from models.spec import (
    AlgorithmSpec,
    Conv4Spec,
    LearnerSpec,
    LocalMatchingSpec,
    MamlSpec,
    NetworkSpec,
    ProtoNetSpec,
    ResNet12Spec,
    ResNetMapsSpec,
    RidgeSpec,
    Signature,
    TensorSpec,
)
from tests.unit.models.conftest import FURTHER, LEARNERS, network_of

PICTURES = Signature(
    inputs=TensorSpec(datatype="FP32", shape=(-1, 28, 28, 1)),
    targets=TensorSpec(datatype="BYTES", shape=(-1,)),
)
TASKS, SHOTS, WAYS, QUERIES = 6, 9, 6, 4
CONV4 = Conv4Spec(hidden=16)
PATCHES = Kernels(convolution="patches")
OF_PICTURES: dict[str, tuple[AlgorithmSpec, NetworkSpec]] = {
    "maml, conv4": (MamlSpec(inner_steps=2, inner_lr=0.1), CONV4),
    "protonet, conv4": (ProtoNetSpec(), CONV4),
    "ridge, conv4": (RidgeSpec(), CONV4),
    "protonet, resnet12": (ProtoNetSpec(), ResNet12Spec(width=0.125)),
    "local matching, maps": (
        LocalMatchingSpec(max_support=SHOTS, rivals=0.2),
        ResNetMapsSpec(width=16, centred=True),
    ),
}
CASES: dict[str, tuple[LearnerSpec, Signature, Kernels]] = {
    **{
        name: (LearnerSpec(algorithm=algorithm, network=network_of(algorithm)), signature, Kernels())
        for name, (algorithm, signature) in LEARNERS.items()
    },
    **{name: (spec, signature, Kernels()) for name, (spec, signature) in FURTHER.items()},
    **{
        name: (LearnerSpec(algorithm=algorithm, network=network), PICTURES, Kernels())
        for name, (algorithm, network) in OF_PICTURES.items()
    },
    "maml, conv4 by patches": (
        LearnerSpec(algorithm=MamlSpec(inner_steps=2, inner_lr=0.1), network=CONV4),
        PICTURES,
        PATCHES,
    ),
    "views and turns": (
        LearnerSpec(algorithm=ProtoNetSpec(), network=CONV4, views=3, turns=8),
        PICTURES,
        Kernels(),
    ),
}


def learner_of(case: str) -> tuple[MetaLearner, Signature]:
    """A learner that knows `WAYS` classes at most, and the signature it is for."""
    spec, signature, kernels = CASES[case]
    max_ways = WAYS if signature.task == "classification" else None
    return build_learner(spec, signature, max_ways, kernels), signature


def drawn(signature: Signature) -> tuple[SupportSet, torch.Tensor]:
    """Supports of M tasks, some of fewer examples and classes than there is room for, and queries."""
    generator = torch.Generator().manual_seed(0)
    shape = signature.inputs.example_shape
    shape = (shape[2], shape[0], shape[1]) if signature.is_image else shape
    inputs = torch.rand(TASKS, SHOTS, *shape, generator=generator)
    sizes = torch.randint(2, SHOTS + 1, (TASKS, 1), generator=generator)
    mask = (torch.arange(SHOTS) < sizes).float()
    if signature.task == "regression":
        targets = torch.randn(TASKS, SHOTS, signature.target_width, generator=generator)
        class_mask = torch.ones(TASKS, 0)
    else:
        ways = torch.randint(2, WAYS + 1, (TASKS, 1), generator=generator)
        targets = torch.randint(0, 1000, (TASKS, SHOTS), generator=generator) % ways
        class_mask = (torch.arange(WAYS) < ways).float()
    queries = torch.rand(TASKS, QUERIES, *shape, generator=generator)
    return SupportSet(inputs, targets, mask, class_mask), queries
