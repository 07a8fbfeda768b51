"""What is refused says where the fault is, and leaves nothing behind."""

from typing import Any

import numpy as np
import pytest

from services.adaptation.limits import Limits
from services.adaptation.records import SupportInput
from services.adaptation.service import AdaptationService
from services.errors import Invalid, NotFound
from services.storage.tables import AdaptationRow, AdaptedParamsRow
from tests.unit.services.adaptation.calls import LINE, POINTS, count, create, faults_of, predict
from tests.unit.services.adaptation.conftest import House


def test_a_call_that_costs_too_much_never_reaches_the_engine(house: House) -> None:
    made = create(house, "steps")
    house.stop_engine()
    limits = Limits(call_operations=200)
    bounded = AdaptationService(house.database, house.registry, house.engine, house.clock, limits)
    dear = {"inner_steps": 50}
    for asked, pointer in (
        (
            bounded.create(model="steps", start_from=None, support=LINE, options=dear, metadata={}),
            "/support/inputs",
        ),
        (bounded.adapt_predict("steps", LINE, np.ones(1), dear), "/support/inputs"),
        (bounded.adapt_predict("steps", None, np.ones(20), {}), "/inputs"),
        (bounded.predict(made.id, np.ones(20)), "/inputs"),
    ):
        with pytest.raises(Invalid) as error:
            house.run(asked)
        assert faults_of(error) == [pointer]


def test_an_answer_has_a_largest_size(house: House) -> None:
    made = create(house, "points", POINTS)
    limits = Limits(answer_numbers=6)
    bounded = AdaptationService(house.database, house.registry, house.engine, house.clock, limits)
    assert house.run(bounded.predict(made.id, POINTS.inputs[:3])).probabilities is not None
    for asked in (
        bounded.predict(made.id, POINTS.inputs[:4]),
        bounded.adapt_predict("points", POINTS, POINTS.inputs[:4], {}),
        bounded.adapt_predict("line", LINE, np.ones(7), {}),
    ):
        with pytest.raises(Invalid) as error:
            house.run(asked)
        assert faults_of(error) == ["/inputs"]


@pytest.mark.parametrize(
    ("given", "pointer"),
    [
        ({"support": SupportInput(np.zeros((0, 1)), [])}, "/support/inputs"),
        ({"support": SupportInput(np.ones(2), [1])}, "/support/inputs"),
        ({"support": SupportInput(np.ones(65), [1] * 65)}, "/support/inputs"),
        ({"support": SupportInput(np.ones((2, 2)), [1, 2])}, "/support/inputs"),
        ({"support": SupportInput(["a"], [1])}, "/support/inputs"),
        ({"support": SupportInput(np.ones(1), ["a"])}, "/support/targets/0"),
        ({"model": "points", "support": SupportInput(np.ones((2, 3)), ["a", "a"])}, "/support/targets"),
        (
            {"model": "point-steps", "support": SupportInput(np.ones((4, 3)), list("abcd"))},
            "/support/targets",
        ),
        ({"model": "points", "support": SupportInput(np.ones((9, 3)), list(range(9)))}, "/support/targets"),
        ({"options": {"nope": 1}}, "/options/nope"),
        ({"options": {"a/b~c": 1}}, "/options/a~1b~0c"),
        ({"options": {"inner_steps": 1}}, "/options/inner_steps"),
        ({"model": "steps", "options": {"inner_steps": -1}}, "/options/inner_steps"),
        ({"model": "steps", "options": {"inner_steps": True}}, "/options/inner_steps"),
        ({"model": "steps", "options": {"inner_steps": 10**40}}, "/options/inner_steps"),
        ({"model": "steps", "options": {"inner_lr": float("nan")}}, "/options/inner_lr"),
        ({"model": "steps", "options": {"inner_lr": [1]}}, "/options/inner_lr"),
        ({"model": "steps", "options": {"inner_lr": 10.0, "inner_steps": 200}}, "/support"),
        ({"ttl_seconds": 0.0}, "/ttl_seconds"),
        ({"ttl_seconds": -1.0}, "/ttl_seconds"),
        ({"ttl_seconds": 0.5}, "/ttl_seconds"),
        ({"ttl_seconds": float("nan")}, "/ttl_seconds"),
        ({"ttl_seconds": 1e12}, "/ttl_seconds"),
        ({"metadata": {"a": "x" * 300}}, "/metadata"),
        ({"metadata": {"a": object()}}, "/metadata"),
        ({"model": None}, "/model"),
        ({"start_from": "adp_1"}, "/model"),
    ],
    ids=str,
)
def test_what_is_refused_leaves_nothing_behind(house: House, given: dict[str, Any], pointer: str) -> None:
    with pytest.raises(Invalid) as error:
        create(house, **given)
    assert faults_of(error)[0] == pointer
    assert count(house, AdaptationRow) == 0
    assert count(house, AdaptedParamsRow) == 0


@pytest.mark.parametrize("model", ["nope", "line@nope", "line@99", "../../etc/passwd", "", "line@"])
def test_a_model_that_is_not_there(house: House, model: str) -> None:
    with pytest.raises(NotFound):
        create(house, model)


@pytest.mark.parametrize("inputs", [np.zeros((0, 1)), np.ones((1, 2)), np.ones(65), ["a"], [b"a"]], ids=str)
def test_queries_that_are_refused(house: House, inputs: Any) -> None:
    made = create(house)
    with pytest.raises(Invalid) as error:
        predict(house, made.id, inputs)
    assert faults_of(error) == ["/inputs"]
