"""Last layers that are fitted to the optimum: against scikit-learn's, and their gradients against differences."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.svm import LinearSVC
from torch import Tensor

from models.algorithms.logistic import solve_logistic
from models.algorithms.ridge_classifier import solve_ridge
from models.algorithms.svm import solve_crammer_singer
from models.build import build_learner
from models.episode import SupportSet
from models.spec import (
    AlgorithmSpec,
    LearnerSpec,
    LogisticSpec,
    MlpSpec,
    RidgeSpec,
    Signature,
    SvmSpec,
    TensorSpec,
)
from tests.unit.models.algorithms.finite_differences import (
    doubles,
    finite_differences,
    meta_gradient,
    padded_episode,
    relative_difference,
    small_learner,
)
from tests.unit.models.conftest import CLASSIFICATION

# Examples, features, classes: fewer examples than columns and more, none separable and all.
SIZES = [(6, 9, 3), (25, 8, 5), (40, 4, 3), (24, 30, 6)]
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def task(examples: int, features: int, classes: int) -> tuple[Tensor, Tensor, Tensor]:
    """Columns [S, P] with a constant one, class slots [S] and their rows of one [S, N]; float64."""
    generator = torch.Generator().manual_seed(examples)
    slots = torch.arange(examples) % classes
    centres = torch.randn(classes, features, generator=generator).double()
    raw = (centres[slots] + 1.5 * torch.randn(examples, features, generator=generator)).relu()
    return torch.cat([torch.ones(examples, 1), raw], -1).double(), slots, torch.eye(classes).double()[slots]


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("penalty", [0.05, 1.0, 20.0])
def test_logistic_weights_are_scikit_learn_s(size: tuple[int, int, int], penalty: float) -> None:
    columns, slots, labels = task(*size)
    ours = solve_logistic(columns, labels, torch.tensor(penalty, dtype=torch.float64))
    for kind in range(size[2]):
        theirs = LogisticRegression(
            C=1 / penalty, fit_intercept=False, solver="newton-cholesky", tol=1e-12, max_iter=1000
        ).fit(columns.numpy(), slots.numpy() == kind)
        np.testing.assert_allclose(ours[:, kind], theirs.coef_[0], **CLOSE)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("cost", [0.1, 1.0])
def test_support_vector_weights_are_scikit_learn_s(size: tuple[int, int, int], cost: float) -> None:
    columns, slots, labels = task(*size)
    ours = solve_crammer_singer(
        columns, labels, torch.ones(size[2]).double(), torch.tensor(cost, dtype=torch.float64)
    )
    theirs = LinearSVC(
        multi_class="crammer_singer", fit_intercept=False, C=cost, tol=1e-11, max_iter=10**6, random_state=0
    ).fit(columns.numpy(), slots.numpy())
    np.testing.assert_allclose(ours.numpy().T, theirs.coef_, **CLOSE)


@pytest.mark.parametrize("size", SIZES)
def test_ridge_weights_are_scikit_learn_s(size: tuple[int, int, int]) -> None:
    columns, _, labels = task(*size)
    ours = solve_ridge(columns, labels, torch.tensor(0.3, dtype=torch.float64))
    theirs = Ridge(alpha=0.3, fit_intercept=False, solver="cholesky").fit(columns.numpy(), labels.numpy())
    np.testing.assert_allclose(ours.numpy().T, theirs.coef_, **CLOSE)


@pytest.mark.filterwarnings("ignore:Liblinear failed to converge")
@pytest.mark.parametrize("scale", [1e-3, 1e2])
def test_fits_of_features_of_any_size_are_optimal(scale: float) -> None:
    columns, _, labels = task(20, 6, 4)
    columns = columns * scale
    weights = solve_logistic(columns, labels, torch.tensor(1e-2, dtype=torch.float64))
    slope = columns.T @ (torch.sigmoid(columns @ weights) - labels) + 1e-2 * weights
    first = columns.T @ (0.5 - labels)
    assert slope.norm() < 1e-12 * first.norm()
    machine = solve_crammer_singer(columns, labels, torch.ones(4).double(), torch.tensor(1.0).double())
    scores = columns @ machine
    hinges = (scores + 1 - labels).amax(-1) - (scores * labels).sum(-1)
    theirs = LinearSVC(
        multi_class="crammer_singer", fit_intercept=False, C=1.0, tol=1e-10, max_iter=10**4, random_state=0
    ).fit(columns.numpy(), labels.argmax(-1).numpy())
    other = torch.from_numpy(theirs.coef_.T)
    other_hinges = (columns @ other + 1 - labels).amax(-1) - ((columns @ other) * labels).sum(-1)
    ours, reference = (
        float(w.square().sum() / 2 + h.sum()) for w, h in ((machine, hinges), (other, other_hinges))
    )
    assert ours <= reference * (1 + 1e-6)


@pytest.mark.parametrize("algorithm", [LogisticSpec(), SvmSpec(), SvmSpec(penalty_factor=0.1), RidgeSpec()])
@pytest.mark.parametrize("hidden", [3, 9])
def test_a_meta_gradient_is_that_of_finite_differences(algorithm: AlgorithmSpec, hidden: int) -> None:
    """Of fewer columns than examples and of more: both forms of a fit."""
    spec = LearnerSpec(algorithm=algorithm, network=MlpSpec(hidden=(hidden,), activation="tanh"))
    signature = Signature(inputs=TensorSpec(datatype="FP32", shape=(-1, 2)), targets=CLASSIFICATION.targets)
    learner, episode = build_learner(spec, signature), padded_episode("classification")
    params = doubles(learner)
    ours = meta_gradient(learner, params, episode)
    expected = finite_differences(lambda moved: learner.meta_loss(moved, episode)[0], params)
    assert relative_difference(ours, expected) < 1e-6
    assert all(value.dtype == torch.float64 for value in ours.values())


@pytest.mark.parametrize("algorithm", [LogisticSpec(), SvmSpec(), RidgeSpec()])
def test_the_order_of_examples_and_classes_does_not_matter(algorithm: AlgorithmSpec) -> None:
    learner = build_learner(LearnerSpec(algorithm=algorithm, network=MlpSpec(hidden=(6,))), CLASSIFICATION)
    generator = torch.Generator().manual_seed(2)
    params = learner.init(generator)
    inputs, slots = torch.randn(9, 3, generator=generator), torch.arange(9) % 3
    support = SupportSet(inputs, slots, torch.ones(9), torch.ones(3))
    turned = SupportSet(inputs.flip(0), 2 - slots.flip(0), torch.ones(9), torch.ones(3))
    weights, others = (learner.adapt(params, each)["weights"] for each in (support, turned))
    torch.testing.assert_close(others.flip(-1), weights, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("algorithm", [LogisticSpec, SvmSpec])
def test_a_larger_penalty_makes_smaller_weights(algorithm: type[LogisticSpec | SvmSpec]) -> None:
    generator = torch.Generator().manual_seed(3)
    inputs = torch.randn(6, 3, generator=generator)
    support = SupportSet(inputs, torch.arange(6) % 2, torch.ones(6), torch.ones(2))
    sizes = []
    for factor in (0.1, 1.0, 10.0):
        spec = LearnerSpec(algorithm=algorithm(penalty_factor=factor), network=MlpSpec(hidden=(6,)))
        learner = build_learner(spec, CLASSIFICATION)
        params = learner.init(torch.Generator().manual_seed(0))
        sizes.append(float(learner.adapt(params, support)["weights"].norm()))
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[0] > 1.5 * sizes[2]


@pytest.mark.parametrize("algorithm", [LogisticSpec(), SvmSpec()])
def test_it_has_no_start(algorithm: AlgorithmSpec) -> None:
    learner = build_learner(LearnerSpec(algorithm=algorithm, network=MlpSpec(hidden=(2,))), CLASSIFICATION)
    support = SupportSet(torch.ones(1, 3), torch.zeros(1, dtype=torch.int64), torch.ones(1), torch.ones(2))
    with pytest.raises(ValueError, match="support set alone"):
        learner.adapt(learner.init(torch.Generator().manual_seed(0)), support, start={})


@pytest.mark.parametrize("algorithm", [LogisticSpec(), SvmSpec(), RidgeSpec()])
def test_the_same_task_gives_the_same_bytes(algorithm: AlgorithmSpec) -> None:
    learner, episode = small_learner(algorithm, "classification"), padded_episode("classification")

    def run() -> list[bytes]:
        params = doubles(learner)
        tensors = {**learner.adapt(params, episode.support), **meta_gradient(learner, params, episode)}
        return [value.numpy().tobytes() for value in tensors.values()]

    assert run() == run()


def test_examples_that_are_alike_and_contradict_one_another_are_fitted() -> None:
    columns, slots, _ = task(24, 3, 3)
    columns = torch.cat([columns, columns])
    labels = torch.eye(3).double()[torch.cat([slots, (slots + 1) % 3])]
    for weights in (
        solve_logistic(columns, labels, torch.tensor(0.01, dtype=torch.float64)),
        solve_crammer_singer(
            columns, labels, torch.ones(3).double(), torch.tensor(10.0, dtype=torch.float64)
        ),
    ):
        assert weights.isfinite().all()
        assert (columns @ weights).abs().max() < 100
