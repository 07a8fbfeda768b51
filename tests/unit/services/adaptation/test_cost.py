"""A call that would keep the engine to itself is refused; the usual ones are far from it."""

import msgspec
import numpy as np
import pytest

from models.spec import (
    AlgorithmSpec,
    AnilSpec,
    AnpSpec,
    AutoSpec,
    BoxSpace,
    Conv4Spec,
    LearnerSpec,
    LocalMatchingSpec,
    LogisticSpec,
    MamlPolicySpec,
    MamlSpec,
    MatchingNetSpec,
    MlpSpec,
    NetworkCost,
    NetworkSpec,
    ProtoNetSpec,
    ResNetMapsSpec,
    RidgeSpec,
    Signature,
    Sizes,
    SvmSpec,
    TensorSpec,
    head_cost,
)
from models.spec.algorithms.auto import tries_logistic
from services.adaptation.cost import CallCost, LearnerCost, call_cost, check_cost, learner_cost
from services.adaptation.limits import Limits
from services.adaptation.records import EpisodeInput, EpisodesInput
from services.errors import Invalid
from tests import small_models

LIMITS = Limits()
OMNIGLOT, MINI_IMAGENET = (28, 28, 1), (84, 84, 3)


def images(*example: int) -> Signature:
    inputs = TensorSpec(datatype="FP32", shape=(-1, *example))
    return Signature(inputs=inputs, targets=small_models.LABELS)


def cost(
    algorithm: AlgorithmSpec,
    signature: Signature,
    support: int,
    queries: int = 0,
    network: NetworkSpec | None = None,
) -> CallCost:
    """Of one call, as far as the limits allow it. Raises Invalid beyond."""
    network = network or (Conv4Spec() if signature.is_image else MlpSpec())
    learner = learner_cost(LearnerSpec(algorithm=algorithm, network=network), signature, 20)
    check_cost(learner, algorithm, support, queries, LIMITS)
    return call_cost(learner, algorithm, support, queries)


@pytest.mark.parametrize(
    ("algorithm", "signature", "support", "queries"),
    [
        (MamlSpec(inner_steps=10), images(*OMNIGLOT), 100, 0),
        (MamlSpec(inner_steps=10), images(*MINI_IMAGENET), 25, 75),
        (MamlSpec(inner_steps=200), small_models.LINE, 4096, 16384),
        (ProtoNetSpec(), images(*OMNIGLOT), 4096, 0),
        (ProtoNetSpec(), images(*MINI_IMAGENET), 100, 500),
        (RidgeSpec(), images(*OMNIGLOT), 1000, 1000),
        (LogisticSpec(), images(*OMNIGLOT), 1000, 1000),
        (SvmSpec(), images(*OMNIGLOT), 100, 1000),
        (MatchingNetSpec(), images(*OMNIGLOT), 100, 1000),
        (LocalMatchingSpec(), images(*OMNIGLOT), 100, 1000),
        (AnpSpec(), small_models.LINE, 128, 16384),
        (RidgeSpec(components=4), small_models.LINE, 4096, 16384),
    ],
)
def test_the_usual_calls_are_taken(
    algorithm: AlgorithmSpec, signature: Signature, support: int, queries: int
) -> None:
    assert cost(algorithm, signature, support, queries).operations > 0


@pytest.mark.parametrize(
    ("algorithm", "signature", "support", "queries", "network", "pointer"),
    [
        (MamlSpec(inner_steps=90), images(*OMNIGLOT), 256, 0, None, "/support/inputs"),
        (MamlSpec(inner_steps=1), images(*OMNIGLOT), 4096, 0, None, "/support/inputs"),
        (ProtoNetSpec(), images(*MINI_IMAGENET), 4096, 0, None, "/support/inputs"),
        (ProtoNetSpec(), images(*MINI_IMAGENET), 0, 16384, None, "/inputs"),
        (RidgeSpec(components=32), small_models.LINE, 4, 0, MlpSpec(hidden=(4096,)), "/support/inputs"),
        (RidgeSpec(), small_models.LINE, 0, 16384, MlpSpec(hidden=(4096,)), "/inputs"),
    ],
)
def test_what_would_take_the_engine_from_others_is_refused(
    algorithm: AlgorithmSpec,
    signature: Signature,
    support: int,
    queries: int,
    network: NetworkSpec | None,
    pointer: str,
) -> None:
    with pytest.raises(Invalid) as caught:
        cost(algorithm, signature, support, queries, network)
    (fault,) = caught.value.faults
    assert fault.pointer == pointer
    assert "send fewer examples" in fault.detail
    assert ("inner_steps" in fault.detail) == (algorithm == MamlSpec(inner_steps=90))


