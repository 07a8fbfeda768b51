"""Adaptations are made, stored and queried, and what is repeated finds what it made."""

import asyncio
from typing import Any

import numpy as np
import pytest

from services.adaptation.records import Adaptation, SupportInput
from services.errors import Invalid, NotFound
from services.storage.tables import AdaptationRow
from tests import small_models
from tests.unit.services.adaptation.calls import LINE, PICTURES, POINTS, count, create, faults_of, predict
from tests.unit.services.adaptation.conftest import House


def test_a_regression_is_made_and_answers(house: House) -> None:
    made = create(house, metadata={"customer": "42"})
    assert made.id.startswith("adp_")
    assert (made.model, made.version, made.task, made.classes) == ("line", 1, "regression", None)
    assert (made.n_support, made.revision, made.expires_at) == (4, 1, None)
    assert made.metadata == {"customer": "42"}
    assert house.service.get(made.id) == made
    answer = predict(house, made.id)
    assert (answer.adaptation, answer.revision, answer.model, answer.version) == (made.id, 1, "line", 1)
    assert answer.values is not None
    assert answer.stds is not None
    assert answer.values.shape == answer.stds.shape == (2, 1)
    assert answer.target_width == 1


@pytest.mark.parametrize(
    ("model", "support", "classes"),
    [("points", POINTS, ["b", "a"]), ("point-steps", POINTS, ["b", "a"]), ("pictures", PICTURES, [7, 3])],
)
def test_a_classification_answers_in_the_callers_labels(
    house: House, model: str, support: SupportInput, classes: list[Any]
) -> None:
    made = create(house, model, support)
    assert made.classes == classes
    answer = predict(house, made.id, support.inputs)
    assert answer.classes == classes
    assert answer.probabilities is not None
    assert answer.probabilities.shape == (len(support.inputs), 2)
    np.testing.assert_allclose(answer.probabilities.sum(1), 1.0, atol=1e-5)


def test_an_adaptation_from_before_columns_were_kept_is_asked_as_many_as_there_are(house: House) -> None:
    house.registry.publish("table", small_models.table_heads())
    made = create(house, "table", SupportInput(POINTS.inputs, POINTS.targets))
    assert made.n_columns == 3
    with house.database.write() as session:
        session.get_one(AdaptationRow, made.id).n_columns = None
    assert house.service.get(made.id).n_columns is None
    narrow = predict(house, made.id, POINTS.inputs).probabilities
    by_hand = predict(house, made.id, np.pad(POINTS.inputs, ((0, 0), (0, 1)))).probabilities
    assert narrow is not None
    assert by_hand is not None
    np.testing.assert_array_equal(narrow, by_hand)


def test_an_adaptation_is_described_and_queried_at_its_own_revision_only(house: House) -> None:
    made = create(house, "steps")
    served = house.run(house.service.served(made.id, revision=1))
    assert served == house.run(house.service.served(made.id))
    assert (served.adaptation.id, served.adaptation.revision, served.version.model) == (made.id, 1, "steps")
    assert house.run(house.service.predict(made.id, np.array([5.0]), revision=1)).revision == 1
    with pytest.raises(NotFound, match="revision 1"):
        house.run(house.service.served(made.id, revision=2))
    with pytest.raises(NotFound, match="revision 1"):
        house.run(house.service.predict(made.id, np.array([5.0]), revision=2))
    with pytest.raises(Invalid) as caught:
        house.run(house.service.predict(made.id, np.zeros((1, 3)), pointer="/inputs/0"))
    assert faults_of(caught) == ["/inputs/0"]


def test_only_a_learner_that_gives_std_says_so(house: House) -> None:
    for model, gives in (("line", True), ("steps", False)):
        made = create(house, model)
        assert house.run(house.service.served(made.id)).version.learner.algorithm.gives_std is gives
        assert (predict(house, made.id).stds is not None) is gives


def test_adapting_and_querying_at_once_stores_nothing(house: House) -> None:
    made = create(house)
    stored = predict(house, made.id)
    at_once = house.run(house.service.adapt_predict("line", LINE, np.array([5.0, 6.0]), {}))
    np.testing.assert_allclose(at_once.values, stored.values, rtol=1e-5)
    assert (at_once.adaptation, at_once.revision) == (None, None)
    labels = house.run(house.service.adapt_predict("points", POINTS, POINTS.inputs, {}))
    assert labels.classes == ["b", "a"]
    assert count(house, AdaptationRow) == 1


def test_the_base_models_own_answer(house: House) -> None:
    base = house.run(house.service.adapt_predict("steps", None, np.array([5.0]), {}))
    unmoved = house.run(house.service.adapt_predict("steps", LINE, np.array([5.0]), {"inner_steps": 0}))
    np.testing.assert_allclose(base.values, unmoved.values, atol=1e-6)
    with pytest.raises(Invalid) as error:
        house.run(house.service.adapt_predict("points", None, POINTS.inputs, {}))
    assert faults_of(error) == ["/support"]


def test_a_repeated_request_finds_what_it_made(house: House) -> None:
    token = "0" * 26
    first = create(house, token=token)
    again = create(house, token=token)
    assert again == first
    assert first.id == f"adp_{token}"
    assert count(house, AdaptationRow) == 1


def test_two_equal_requests_at_once_make_one(house: House) -> None:
    async def both() -> list[Adaptation]:
        create = house.service.create
        call: dict[str, Any] = {"start_from": None, "options": {}, "metadata": {}, "token": "1" * 26}
        return await asyncio.gather(*(create(model="line", support=LINE, **call) for _ in range(8)))

    made = house.run(both())
    assert {one.id for one in made} == {made[0].id}
    assert count(house, AdaptationRow) == 1
