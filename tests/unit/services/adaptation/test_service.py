"""The whole life of an adaptation: made, stored, queried, listed, gone on from, expired, deleted."""

import asyncio
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from services.adaptation.limits import Limits
from services.adaptation.records import Adaptation, PredictionBatch, SupportInput
from services.adaptation.service import AdaptationService
from services.engine.messages import AdaptCall, AdaptReply
from services.errors import Conflict, Invalid, NotFound, PreconditionFailed, Unavailable
from services.storage.tables import AdaptationRow, AdaptedParamsRow
from tests import small_models
from tests.unit.services.adaptation.conftest import House

LINE = SupportInput(np.array([1.0, 2.0, 3.0, 4.0]), [2, 4, 6, 8])
RNG = np.random.default_rng(0)
POINTS = SupportInput(RNG.normal(size=(6, 3)), ["b", "a", "b", "a", "b", "b"])
PICTURES = SupportInput(RNG.integers(0, 256, (4, 28, 28), dtype=np.uint8), [7, 3, 7, 3])


def _create(
    house: House, model: str | None = "line", support: SupportInput = LINE, **given: Any
) -> Adaptation:
    call = {"start_from": None, "options": {}, "metadata": {}, **given}
    return house.run(house.service.create(model=model, support=support, **call))


def _predict(house: House, adaptation_id: str, inputs: Any = None) -> PredictionBatch:
    return house.run(house.service.predict(adaptation_id, np.array([5.0, 6.0]) if inputs is None else inputs))


def _count(house: House, row: Any) -> int:
    with house.database.read() as session:
        return session.scalar(select(func.count()).select_from(row)) or 0


def _faults(error: pytest.ExceptionInfo[Invalid]) -> list[str]:
    return [fault.pointer for fault in error.value.faults]


def test_a_regression_is_made_and_answers(house: House) -> None:
    made = _create(house, metadata={"customer": "42"})
    assert made.id.startswith("adp_")
    assert (made.model, made.version, made.task, made.classes) == ("line", 1, "regression", None)
    assert (made.n_support, made.revision, made.expires_at) == (4, 1, None)
    assert made.metadata == {"customer": "42"}
    assert house.service.get(made.id) == made
    answer = _predict(house, made.id)
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
    made = _create(house, model, support)
    assert made.classes == classes
    answer = _predict(house, made.id, support.inputs)
    assert answer.classes == classes
    assert answer.probabilities is not None
    assert answer.probabilities.shape == (len(support.inputs), 2)
    np.testing.assert_allclose(answer.probabilities.sum(1), 1.0, atol=1e-5)


def test_an_adaptation_is_described_and_queried_at_its_own_revision_only(house: House) -> None:
    made = _create(house, "steps")
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
    assert _faults(caught) == ["/inputs/0"]


def test_only_a_learner_that_gives_std_says_so(house: House) -> None:
    for model, gives in (("line", True), ("steps", False)):
        made = _create(house, model)
        assert house.run(house.service.served(made.id)).version.learner.algorithm.gives_std is gives
        assert (_predict(house, made.id).stds is not None) is gives


def test_an_adaptation_outlives_the_engine_that_made_it(house: House) -> None:
    made = [_create(house), _create(house, "points", POINTS)]
    before = [_predict(house, made[0].id), _predict(house, made[1].id, POINTS.inputs)]
    house.stop_engine()
    house.start_engine()
    after = [_predict(house, made[0].id), _predict(house, made[1].id, POINTS.inputs)]
    np.testing.assert_allclose(before[0].values, after[0].values, atol=1e-6)
    np.testing.assert_allclose(before[1].probabilities, after[1].probabilities, atol=1e-6)


def test_adapting_and_querying_at_once_stores_nothing(house: House) -> None:
    made = _create(house)
    stored = _predict(house, made.id)
    at_once = house.run(house.service.adapt_predict("line", LINE, np.array([5.0, 6.0]), {}))
    np.testing.assert_allclose(at_once.values, stored.values, rtol=1e-5)
    assert (at_once.adaptation, at_once.revision) == (None, None)
    labels = house.run(house.service.adapt_predict("points", POINTS, POINTS.inputs, {}))
    assert labels.classes == ["b", "a"]
    assert _count(house, AdaptationRow) == 1


