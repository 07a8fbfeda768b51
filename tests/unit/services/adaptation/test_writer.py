"""The writer: callers share transactions, and each has its own fate."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError

from services.adaptation.records import Adaptation, StoredAdaptation
from services.adaptation.writer import AdaptationWriter
from services.errors import Unavailable
from services.storage.compiled import Insertion
from services.storage.database import Database
from services.storage.tables import AdaptationRow, AdaptedParamsRow
from tests.unit.services.adaptation.conftest import House


def _stored(number: int, model: str = "line", digest: str | None = None) -> StoredAdaptation:
    made = Adaptation(
        id=f"adp_{number}",
        model=model,
        version=1,
        task="regression",
        classes=None,
        n_support=4,
        support_loss=0.5,
        revision=1,
        options={"inner_steps": 3},
        metadata={"customer": "42"},
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
        expires_at=None,
    )
    return StoredAdaptation(made, digest or f"{number:064x}")


@pytest.fixture
def commits(house: House, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every commit of the house's database, by where it was made."""
    seen: list[str] = []
    near = house.database.near
    assert near is not None
    commit = near.commit

    def committed(insertions: Sequence[Insertion], size: int) -> bool:
        done = commit(insertions, size)
        seen.extend(["here"] * done)
        return done

    monkeypatch.setattr(near, "commit", committed)
    event.listen(house.database._writer, "commit", lambda _connection: seen.append("thread"))
    return seen


def _count(database: Database, kind: type) -> int:
    with database.read() as session:
        return session.scalar(select(func.count()).select_from(kind)) or 0


def test_many_callers_share_a_commit(house: House, commits: list[str]) -> None:
    async def scenario() -> None:
        writer = AdaptationWriter(house.database)
        await asyncio.gather(*(writer.store(_stored(number), b"params") for number in range(100)))

    house.run(scenario())
    assert commits == ["here"]
    assert (_count(house.database, AdaptationRow), _count(house.database, AdaptedParamsRow)) == (100, 100)


def test_what_comes_during_a_commit_goes_into_the_next(house: House, commits: list[str]) -> None:
    async def scenario() -> None:
        writer = AdaptationWriter(house.database)
        first = asyncio.create_task(writer.store(_stored(0), b"params"))
        await asyncio.sleep(0)
        await asyncio.sleep(0)  # the first is under way
        others = [asyncio.create_task(writer.store(_stored(number), b"params")) for number in range(1, 9)]
        await asyncio.gather(first, *others)

    house.run(scenario())
    assert commits == ["here", "here"]


def test_while_another_writes_a_group_waits_in_a_thread(house: House, commits: list[str]) -> None:
    async def scenario() -> None:
        writer = AdaptationWriter(house.database)
        with house.database.write():
            first = asyncio.create_task(writer.store(_stored(0), b"params"))
            await asyncio.sleep(0.05)
            others = [asyncio.create_task(writer.store(_stored(number), b"params")) for number in range(1, 9)]
            await asyncio.sleep(0.05)
            assert not any(task.done() for task in (first, *others))
        await asyncio.gather(first, *others)

    house.run(scenario())
    # The first is the other's own.
    assert commits == ["thread", "thread", "here"]
    assert _count(house.database, AdaptationRow) == 9


def test_a_large_group_is_a_threads(house: House, commits: list[str]) -> None:
    async def scenario() -> None:
        writer = AdaptationWriter(house.database)
        await asyncio.gather(*(writer.store(_stored(number), bytes(200_000)) for number in range(20)))
        await writer.store(_stored(20), bytes(200_000))

    house.run(scenario())
    assert commits == ["thread", "here"]
    assert _count(house.database, AdaptationRow) == 21


def test_where_no_thread_can_be_had_nobody_waits_for_one(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def none(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    async def scenario() -> None:
        writer = AdaptationWriter(house.database)
        with house.database.write(), monkeypatch.context() as patched:
            patched.setattr("services.adaptation.writer.run_sync", none)
            async with asyncio.timeout(10):
                with pytest.raises(Unavailable):
                    await writer.store(_stored(0), b"params")
        await writer.store(_stored(0), b"params")

    house.run(scenario())
    assert _count(house.database, AdaptationRow) == 1


def test_a_long_log_is_settled_between_commits(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("services.storage.near._MUCH_BYTES", 1 << 20)
    near = house.database.near
    assert near is not None
    settled: list[int] = []
    settle = near.settle
    monkeypatch.setattr(near, "settle", lambda: (settled.append(threading.get_ident()), settle()))

    async def scenario() -> None:
        writer = AdaptationWriter(house.database)
        for number in range(3):
            await writer.store(_stored(number), bytes((1 << 20) + number))

    house.run(scenario())
    assert len(settled) == 2
    assert threading.get_ident() not in settled
    assert _count(house.database, AdaptationRow) == 3


def test_equal_parameters_are_one_row(house: House) -> None:
    async def scenario() -> None:
        writer = AdaptationWriter(house.database)
        await asyncio.gather(
            *(writer.store(_stored(number, digest="ab" * 32), b"params") for number in range(5))
        )

    house.run(scenario())
    assert (_count(house.database, AdaptationRow), _count(house.database, AdaptedParamsRow)) == (5, 1)


def test_one_that_cannot_be_stored_takes_no_other_with_it(house: House) -> None:
    async def scenario() -> list[object]:
        writer = AdaptationWriter(house.database)
        wanted = [_stored(0), _stored(1, model="gone"), _stored(2), _stored(2), _stored(3)]
        return await asyncio.gather(*(writer.store(one, b"params") for one in wanted), return_exceptions=True)

    ends = house.run(scenario())
    assert [type(end) for end in ends] == [type(None), IntegrityError, type(None), IntegrityError, type(None)]
    with house.database.read() as session:
        assert set(session.scalars(select(AdaptationRow.id))) == {"adp_0", "adp_2", "adp_3"}
        assert f"{1:064x}" not in set(session.scalars(select(AdaptedParamsRow.digest)))


def test_a_caller_that_went_away_stops_nobody(house: House) -> None:
    async def scenario() -> None:
        writer = AdaptationWriter(house.database)
        tasks = [asyncio.create_task(writer.store(_stored(number), b"params")) for number in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        ends = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(end) for end in ends] == [type(None), asyncio.CancelledError, type(None)]
        await writer.store(_stored(9), b"params")

    house.run(scenario())
    assert _count(house.database, AdaptationRow) == 4


def test_a_database_that_is_away_is_everybodys_fault_and_passes(house: House) -> None:
    patient = Database(str(house.database._writer.url), patience_s=0.05)

    async def scenario() -> None:
        writer = AdaptationWriter(patient)
        with house.database.write():
            ends = await asyncio.gather(
                *(writer.store(_stored(number), b"params") for number in range(3)), return_exceptions=True
            )
        assert [type(end) for end in ends] == [Unavailable] * 3
        await writer.store(_stored(0), b"params")

    house.run(scenario())
    patient.close()
    assert _count(house.database, AdaptationRow) == 1


def test_a_defect_is_told_to_whoever_waits(house: House) -> None:
    async def scenario() -> None:
        await AdaptationWriter(house.database).store(_stored(0, digest="no digest"), b"params")

    with pytest.raises(ValueError, match="non-hexadecimal"):
        house.run(scenario())
