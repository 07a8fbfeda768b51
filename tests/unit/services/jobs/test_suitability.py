"""Configurations that cannot be trained are refused before they are queued."""

from typing import Any

import msgspec
import pytest

from models.spec import Signature
from models.training.config import MetaTrainingConfig
from models.training.policies import evaluation
from services.errors import Invalid
from services.jobs import suitability
from services.jobs.cost import META_TEST_STEPS, META_TEST_TASKS, step_bytes
from services.jobs.suitability import Traits

IMAGES = Traits(example_shape=(28, 28, 1), n_classes=100, n_tasks=10)
VECTORS = Traits(example_shape=(16,), n_classes=100, n_tasks=0)
MAX_STEP_BYTES = 64 << 30
SERIES = Traits(example_shape=(61, 40), n_classes=100, n_tasks=0)
CONV4, MLP = {"name": "conv4"}, {"name": "mlp"}
RESNET12, CONV1D, TRANSFORMER = ({"name": name} for name in ("resnet12", "conv1d", "series_transformer"))


def check(configured: MetaTrainingConfig, traits: Traits | None, prefix: str = "") -> Signature:
    return suitability.check(configured, traits, MAX_STEP_BYTES, prefix)


def sized(*class_sizes: tuple[int, int], n_tasks: int = 0) -> Traits:
    return Traits((16,), sum(count for _, count in class_sizes), n_tasks, class_sizes)


def config(
    network: dict[str, Any], tasks: dict[str, Any], algorithm: str = "protonet", **training: Any
) -> MetaTrainingConfig:
    plain = {
        "learner": {"algorithm": {"name": algorithm}, "network": network},
        "tasks": tasks,
        "training": training,
    }
    return msgspec.convert(plain, MetaTrainingConfig)


def labelled(**tasks: Any) -> dict[str, Any]:
    return {"family": "labelled", "dataset": "ds_1", **tasks}


@pytest.mark.parametrize(
    ("network", "tasks", "traits"),
    [
        (CONV4, labelled(n_way=20), IMAGES),
        (CONV4, labelled(n_way=20, within_task=True), IMAGES),
        (CONV4, labelled(n_way=80, rotations=True), IMAGES),
        (MLP, labelled(n_way=50), VECTORS),
        (RESNET12, labelled(n_way=5, augment={"rotate": 10}), Traits((1, 2, 3), 100, 0)),
        (CONV1D, labelled(), SERIES),
        (TRANSFORMER, labelled(n_way=50, train_ways=50), SERIES),
        (MLP, labelled(n_shot=5, n_query=6), sized((10, 90), (11, 10))),
    ],
)
def test_what_fits_gives_the_signature(
    network: dict[str, Any], tasks: dict[str, Any], traits: Traits
) -> None:
    signature = check(config(network, tasks), traits)
    assert signature.inputs.example_shape == traits.example_shape
    assert signature.task == "classification"


