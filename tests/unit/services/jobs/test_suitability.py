"""Configurations that cannot be trained are refused before they are queued."""

from typing import Any

import msgspec
import pytest

from models.training.config import MetaTrainingConfig, PretrainSpec
from services.errors import Invalid
from services.jobs.suitability import Traits
from tests.unit.services.jobs.configurations import (
    CONV1D,
    CONV4,
    IMAGES,
    MLP,
    RESNET12,
    SERIES,
    TRANSFORMER,
    VECTORS,
    check,
    config,
    labelled,
    sized,
)


@pytest.mark.parametrize(
    ("network", "tasks", "traits"),
    [
        (CONV4, labelled(n_way=20), IMAGES),
        (CONV4, labelled(n_way=20, within_task=True), IMAGES),
        (CONV4, labelled(n_way=80, rotations=True), IMAGES),
        (MLP, labelled(n_way=50), VECTORS),
        (RESNET12, labelled(n_way=5, augment={"rotate": 10}), Traits((1, 2, 3), 100, 0)),
        (CONV4, labelled(invented=0.5), IMAGES),
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
        (MLP, labelled(n_way=50, train_ways=51), VECTORS, "/tasks/train_ways"),
        (MLP, labelled(n_way=51), VECTORS, "/tasks/n_way"),
        (MLP, labelled(class_names=True), VECTORS, "/tasks/class_names"),
        (CONV4, labelled(class_names=True), IMAGES, "/tasks/class_names"),
        (MLP, labelled(invented=0.5), VECTORS, "/tasks/invented"),
        (RESNET12, labelled(invented=0.5), Traits((28, 28, 3), 100, 0), "/tasks/invented"),
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


def test_series_that_were_taken_for_images_are_told_how_they_are_known() -> None:
    for network, traits, told in ((CONV1D, IMAGES, True), (CONV1D, VECTORS, False), (CONV4, SERIES, False)):
        with pytest.raises(Invalid) as caught:
            check(config(network, labelled()), traits)
        assert ("called `series`" in caught.value.faults[0].detail) is told


@pytest.mark.parametrize("network", ["row_transformer", "table_transformer"])
def test_networks_of_tables_are_for_the_prior_fitted_alone(network: str) -> None:
    tables = {"family": "tables", "columns": 6}
    assert check(config({"name": network}, tables, "prior_fitted"), None).inputs.example_shape == (6,)
    for wrong in (config({"name": network}, tables, "protonet"), config(MLP, tables, "prior_fitted")):
        with pytest.raises(Invalid) as caught:
            check(wrong, None)
        assert [fault.pointer for fault in caught.value.faults] == ["/learner/network/name"]


def test_more_ways_in_training_need_an_algorithm_without_an_output_for_each() -> None:
    with pytest.raises(Invalid) as refused:
        check(config(MLP, labelled(train_ways=10), "maml"), VECTORS)
    assert [fault.pointer for fault in refused.value.faults] == ["/tasks/train_ways"]


TABLES = {"family": "tables", "columns": 6}
ROWS = {"name": "row_transformer"}


@pytest.mark.parametrize(
    ("algorithm", "network", "tasks", "learner"),
    [
        ("prior_fitted", ROWS, TABLES, {}),
        ("cavia", MLP, {"family": "sinusoid"}, {}),
        ("maml", MLP, {"family": "sinusoid"}, {"members": 2}),
    ],
)
def test_what_cannot_be_pretrained_is_said_at_once(
    algorithm: str, network: dict[str, Any], tasks: dict[str, Any], learner: dict[str, Any]
) -> None:
    plain = config(network, tasks, algorithm)
    plain = msgspec.structs.replace(plain, learner=msgspec.structs.replace(plain.learner, **learner))
    check(plain, None)
    training = msgspec.structs.replace(plain.training, pretrain=PretrainSpec())
    with pytest.raises(Invalid, match="leave it out") as refused:
        check(msgspec.structs.replace(plain, training=training), None)
    assert [fault.pointer for fault in refused.value.faults] == ["/training/pretrain"]


@pytest.mark.parametrize("algorithm", ["maml", "protonet"])
def test_tables_with_gaps_are_for_the_prior_fitted(algorithm: str) -> None:
    with pytest.raises(Invalid, match="missing values") as refused:
        check(config(MLP, TABLES, algorithm), None)
    assert [fault.pointer for fault in refused.value.faults] == ["/learner/algorithm/name"]


def test_views_are_of_images() -> None:
    plain = config(CONV1D, labelled())
    learner = msgspec.structs.replace(plain.learner, views=5)
    with pytest.raises(Invalid) as refused:
        check(msgspec.structs.replace(plain, learner=learner), SERIES)
    assert [fault.pointer for fault in refused.value.faults] == ["/learner/views"]


@pytest.mark.parametrize(
    ("network", "algorithm", "traits"), [(CONV1D, "protonet", SERIES), (CONV4, "maml", IMAGES)]
)
def test_networks_of_images_are_rounded_where_no_gradient_is_a_gradients(
    network: dict[str, Any], algorithm: str, traits: Traits
) -> None:
    with pytest.raises(Invalid) as refused:
        check(config(network, labelled(), algorithm, precision="bfloat16"), traits)
    assert [fault.pointer for fault in refused.value.faults] == ["/training/precision"]


EYES = {"name": "encoder", "encoder": "owner/eyes", "width": 8, "projection": 4}


@pytest.mark.parametrize(
    ("algorithm", "network", "tasks", "traits"),
    [("prior_fitted", ROWS, TABLES, None), ("protonet", EYES, labelled(), IMAGES)],
)
def test_muon_is_refused_where_it_would_move_nothing(
    algorithm: str, network: dict[str, Any], tasks: dict[str, Any], traits: Traits | None
) -> None:
    check(config(network, tasks, algorithm), traits)
    with pytest.raises(Invalid, match="leave it out") as refused:
        check(config(network, tasks, algorithm, optimizer="muon"), traits)
    assert [fault.pointer for fault in refused.value.faults] == ["/training/optimizer"]


@pytest.mark.parametrize(
    ("network", "traits"),
    [
        (CONV1D, SERIES),
        (CONV4, Traits(example_shape=(28, 30, 1), n_classes=100, n_tasks=10)),
        (EYES, IMAGES),
    ],
)
def test_what_is_turned_is_square(network: dict[str, Any], traits: Traits) -> None:
    plain = config(network, labelled())
    learner = msgspec.structs.replace(plain.learner, turns=4)
    with pytest.raises(Invalid) as refused:
        check(msgspec.structs.replace(plain, learner=learner), traits)
    assert [fault.pointer for fault in refused.value.faults] == ["/learner/turns"]


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
        (NAVIGATION, "maml_policy", {"optimizer": "muon"}, "/training/optimizer"),
        (NAVIGATION, "maml_policy", {"precision": "bfloat16"}, "/training/precision"),
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


def test_names_of_classes_are_kept_beside_examples() -> None:
    """By what keeps examples, and so are counted among those that it can."""
    network = {"name": "encoder", "encoder": "small", "width": 8}
    texts = Traits((), 100, 0)

    def configured(n_shot: int) -> MetaTrainingConfig:
        tasks = labelled(n_way=5, n_shot=n_shot, class_names=True)
        one = config(network, tasks, "matchingnet")
        algorithm = msgspec.structs.replace(one.learner.algorithm, max_support=25)
        return msgspec.structs.replace(one, learner=msgspec.structs.replace(one.learner, algorithm=algorithm))

    assert check(configured(4), texts).class_names
    with pytest.raises(Invalid, match="up to 30 support examples, names of classes counted"):
        check(configured(5), texts)