def test_a_call_is_refused_for_its_memory_alone() -> None:
    """Measured with conv4-64 at 28 x 28 pixels: 2.3 MB an example that has a gradient."""
    needed = cost(MamlSpec(inner_steps=1), images(*OMNIGLOT), 256).bytes
    assert 0.5e9 < needed < 1.2e9
    tight = Limits(call_bytes=needed - 1)
    learner = learner_cost(LearnerSpec(algorithm=MamlSpec(), network=Conv4Spec()), images(*OMNIGLOT), 20)
    with pytest.raises(Invalid, match="MiB of memory"):
        check_cost(learner, MamlSpec(), 256, 0, tight)
    check_cost(learner, MamlSpec(), 255, 0, tight)


def test_steps_of_the_last_layer_alone_cost_little_and_more_the_more_there_are() -> None:
    few, many = (cost(AnilSpec(inner_steps=steps), images(*OMNIGLOT), 100) for steps in (1, 100))
    whole = cost(MamlSpec(inner_steps=10), images(*OMNIGLOT), 100)
    assert few.operations < many.operations < whole.operations
    assert many.bytes == few.bytes < whole.bytes


def test_what_a_fit_costs_grows_with_examples_and_classes() -> None:
    points = images(*OMNIGLOT)
    learner = learner_cost(LearnerSpec(algorithm=SvmSpec(), network=Conv4Spec()), points, None)
    few, many = (call_cost(learner, SvmSpec(), 100, 0, ways) for ways in (5, 100))
    assert few.operations < many.operations
    assert few.bytes < many.bytes
    check_cost(learner, SvmSpec(), 500, 0, LIMITS, ways=5)
    with pytest.raises(Invalid, match="multiply-adds"):
        check_cost(learner, SvmSpec(), 4096, 0, LIMITS, ways=5)
    # A logistic fit has the smaller of two forms, which examples beyond the features do not make larger.
    check_cost(learner, LogisticSpec(), 4096, 0, LIMITS, ways=5)


def test_no_more_examples_are_taken_than_are_kept() -> None:
    kept = MatchingNetSpec(max_support=10)
    assert cost(kept, images(*OMNIGLOT), 10).operations > 0
    with pytest.raises(Invalid, match="11 examples; this model keeps 10") as refused:
        cost(kept, images(*OMNIGLOT), 11)
    assert refused.value.faults[0].pointer == "/support/inputs"


def test_one_long_episode_costs_what_all_are_padded_to() -> None:
    def episode(steps: int) -> EpisodeInput:
        return EpisodeInput(np.zeros((steps, 2)), np.zeros((steps, 2)), np.zeros(steps))

    box = Signature.of_policy(2, BoxSpace(shape=(2,), low=-1.0, high=1.0))
    learner = LearnerSpec(algorithm=MamlPolicySpec(), network=MlpSpec(hidden=(1024, 1024)))
    costs = learner_cost(learner, box, None)
    short = EpisodesInput([episode(32)] * 128)
    check_cost(costs, learner.algorithm, short.size, 0, LIMITS)
    uneven = EpisodesInput([*short.episodes[1:], episode(4096)])
    with pytest.raises(Invalid) as caught:
        check_cost(costs, learner.algorithm, uneven.size, 0, LIMITS)
    assert [fault.pointer for fault in caught.value.faults] == ["/support/episodes"]


@pytest.mark.parametrize("algorithm", [SvmSpec(), LogisticSpec(), RidgeSpec(), AutoSpec()])
def test_a_last_layer_is_fitted_to_every_view(algorithm: AlgorithmSpec) -> None:
    spec = LearnerSpec(algorithm=algorithm, network=Conv4Spec(), views=9)
    views = learner_cost(spec, images(*OMNIGLOT), None)
    plain = learner_cost(msgspec.structs.replace(spec, views=1), images(*OMNIGLOT), None)
    fitted = call_cost(views, algorithm, 400, 0, 5)
    assert fitted.operations >= call_cost(plain, algorithm, 9 * 400, 0, 5).operations
    assert fitted.bytes >= call_cost(plain, algorithm, 9 * 400, 0, 5).bytes