@pytest.mark.parametrize(
    ("network", "tasks", "traits", "pointer"),
    [
        (MLP, labelled(), IMAGES, "/learner/network/name"),
        (CONV4, labelled(), VECTORS, "/learner/network/name"),
        (CONV4, labelled(), Traits((8, 8, 3), 100, 0), "/learner/network/name"),
        (MLP, labelled(), SERIES, "/learner/network/name"),
        (RESNET12, labelled(), SERIES, "/learner/network/name"),
        (CONV1D, labelled(), IMAGES, "/learner/network/name"),
        (CONV1D, labelled(augment={"shift": 0.1}), SERIES, "/tasks/augment"),
        (MLP, labelled(task_augment={"flip": True}), VECTORS, "/tasks/task_augment"),
        (MLP, labelled(n_way=50, train_ways=51), VECTORS, "/tasks/n_way"),
        (MLP, labelled(n_way=51), VECTORS, "/tasks/n_way"),
        (CONV4, labelled(n_way=81, rotations=True), IMAGES, "/tasks/n_way"),
        (MLP, labelled(rotations=True), VECTORS, "/tasks/rotations"),
        (CONV4, labelled(rotations=True), Traits((28, 32, 1), 100, 0), "/tasks/rotations"),
        (MLP, labelled(within_task=True), VECTORS, "/tasks/within_task"),
        (
            CONV4,
            labelled(within_task=True, test_tasks=["a", "b"]),
            Traits((28, 28, 1), 100, 2),
            "/tasks/test_tasks",
        ),
        (CONV4, labelled(test_tasks=["a"]), IMAGES, "/tasks/test_tasks"),
        (MLP, labelled(n_shot=5, n_query=6), sized((10, 100)), "/tasks/n_query"),
        (MLP, labelled(n_shot=5, n_query=6), sized((10, 91), (11, 9)), "/tasks/n_query"),
        (MLP, labelled(n_way=60, n_query=6), sized((7, 100)), "/tasks/n_way"),
        (MLP, labelled(n_query=20, within_task=True), sized((7, 100), n_tasks=5), "/tasks/n_query"),
    ],
)
def test_what_does_not_fit_the_dataset_is_refused(
    network: dict[str, Any], tasks: dict[str, Any], traits: Traits, pointer: str
) -> None:
    with pytest.raises(Invalid) as caught:
        check(config(network, tasks), traits, "/overrides")
    assert [fault.pointer for fault in caught.value.faults] == [f"/overrides{pointer}"]


def test_a_classifier_is_not_trained_on_numbers() -> None:
    with pytest.raises(Invalid) as caught:
        check(config(MLP, {"family": "sinusoid"}, "protonet"), None)
    assert [fault.pointer for fault in caught.value.faults] == ["/learner/algorithm/name"]


def test_an_image_network_is_not_trained_on_curves() -> None:
    with pytest.raises(Invalid) as caught:
        check(config(CONV4, {"family": "functions"}, "ridge"), None)
    assert [fault.pointer for fault in caught.value.faults] == ["/learner/network/name"]


@pytest.mark.parametrize("network", ["row_transformer", "table_transformer"])
def test_networks_of_tables_are_for_the_prior_fitted_alone(network: str) -> None:
    tables = {"family": "tables", "columns": 6}
    assert check(config({"name": network}, tables, "prior_fitted"), None).inputs.example_shape == (6,)
    for wrong in (config({"name": network}, tables, "protonet"), config(MLP, tables, "prior_fitted")):
        with pytest.raises(Invalid) as caught:
            check(wrong, None)
        assert [fault.pointer for fault in caught.value.faults] == ["/learner/network/name"]


def test_a_step_that_no_machine_could_take_is_refused() -> None:
    huge = config(CONV4, labelled(n_way=40, n_shot=400, n_query=400), "maml", meta_batch_size=4096)
    with pytest.raises(Invalid) as caught:
        check(huge, IMAGES)
    (fault,) = caught.value.faults
    assert fault.pointer == "/training/meta_batch_size"
    assert "GiB" in fault.detail


@pytest.mark.parametrize(
    ("tasks", "training"),
    [
        ({"family": "tabular_mdp", "states": 1000, "actions": 1000}, {"meta_batch_size": 1}),
        ({"family": "tabular_mdp", "states": 100, "actions": 1000}, {"meta_batch_size": 1}),
        ({"family": "cheetah", "goal": "velocity", "n_trajectories": 1000}, {}),
        ({"family": "cheetah", "goal": "velocity", "horizon": 1}, {"meta_batch_size": 1}),
    ],
)
def test_an_environment_that_no_machine_could_hold_is_refused(
    tasks: dict[str, Any], training: dict[str, Any]
) -> None:
    small = {"name": "mlp", "hidden": [8]}
    smaller = {"n_trajectories": 20, "horizon": 200, "states": 10, "actions": 5}
    usual = {**tasks, **{name: value for name, value in smaller.items() if name in tasks}}
    suitability.check(config(small, usual, "maml_policy", **training), None, 16 << 30)
    with pytest.raises(Invalid, match="one outer step would take"):
        suitability.check(config(small, tasks, "maml_policy", **training), None, 8 << 30)


