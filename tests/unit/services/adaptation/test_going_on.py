"""An adaptation that goes on from another: the steps and the classes of the first stay."""

import pytest

from services.adaptation.records import SupportInput
from services.errors import Invalid, NotFound
from tests.unit.services.adaptation.calls import POINTS, RNG, create, faults_of, predict
from tests.unit.services.adaptation.conftest import House


def test_going_on_from_an_adaptation(house: House) -> None:
    first = create(house, "steps", options={"inner_steps": 2})
    second = create(house, None, start_from=first.id, options={"inner_steps": 3})
    at_once = create(house, "steps", options={"inner_steps": 5})
    assert second.id != first.id
    assert (second.model, second.version, second.revision) == ("steps", 1, 1)
    assert second.support_loss == pytest.approx(at_once.support_loss, rel=1e-5)
    assert second.options == {"inner_steps": 3}
    assert house.service.get(first.id) == first


def test_going_on_keeps_the_classes(house: House) -> None:
    first = create(house, "point-steps", POINTS)
    more = SupportInput(RNG.normal(size=(2, 3)), ["a", "a"])
    second = create(house, None, more, start_from=first.id)
    assert second.classes == ["b", "a"]
    assert predict(house, second.id, POINTS.inputs).probabilities is not None
    with pytest.raises(Invalid) as error:
        create(house, None, SupportInput(RNG.normal(size=(2, 3)), ["a", "c"]), start_from=first.id)
    assert faults_of(error) == ["/support/targets/1"]


def test_a_learner_that_cannot_go_on_says_so(house: House) -> None:
    with pytest.raises(Invalid) as error:
        create(house, None, start_from=create(house).id)
    assert faults_of(error) == ["/from"]
    with pytest.raises(NotFound):
        create(house, None, start_from="adp_nope")
