"""Short commits on the event loop: durable, whole or not at all, and never in a queue."""

import asyncio
import sqlite3
import threading
import time
from pathlib import Path

import pytest
from sqlalchemy import bindparam, func, select
from sqlalchemy.exc import IntegrityError

from services.storage.compiled import Insertion
from services.storage.database import Database
from services.storage.migrations import migrate
from services.storage.near import NearSqlite
from services.storage.settings import StorageSettings
from services.storage.tables import ParamsHeaderRow, table_of

HEADERS = table_of(ParamsHeaderRow)
INSERT = HEADERS.insert().values(header=bindparam("header"), digest=bindparam("digest"))
COUNT = select(func.count()).select_from(HEADERS)


@pytest.fixture
def database(tmp_path: Path) -> Database:
    settings = StorageSettings(data_dir=tmp_path)
    migrate(settings)
    return Database(settings.tables_url)


def _near(database: Database) -> NearSqlite:
    assert database.near is not None
    return database.near


def _rows(*numbers: int) -> list[Insertion]:
    return [Insertion(INSERT, [{"header": b"h", "digest": f"{number:064x}"} for number in numbers])]


def _count(database: Database) -> int:
    found = asyncio.run(database.look_up(COUNT))
    assert found is not None
    return int(found[0])


def test_what_is_committed_is_seen_by_everybody(database: Database) -> None:
    assert _near(database).commit(_rows(1, 2), 100)
    with database.read() as session:
        assert session.scalar(COUNT) == 2
    assert _count(database) == 2
    database.close()


def test_nothing_is_done_where_one_row_cannot_be(database: Database) -> None:
    near = _near(database)
    near.commit(_rows(1), 100)
    with pytest.raises(IntegrityError):
        near.commit(_rows(2, 1), 100)
    assert _count(database) == 1
    assert near.commit(_rows(2), 100)
    database.close()


def test_a_defect_half_way_leaves_nothing_open(database: Database) -> None:
    near = _near(database)
    faulty = [*_rows(1), Insertion(INSERT, [{"header": b"h", "digest": "no digest"}])]
    with pytest.raises(ValueError, match="non-hexadecimal"):
        near.commit(faulty, 100)
    assert _count(database) == 0
    with database.write():
        pass  # nobody has the lock
    database.close()


def test_another_writer_is_not_waited_for(database: Database) -> None:
    near = _near(database)
    near.commit(_rows(1), 100)
    with database.write():
        began = time.monotonic()
        assert not near.commit(_rows(2), 100)
        assert time.monotonic() - began < 5.0  # a writer's patience is 10 s
    assert near.commit(_rows(2), 100)
    assert _count(database) == 2
    database.close()


def test_a_file_that_another_has_to_itself_is_not_waited_for_even_to_open_it(
    database: Database, tmp_path: Path
) -> None:
    """As the first to open a log does for a moment: its recovery locks out everybody."""
    near = _near(database)
    alone = sqlite3.connect(tmp_path / "innerloop.db", isolation_level=None)
    alone.execute("PRAGMA locking_mode=EXCLUSIVE")
    alone.execute("BEGIN EXCLUSIVE")
    assert not near.commit(_rows(1), 100)
    alone.execute("COMMIT")
    alone.close()
    assert near.commit(_rows(1), 100)
    assert _count(database) == 1
    database.close()


def test_the_log_is_copied_into_the_file_when_there_is_much_of_it(database: Database, tmp_path: Path) -> None:
    near, file = _near(database), tmp_path / "innerloop.db"
    assert not near.has_much_written
    near.commit(_rows(*range(500)), 8 << 20)
    assert near.has_much_written
    before = file.stat().st_size
    near.settle()
    assert file.stat().st_size > before
    assert not near.has_much_written
    near.commit(_rows(1000), 100)
    assert _count(database) == 501
    database.close()


def test_closing_waits_for_a_log_that_is_being_copied(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that ends closes its database while a thread may still be at it."""
    near = _near(database)
    near.commit(_rows(1), 100)
    copying, let_go, ends = threading.Event(), threading.Event(), []

    class Slow:
        def execute(self, _statement: str) -> "Slow":
            copying.set()
            assert let_go.wait(10)
            return self

        def fetchall(self) -> None:
            ends.append("copied")

    monkeypatch.setattr(near, "_writer", Slow())
    settling = threading.Thread(target=near.settle, daemon=True)
    settling.start()
    assert copying.wait(10)
    closing = threading.Thread(target=lambda: (database.close(), ends.append("closed")), daemon=True)
    closing.start()
    closing.join(0.1)
    let_go.set()
    for thread in (settling, closing):
        thread.join(10)
    assert ends == ["copied", "closed"]
    near.settle()  # there is nothing left to copy


def test_the_log_stays_short_while_others_write(database: Database, tmp_path: Path) -> None:
    near, ended = _near(database), threading.Event()

    def write() -> None:
        number = 1 << 40
        while not ended.is_set():
            number += 1
            with database.write() as session:
                session.execute(INSERT, {"header": b"h", "digest": f"{number:064x}"})
            time.sleep(0.001)

    others = threading.Thread(target=write, daemon=True)
    others.start()
    try:
        for number in range(60):
            rows = [{"header": bytes(1 << 18), "digest": f"{number:064x}"}]
            while not near.commit([Insertion(INSERT, rows)], 1 << 18):
                time.sleep(0.001)
            near.settle()
    finally:
        ended.set()
        others.join()
    (log,) = tmp_path.glob("innerloop.db-wal")
    assert log.stat().st_size < 8 << 20  # of 15 MiB that were written
    database.close()