def test_the_cost_of_a_policys_meta_test_is_that_of_the_one_there_is() -> None:
    assert (evaluation.DRAW, evaluation.SAMPLES) == (META_TEST_TASKS, META_TEST_STEPS)


def test_what_a_step_may_take_is_the_workers() -> None:
    usual = config(CONV4, labelled(n_way=20), "maml", meta_batch_size=4)
    needed = step_bytes(usual, check(usual, IMAGES))
    suitability.check(usual, IMAGES, needed)
    with pytest.raises(Invalid, match="that a worker has for it"):
        suitability.check(usual, IMAGES, needed - 1)


def test_cost_grows_with_what_drives_it() -> None:
    base = config(CONV4, labelled(), "maml", meta_batch_size=4)
    signature = check(base, IMAGES)
    cost = step_bytes(base, signature)
    for dearer in (
        config(CONV4, labelled(), "maml", meta_batch_size=8),
        config(CONV4, labelled(n_way=10), "maml", meta_batch_size=4),
        config(CONV4, labelled(n_query=10), "maml", meta_batch_size=4),
        config({"name": "conv4", "hidden": 128}, labelled(), "maml", meta_batch_size=4),
    ):
        assert step_bytes(dearer, signature) > cost
    assert step_bytes(config(CONV4, labelled(), "protonet", meta_batch_size=4), signature) < cost


def test_what_an_algorithm_keeps_is_part_of_its_cost() -> None:
    def cost(network: dict[str, Any], **algorithm: Any) -> int:
        plain = {
            "learner": {"algorithm": algorithm, "network": network},
            "tasks": {"family": "sinusoid", "n_shot": 100, "n_query": 100},
        }
        configuration = msgspec.convert(plain, MetaTrainingConfig)
        return step_bytes(configuration, check(configuration, None))

    mlp = {"name": "mlp", "hidden": [512, 512]}
    maml = cost(mlp, name="maml", inner_steps=10)
    assert cost(mlp, name="maml", inner_steps=10, step_loss_decay=1.0) > maml
    assert cost(mlp, name="meta_curvature", inner_steps=10) > maml
    # Their meta-gradients do not go back through the inner steps.
    for shorter in ("reptile", "imaml", "anil"):
        assert cost(mlp, name=shorter, inner_steps=10) < maml
    narrow = {"name": "mlp", "hidden": [1]}
    assert cost(narrow, name="cavia", context=200) > 10 * cost(narrow, name="cavia", context=1)


def test_the_usual_omniglot_run_is_far_from_the_limit() -> None:
    usual = config(CONV4, labelled(n_way=60, n_shot=1, n_query=5), "protonet", meta_batch_size=4)
    assert step_bytes(usual, check(usual, Traits((28, 28, 1), 964, 30))) < MAX_STEP_BYTES / 8


def test_a_closed_form_layer_costs_by_its_columns_and_priors() -> None:
    def ridge(components: int, width: int) -> MetaTrainingConfig:
        plain = {
            "learner": {
                "algorithm": {"name": "ridge", "components": components},
                "network": {"name": "mlp", "hidden": [width]},
            },
            "tasks": {"family": "sinusoid", "n_shot": 1000, "n_query": 1000},
        }
        return msgspec.convert(plain, MetaTrainingConfig)

    usual = ridge(1, 40)
    assert step_bytes(ridge(32, 40), check(usual, None)) > 8 * step_bytes(usual, check(usual, None))
    with pytest.raises(Invalid):
        check(ridge(32, 4096), None)


def test_more_ways_in_training_need_an_algorithm_without_an_output_for_each() -> None:
    with pytest.raises(Invalid) as refused:
        check(config(MLP, labelled(train_ways=10), "maml"), VECTORS)
    assert [fault.pointer for fault in refused.value.faults] == ["/tasks/train_ways"]


