"""What an outer step takes of memory: it grows with what drives it, and is refused beyond what a worker has."""

from typing import Any

import msgspec
import pytest

from models.training.config import MetaTrainingConfig
from services.errors import Invalid
from services.jobs import suitability
from services.jobs.cost import step_bytes
from services.jobs.suitability import Traits
from tests.unit.services.jobs.configurations import (
    CONV4,
    IMAGES,
    MAX_STEP_BYTES,
    MLP,
    VECTORS,
    check,
    config,
    labelled,
)


def test_a_step_that_no_machine_could_take_is_refused() -> None:
    huge = config(CONV4, labelled(n_way=40, n_shot=400, n_query=400), "maml", meta_batch_size=4096)
    with pytest.raises(Invalid) as caught:
        check(huge, IMAGES)
    (fault,) = caught.value.faults
    assert fault.pointer == "/training/meta_batch_size"
    assert "GiB" in fault.detail


@pytest.mark.parametrize("states", [100, 1000])
def test_an_environment_that_no_machine_could_hold_is_refused(states: int) -> None:
    small = {"name": "mlp", "hidden": [8]}
    usual = {"family": "tabular_mdp", "states": 10, "actions": 5}
    tasks = {**usual, "states": states, "actions": 1000}
    suitability.check(config(small, usual, "maml_policy", meta_batch_size=1), None, 16 << 30)
    with pytest.raises(Invalid, match="one outer step would take"):
        suitability.check(config(small, tasks, "maml_policy", meta_batch_size=1), None, 8 << 30)


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


def test_an_image_is_more_tokens_to_a_tuned_encoder_than_a_text_is() -> None:
    network = {"name": "encoder", "encoder": "some", "width": 384, "tuning": "lora"}
    texts, images = Traits((), 100, 1), IMAGES
    tuned = config(network, labelled(), "auto")
    assert step_bytes(tuned, check(tuned, images)) > 5 * step_bytes(tuned, check(tuned, texts))
    frozen = config({**network, "tuning": "none"}, labelled(), "auto")
    assert step_bytes(frozen, check(frozen, images)) == step_bytes(frozen, check(frozen, texts))


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


def test_members_and_ways_take_memory() -> None:
    plain = config(CONV4, labelled(n_way=5))
    several = msgspec.structs.replace(plain, learner=msgspec.structs.replace(plain.learner, members=3))
    signature = check(plain, IMAGES)
    assert step_bytes(several, signature) == 3 * step_bytes(plain, signature)
    assert step_bytes(config(CONV4, labelled(n_way=5, train_ways=50)), signature) > 9 * step_bytes(
        plain, signature
    )


@pytest.mark.parametrize("algorithm", ["logistic", "svm", "matchingnet"])
def test_what_a_fit_keeps_is_part_of_its_cost(algorithm: str) -> None:
    def cost(ways: int) -> int:
        configuration = config(MLP, labelled(n_way=ways, n_shot=1), algorithm)
        return step_bytes(configuration, check(configuration, VECTORS))

    assert cost(10) < cost(50)
    plain = config(MLP, labelled(n_way=50, n_shot=1))
    assert step_bytes(plain, check(plain, VECTORS)) < cost(50)