def test_the_base_models_own_answer(house: House) -> None:
    base = house.run(house.service.adapt_predict("steps", None, np.array([5.0]), {}))
    unmoved = house.run(house.service.adapt_predict("steps", LINE, np.array([5.0]), {"inner_steps": 0}))
    np.testing.assert_allclose(base.values, unmoved.values, atol=1e-6)
    with pytest.raises(Invalid) as error:
        house.run(house.service.adapt_predict("points", None, POINTS.inputs, {}))
    assert _faults(error) == ["/support"]


def test_a_call_that_costs_too_much_never_reaches_the_engine(house: House) -> None:
    made = _create(house, "steps")
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
        assert _faults(error) == [pointer]


def test_an_answer_has_a_largest_size(house: House) -> None:
    made = _create(house, "points", POINTS)
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
        assert _faults(error) == ["/inputs"]


def test_a_repeated_request_finds_what_it_made(house: House) -> None:
    token = "0" * 26
    first = _create(house, token=token)
    again = _create(house, token=token)
    assert again == first
    assert first.id == f"adp_{token}"
    assert _count(house, AdaptationRow) == 1


def test_two_equal_requests_at_once_make_one(house: House) -> None:
    async def both() -> list[Adaptation]:
        create = house.service.create
        call: dict[str, Any] = {"start_from": None, "options": {}, "metadata": {}, "token": "1" * 26}
        return await asyncio.gather(*(create(model="line", support=LINE, **call) for _ in range(8)))

    made = house.run(both())
    assert {one.id for one in made} == {made[0].id}
    assert _count(house, AdaptationRow) == 1


def test_going_on_from_an_adaptation(house: House) -> None:
    first = _create(house, "steps", options={"inner_steps": 2})
    second = _create(house, None, start_from=first.id, options={"inner_steps": 3})
    at_once = _create(house, "steps", options={"inner_steps": 5})
    assert second.id != first.id
    assert (second.model, second.version, second.revision) == ("steps", 1, 1)
    assert second.support_loss == pytest.approx(at_once.support_loss, rel=1e-5)
    assert second.options == {"inner_steps": 3}
    assert house.service.get(first.id) == first


def test_going_on_keeps_the_classes(house: House) -> None:
    first = _create(house, "point-steps", POINTS)
    more = SupportInput(RNG.normal(size=(2, 3)), ["a", "a"])
    second = _create(house, None, more, start_from=first.id)
    assert second.classes == ["b", "a"]
    assert _predict(house, second.id, POINTS.inputs).probabilities is not None
    with pytest.raises(Invalid) as error:
        _create(house, None, SupportInput(RNG.normal(size=(2, 3)), ["a", "c"]), start_from=first.id)
    assert _faults(error) == ["/support/targets/1"]


def test_a_learner_that_cannot_go_on_says_so(house: House) -> None:
    with pytest.raises(Invalid) as error:
        _create(house, None, start_from=_create(house).id)
    assert _faults(error) == ["/from"]
    with pytest.raises(NotFound):
        _create(house, None, start_from="adp_nope")


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
        _create(house, **given)
    assert _faults(error)[0] == pointer
    assert _count(house, AdaptationRow) == 0
    assert _count(house, AdaptedParamsRow) == 0


@pytest.mark.parametrize("model", ["nope", "line@nope", "line@99", "../../etc/passwd", "", "line@"])
def test_a_model_that_is_not_there(house: House, model: str) -> None:
    with pytest.raises(NotFound):
        _create(house, model)


@pytest.mark.parametrize("inputs", [np.zeros((0, 1)), np.ones((1, 2)), np.ones(65), ["a"], [b"a"]], ids=str)
def test_queries_that_are_refused(house: House, inputs: Any) -> None:
    made = _create(house)
    with pytest.raises(Invalid) as error:
        _predict(house, made.id, inputs)
    assert _faults(error) == ["/inputs"]


def test_lists_by_the_page_and_by_the_model(house: House) -> None:
    made = []
    for model, support in [("line", LINE), ("points", POINTS), ("line", LINE), ("line", LINE)]:
        made.append(_create(house, model, support))
        house.clock.advance(1)
    newest_first = [one.id for one in reversed(made)]
    first = house.run(house.service.list(limit=3))
    assert [one.id for one in first.data] == newest_first[:3]
    rest = house.run(house.service.list(limit=3, after=first.next))
    assert [one.id for one in rest.data] == newest_first[3:]
    assert rest.next is None
    assert [one.id for one in house.run(house.service.list(model="points")).data] == [made[1].id]
    assert len(house.run(house.service.list(model="line@1")).data) == 3
    assert house.run(house.service.list(model="nope")).data == []
    with pytest.raises(NotFound):
        house.run(house.service.list(model="line@2"))


