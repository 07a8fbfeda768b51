"""Every description that fits builds, every one that does not says why, and a version is rebuilt from its parts."""

from typing import get_args

import numpy as np
import pytest
import torch

from models.build import build_family, build_learner, build_network, check_params
from models.functional import Params
from models.spec import (
    AlgorithmSpec,
    Conv1dSpec,
    Conv4Spec,
    FunctionsSpec,
    InputKind,
    LabelledSpec,
    LearnerSpec,
    MamlSpec,
    MlpSpec,
    NetworkSpec,
    PriorFittedSpec,
    ResNet12Spec,
    ResNetMapsSpec,
    RidgeSpec,
    SeriesTransformerSpec,
    Signature,
    SinusoidSpec,
    TaskFamilySpec,
    TensorSpec,
    max_ways_of,
    signature_of,
)
from models.tasks.labelled_data import LabelledData

# Those that learn examples on any network; what the others are built on, their own tests say.
ALGORITHMS = [
    kind() for kind in get_args(AlgorithmSpec) if kind is not PriorFittedSpec and kind.tasks != ("policy",)
]


def _pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 255, (40, 16, 18), dtype=np.uint8)


VECTORS = LabelledData.from_arrays(
    np.arange(120, dtype=np.float32).reshape(40, 3), np.repeat(np.arange(10), 4)
)
IMAGES = LabelledData.from_arrays(_pictures(), np.repeat(np.arange(10), 4))
SERIES = LabelledData.from_arrays(
    np.arange(720, dtype=np.float32).reshape(40, 9, 2), np.repeat(np.arange(10), 4)
)
LETTERS = LabelledSpec(dataset="ds_1", n_way=4, n_shot=1, n_query=2)


@pytest.mark.parametrize("algorithm", ALGORITHMS)
@pytest.mark.parametrize(
    ("tasks", "data", "network"),
    [
        (SinusoidSpec(), None, MlpSpec(hidden=(10,))),
        (FunctionsSpec(), None, MlpSpec(hidden=(8, 8), activation="gelu")),
        (LETTERS, VECTORS, MlpSpec(hidden=(8,))),
        (LETTERS, IMAGES, Conv4Spec(hidden=8)),
        (LETTERS, IMAGES, ResNet12Spec(width=0.125)),
        (LETTERS, IMAGES, ResNetMapsSpec(width=8)),
        (LETTERS, SERIES, Conv1dSpec(hidden=8, blocks=2)),
        (LETTERS, SERIES, SeriesTransformerSpec(hidden=8)),
    ],
)
def test_a_family_s_episodes_fit_its_learner(
    algorithm: AlgorithmSpec, tasks: TaskFamilySpec, data: LabelledData | None, network: NetworkSpec
) -> None:
    spec = LearnerSpec(algorithm=algorithm, network=network)
    signature = signature_of(tasks, data.wire_shape if data else None)
    if signature.task not in algorithm.tasks:
        with pytest.raises(ValueError, match=r"classifies|predicts"):
            build_learner(spec, signature)
        return
    learner = build_learner(spec, signature, max_ways_of(spec, tasks))
    batch = build_family(tasks, data).sample(torch.Generator().manual_seed(0), 2)
    params = learner.init(torch.Generator().manual_seed(0))
    losses, metrics = torch.vmap(learner.meta_loss, in_dims=(None, 0))(params, batch)
    assert losses.shape == (2,)
    assert losses.isfinite().all()
    assert (
        ("accuracy" in metrics) == (signature.task == "classification") == (learner.task == "classification")
    )


def test_only_a_maml_classifier_bounds_the_ways() -> None:
    maml, ridge = (
        LearnerSpec(algorithm=algorithm, network=MlpSpec()) for algorithm in (MamlSpec(), RidgeSpec())
    )
    assert max_ways_of(maml, LETTERS) == 4
    assert max_ways_of(maml, SinusoidSpec()) is None
    assert max_ways_of(ridge, LETTERS) is None
    signature = signature_of(LETTERS, (3,))
    assert build_learner(maml, signature, 4).max_ways == 4
    assert build_learner(ridge, signature).max_ways is None
    with pytest.raises(ValueError, match="needs max_ways"):
        build_learner(maml, signature)