def test_views_are_of_images() -> None:
    plain = config(CONV1D, labelled())
    learner = msgspec.structs.replace(plain.learner, views=5)
    with pytest.raises(Invalid) as refused:
        check(msgspec.structs.replace(plain, learner=learner), SERIES)
    assert [fault.pointer for fault in refused.value.faults] == ["/learner/views"]


def test_members_and_ways_take_memory() -> None:
    plain = config(CONV4, labelled(n_way=5))
    several = msgspec.structs.replace(plain, learner=msgspec.structs.replace(plain.learner, members=3))
    signature = check(plain, IMAGES)
    assert step_bytes(several, signature) == 3 * step_bytes(plain, signature)
    assert step_bytes(config(CONV4, labelled(n_way=5, train_ways=50)), signature) > 9 * step_bytes(
        plain, signature
    )


NAVIGATION = {"family": "navigation"}


def test_an_environment_gives_a_policys_signature() -> None:
    signature = check(config(MLP, NAVIGATION, "maml_policy", outer={"name": "trpo"}), None)
    assert signature.task == "policy"
    assert signature.inputs.example_shape == (2,)


@pytest.mark.parametrize(
    ("tasks", "algorithm", "training", "pointer"),
    [
        (NAVIGATION, "maml", {}, "/learner/algorithm/name"),
        ({"family": "sinusoid"}, "maml_policy", {}, "/learner/algorithm/name"),
        ({"family": "sinusoid"}, "maml", {"outer": {"name": "ppo"}}, "/training/outer"),
        (NAVIGATION, "maml_policy", {"pretrain": {}}, "/training/pretrain"),
        (NAVIGATION, "maml_policy", {"meta_batch_size": 4096}, "/training/meta_batch_size"),
        (NAVIGATION, "maml_policy", {"outer": {"name": "lifetime"}}, "/training/meta_batch_size"),
    ],
)
def test_policies_need_environments_and_the_other_way_round(
    tasks: dict[str, Any], algorithm: str, training: dict[str, Any], pointer: str
) -> None:
    wide = {"name": "mlp", "hidden": [512]}
    with pytest.raises(Invalid) as refused:
        check(config(wide, tasks, algorithm, **training), None)
    assert [fault.pointer for fault in refused.value.faults] == [pointer]


def test_an_episode_has_no_more_examples_than_a_learner_keeps() -> None:
    plain = {
        "learner": {"algorithm": {"name": "matchingnet", "max_support": 20}, "network": MLP},
        "tasks": labelled(n_way=5, n_shot=4),
    }
    check(msgspec.convert(plain, MetaTrainingConfig), VECTORS)
    plain["tasks"] = labelled(n_way=5, n_shot=5)
    with pytest.raises(Invalid, match="25 support examples, and this learner keeps 20") as refused:
        check(msgspec.convert(plain, MetaTrainingConfig), VECTORS)
    assert [fault.pointer for fault in refused.value.faults] == ["/learner/algorithm/max_support"]


@pytest.mark.parametrize("algorithm", ["cnp", "anp"])
def test_a_neural_process_takes_numbers_alone(algorithm: str) -> None:
    assert check(config(MLP, {"family": "sinusoid"}, algorithm), None).task == "regression"
    with pytest.raises(Invalid, match="this algorithm learns regression"):
        check(config(MLP, labelled(), algorithm), VECTORS)


@pytest.mark.parametrize("algorithm", ["logistic", "svm", "matchingnet"])
def test_what_a_fit_keeps_is_part_of_its_cost(algorithm: str) -> None:
    def cost(ways: int) -> int:
        configuration = config(MLP, labelled(n_way=ways, n_shot=1), algorithm)
        return step_bytes(configuration, check(configuration, VECTORS))

    assert cost(10) < cost(50)
    plain = config(MLP, labelled(n_way=50, n_shot=1))
    assert step_bytes(plain, check(plain, VECTORS)) < cost(50)