def test_an_expired_adaptation_is_gone_and_swept(house: House) -> None:
    kept, brief = _create(house), _create(house, "points", POINTS, ttl_seconds=60.0)
    assert brief.expires_at is not None
    house.clock.advance(59)
    assert house.service.get(brief.id) == brief
    house.clock.advance(1)
    for gone in (house.service.get, house.service.delete):
        with pytest.raises(NotFound):
            gone(brief.id)
    with pytest.raises(NotFound):
        _predict(house, brief.id, POINTS.inputs)
    with pytest.raises(NotFound):
        _create(house, None, start_from=brief.id)
    assert [one.id for one in house.run(house.service.list()).data] == [kept.id]
    assert _count(house, AdaptationRow) == 2
    assert house.sweep.purge() == 1
    assert (_count(house, AdaptationRow), _count(house, AdaptedParamsRow)) == (1, 1)
    assert house.sweep.purge() == 0
    assert _predict(house, kept.id).values is not None


def test_parameters_are_kept_while_anyone_shares_them(house: House) -> None:
    one, two = _create(house), _create(house)
    assert _count(house, AdaptedParamsRow) == 1
    house.service.delete(one.id)
    assert _predict(house, two.id).values is not None
    house.service.delete(two.id)
    assert _count(house, AdaptedParamsRow) == 0
    with pytest.raises(NotFound):
        house.service.delete(two.id)


def test_parameters_that_others_left_behind_are_swept(house: House) -> None:
    house.registry.publish("line", small_models.artifact(small_models.RidgeSpec(), small_models.LINE, seed=1))
    _create(house, "line@2", ttl_seconds=1.0)
    house.clock.advance(2)
    house.registry.delete_version("line", 2)
    assert (_count(house, AdaptationRow), _count(house, AdaptedParamsRow)) == (0, 1)
    assert house.sweep.purge() == 0
    assert _count(house, AdaptedParamsRow) == 0


def test_deleting_needs_the_revision_that_was_seen(house: House) -> None:
    made = _create(house)
    with pytest.raises(PreconditionFailed):
        house.service.delete(made.id, if_match=2)
    house.service.delete(made.id, if_match=1)


def test_a_version_in_use_stays(house: House) -> None:
    made = _create(house, "points", POINTS)
    with pytest.raises(Conflict):
        house.registry.delete_version("points", 1)
    house.service.delete(made.id)
    house.registry.delete_version("points", 1)
    with pytest.raises(NotFound):
        _create(house, "points", POINTS)


class MeddlingEngine:
    """Lets something happen while the engine has the call."""

    def __init__(self, house: House, meddle: Any) -> None:
        self._house = house
        self._meddle = meddle

    async def adapt(self, call: AdaptCall) -> AdaptReply:
        reply = await self._house.engine.adapt(call)
        self._meddle()
        return reply


def test_a_version_deleted_while_adapting_is_not_found(house: House) -> None:
    service = house.service
    service._engine = MeddlingEngine(house, lambda: house.registry.delete_version("points", 1))
    with pytest.raises(NotFound, match="points"):
        _create(house, "points", POINTS)
    assert _count(house, AdaptedParamsRow) == 0


def test_an_alias_is_followed_wherever_it_points(house: House) -> None:
    assert _create(house, "line").version == 1
    newer = small_models.artifact(small_models.RidgeSpec(), small_models.LINE, seed=1)
    assert house.registry.publish("line", newer).version == 2
    assert _create(house, "line").version == 1  # champion
    house.registry.set_alias("line", "champion", 2)
    assert _create(house, "line").version == 2
    assert _create(house, "line@1").version == 1


def test_a_missing_file_is_no_defect_of_the_request(house: House) -> None:
    made = _create(house)
    version = house.registry.version("line", 1)
    house.stop_engine()
    house.artifacts.delete(version.artifact_sha256)
    house.start_engine()
    with pytest.raises(Unavailable):
        _create(house)
    with pytest.raises(Unavailable):
        _predict(house, made.id)