def test_every_side_of_a_task_is_adapted_to() -> None:
    algorithm = SvmSpec()
    spec = LearnerSpec(algorithm=algorithm, network=Conv4Spec())
    plain, turned = (
        call_cost(learner_cost(one, images(*OMNIGLOT), None), algorithm, 25, 75, 5).operations
        for one in (spec, msgspec.structs.replace(spec, turns=8))
    )
    assert turned == 8 * plain


@pytest.mark.parametrize("several", [{"members": 8}, {"turns": 8}])
def test_a_network_of_its_own_for_each_member_and_side_is_memory(several: dict[str, int]) -> None:
    algorithm = MamlSpec(inner_steps=1)
    alone = LearnerSpec(algorithm=algorithm, network=Conv4Spec())
    costs = [
        call_cost(learner_cost(one, images(*OMNIGLOT), 5), algorithm, 5, 0).bytes
        for one in (alone, msgspec.structs.replace(alone, **several))
    ]
    network = learner_cost(alone, images(*OMNIGLOT), 5).network.weights
    assert costs[1] - costs[0] >= 7 * 4 * network


def test_every_view_is_kept_or_the_call_refused() -> None:
    algorithm = MatchingNetSpec(max_support=64)
    spec = LearnerSpec(algorithm=algorithm, network=Conv4Spec(), views=9)
    learner = learner_cost(spec, images(*OMNIGLOT), None)
    check_cost(learner, algorithm, 7, 0, LIMITS)
    with pytest.raises(Invalid, match="keeps 7 at most"):
        check_cost(learner, algorithm, 8, 0, LIMITS)


def test_the_default_head_tries_no_logistic_regression_that_would_not_be_taken() -> None:
    """What ridge regression can do is not refused for what would only be tried beside it."""
    sizes = [(384, 384, 96), (1000, 384, 100), (1000, 4096, 100)]
    assert [tries_logistic(*one) for one in sizes] == [True, False, False]
    costs = [head_cost(AutoSpec(), Sizes(support, 0, ways, wide)) for support, wide, ways in sizes]
    assert costs[0].multiply_adds > 10 * costs[1].multiply_adds


def test_tuning_an_encoder_is_no_gift() -> None:
    wide = NetworkCost(activations=384, widest=384, features=384, weights=0, multiply_adds=10**8)
    learner = LearnerCost(wide, last_layer=0, columns=385, regression=False, targets=0)
    plain, tuned = (call_cost(learner, AutoSpec(escalate=how), 100, 0, 5) for how in ("never", "lora"))
    assert tuned.operations >= plain.operations + 2 * 10**8 * 100
    assert tuned.bytes > plain.bytes
    few = [call_cost(learner, AutoSpec(escalate=how), 20, 0, 5) for how in ("never", "lora")]
    assert few[0] == few[1]


def test_local_matching_costs_every_pair_of_parts() -> None:
    algorithm = LocalMatchingSpec(width=32, max_support=64)
    spec = LearnerSpec(algorithm=algorithm, network=ResNetMapsSpec())
    learner = learner_cost(spec, images(*OMNIGLOT), None)
    one, two = (call_cost(learner, algorithm, 0, queries).operations for queries in (1, 2))
    assert two - one >= 49 * 49 * 64 * 32
    check_cost(learner, algorithm, 64, 100, LIMITS)
    plain, rivals = (
        call_cost(learner, msgspec.structs.replace(algorithm, rivals=share), 64, 0).operations
        for share in (0.0, 0.5)
    )
    assert rivals - plain >= 49 * 49 * 64 * 64 * 32


def test_the_default_head_on_wide_features_is_no_gift() -> None:
    wide = NetworkCost(activations=4096, widest=4096, features=4096, weights=0, multiply_adds=0)
    learner = LearnerCost(wide, last_layer=0, columns=4097, regression=False, targets=0)
    check_cost(learner, AutoSpec(), 1000, 0, LIMITS, ways=100)
    with pytest.raises(Invalid, match="multiply-adds"):
        check_cost(learner, AutoSpec(), 4096, 0, LIMITS, ways=1024)