def test_networks_refuse_inputs_of_the_other_kind() -> None:
    shapes: dict[InputKind, tuple[int, ...]] = {"vectors": (3,), "series": (9, 2), "images": (16, 18, 1)}
    networks = (
        MlpSpec(),
        Conv4Spec(),
        ResNet12Spec(),
        ResNetMapsSpec(),
        Conv1dSpec(),
        SeriesTransformerSpec(),
    )
    for kind, shape in shapes.items():
        for network in networks:
            if network.takes == kind:
                build_network(network, signature_of(LETTERS, shape))
                continue
            with pytest.raises(ValueError, match=f"takes {network.takes}, and the inputs are {kind}"):
                build_network(network, signature_of(LETTERS, shape))


def test_signatures() -> None:
    images = signature_of(LETTERS, IMAGES.wire_shape)
    assert images.inputs.shape == (-1, 16, 18, 1)
    assert (images.task, images.is_image) == ("classification", True)
    line = signature_of(FunctionsSpec())
    assert (line.task, line.target_width, line.inputs.shape) == ("regression", 1, (-1, 1))
    with pytest.raises(ValueError, match="none was given"):
        signature_of(LETTERS)
    series = signature_of(LETTERS, SERIES.wire_shape)
    assert (series.inputs.shape, series.input_kind, series.is_image) == ((-1, 9, 2), "series", False)
    with pytest.raises(ValueError, match=r"not \(3, 4, 5, 6\)"):
        signature_of(LETTERS, (3, 4, 5, 6))


def test_a_labelled_family_needs_its_dataset() -> None:
    with pytest.raises(ValueError, match="needs its dataset"):
        build_family(LETTERS)


def _line(**changes: object) -> tuple[Signature, LearnerSpec]:
    return signature_of(SinusoidSpec()), LearnerSpec(
        algorithm=RidgeSpec(**changes), network=MlpSpec(hidden=(4,))
    )


def test_parameters_are_held_against_the_learner() -> None:
    signature, spec = _line()
    learner = build_learner(spec, signature)
    params: Params = learner.init(torch.Generator().manual_seed(0))
    check_params(learner, params)
    missing = {name: value for name, value in params.items() if name != "prior.mean"}
    with pytest.raises(ValueError, match=r"prior\.mean"):
        check_params(learner, missing)
    with pytest.raises(ValueError, match="extra"):
        check_params(learner, {**params, "extra": torch.zeros(1)})
    mixed = build_learner(_line(components=2)[1], signature)
    with pytest.raises(ValueError, match=r"prior\.log_deviation"):
        check_params(mixed, params)


def test_a_network_of_terabytes_is_refused_without_being_made() -> None:
    vast = LearnerSpec(algorithm=RidgeSpec(components=32), network=MlpSpec(hidden=(10**6, 10**6)))
    with pytest.raises(ValueError, match="many more parameters"):
        check_params(build_learner(vast, signature_of(SinusoidSpec())), {})


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_every_learner_says_its_shapes(algorithm: AlgorithmSpec) -> None:
    for data, network in ((VECTORS, MlpSpec(hidden=(4,))), (IMAGES, Conv4Spec(hidden=8))):
        signature = signature_of(LabelledSpec(dataset="ds_1"), data.wire_shape)
        if signature.task not in algorithm.tasks:
            signature = Signature(inputs=signature.inputs, targets=TensorSpec(datatype="FP32", shape=(-1, 2)))
        learner = build_learner(LearnerSpec(algorithm=algorithm, network=network), signature, 5)
        check_params(learner, learner.init(torch.Generator()))
