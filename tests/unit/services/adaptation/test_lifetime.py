"""How long an adaptation is there: listed, expired, swept, deleted, and what stays while it needs it."""

from typing import Any

import numpy as np
import pytest

from services.engine.messages import AdaptCall, AdaptReply
from services.errors import Conflict, NotFound, PreconditionFailed, Unavailable
from services.storage.tables import AdaptationRow, AdaptedParamsRow
from tests import small_models
from tests.unit.services.adaptation.calls import LINE, POINTS, count, create, predict
from tests.unit.services.adaptation.conftest import House


def test_an_adaptation_outlives_the_engine_that_made_it(house: House) -> None:
    made = [create(house), create(house, "points", POINTS)]
    before = [predict(house, made[0].id), predict(house, made[1].id, POINTS.inputs)]
    house.stop_engine()
    house.start_engine()
    after = [predict(house, made[0].id), predict(house, made[1].id, POINTS.inputs)]
    np.testing.assert_allclose(before[0].values, after[0].values, atol=1e-6)
    np.testing.assert_allclose(before[1].probabilities, after[1].probabilities, atol=1e-6)


def test_lists_by_the_page_and_by_the_model(house: House) -> None:
    made = []
    for model, support in [("line", LINE), ("points", POINTS), ("line", LINE), ("line", LINE)]:
        made.append(create(house, model, support))
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
    kept, brief = create(house), create(house, "points", POINTS, ttl_seconds=60.0)
    assert brief.expires_at is not None
    house.clock.advance(59)
    assert house.service.get(brief.id) == brief
    house.clock.advance(1)
    for gone in (house.service.get, house.service.delete):
        with pytest.raises(NotFound):
            gone(brief.id)
    with pytest.raises(NotFound):
        predict(house, brief.id, POINTS.inputs)
    with pytest.raises(NotFound):
        create(house, None, start_from=brief.id)
    assert [one.id for one in house.run(house.service.list()).data] == [kept.id]
    assert count(house, AdaptationRow) == 2
    assert house.sweep.purge() == 1
    assert (count(house, AdaptationRow), count(house, AdaptedParamsRow)) == (1, 1)
    assert house.sweep.purge() == 0
    assert predict(house, kept.id).values is not None


def test_parameters_are_kept_while_anyone_shares_them(house: House) -> None:
    one, two = create(house), create(house)
    assert count(house, AdaptedParamsRow) == 1
    house.service.delete(one.id)
    assert predict(house, two.id).values is not None
    house.service.delete(two.id)
    assert count(house, AdaptedParamsRow) == 0
    with pytest.raises(NotFound):
        house.service.delete(two.id)


def test_parameters_that_others_left_behind_are_swept(house: House) -> None:
    house.registry.publish("line", small_models.artifact(small_models.RidgeSpec(), small_models.LINE, seed=1))
    create(house, "line@2", ttl_seconds=1.0)
    house.clock.advance(2)
    house.registry.delete_version("line", 2)
    assert (count(house, AdaptationRow), count(house, AdaptedParamsRow)) == (0, 1)
    assert house.sweep.purge() == 0
    assert count(house, AdaptedParamsRow) == 0


def test_deleting_needs_the_revision_that_was_seen(house: House) -> None:
    made = create(house)
    with pytest.raises(PreconditionFailed):
        house.service.delete(made.id, if_match=2)
    house.service.delete(made.id, if_match=1)


def test_a_version_in_use_stays(house: House) -> None:
    made = create(house, "points", POINTS)
    with pytest.raises(Conflict):
        house.registry.delete_version("points", 1)
    house.service.delete(made.id)
    house.registry.delete_version("points", 1)
    with pytest.raises(NotFound):
        create(house, "points", POINTS)


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
        create(house, "points", POINTS)
    assert count(house, AdaptedParamsRow) == 0


def test_an_alias_is_followed_wherever_it_points(house: House) -> None:
    assert create(house, "line").version == 1
    newer = small_models.artifact(small_models.RidgeSpec(), small_models.LINE, seed=1)
    assert house.registry.publish("line", newer).version == 2
    assert create(house, "line").version == 1  # champion
    house.registry.set_alias("line", "champion", 2)
    assert create(house, "line").version == 2
    assert create(house, "line@1").version == 1


def test_a_missing_file_is_no_defect_of_the_request(house: House) -> None:
    made = create(house)
    version = house.registry.version("line", 1)
    house.stop_engine()
    house.artifacts.delete(version.artifact_sha256)
    house.start_engine()
    with pytest.raises(Unavailable):
        create(house)
    with pytest.raises(Unavailable):
        predict(house, made.id)
