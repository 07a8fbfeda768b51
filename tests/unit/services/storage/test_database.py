"""Sessions on SQLite: whole transactions, no lost updates, and trouble told apart from defects."""

import asyncio
import sqlite3
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import bindparam, column, func, select, table, text
from sqlalchemy.exc import IntegrityError, OperationalError

from services.errors import Unavailable
from services.storage.database import Database, driver_url
from services.storage.settings import StorageSettings
from services.storage.tables import AliasRow, JobRow, ModelRow, ModelVersionRow

NOW = datetime(2026, 1, 1, 12, 30, 0, 123456, tzinfo=UTC)


def _model(name: str) -> ModelRow:
    return ModelRow(name=name, created_at=NOW, last_version=0)


def test_a_write_is_committed_at_its_end(database: Database) -> None:
    with database.write() as session:
        session.add(_model("a"))
    with database.read() as session:
        row = session.get_one(ModelRow, "a")
        assert row.created_at == NOW
        assert row.created_at.tzinfo is UTC


def test_a_failed_write_leaves_nothing(database: Database) -> None:
    def write_half() -> None:
        with database.write() as session:
            session.add(_model("a"))
            session.flush()
            raise KeyError("between two statements")

    with pytest.raises(KeyError):
        write_half()
    with database.read() as session:
        assert session.get(ModelRow, "a") is None


def test_foreign_keys_hold(database: Database) -> None:
    def point_at_nothing() -> None:
        with database.write() as session:
            session.add(AliasRow(model="a", alias="b", version=1, revision=1, created_at=NOW, updated_at=NOW))

    with pytest.raises(IntegrityError):
        point_at_nothing()


def test_no_update_is_lost(database: Database) -> None:
    with database.write() as session:
        session.add(_model("counter"))

    def count() -> None:
        for _ in range(25):
            with database.write() as session:
                session.get_one(ModelRow, "counter").last_version += 1

    threads = [threading.Thread(target=count, daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as session:
        assert session.get_one(ModelRow, "counter").last_version == 100


def test_reads_go_on_during_a_write_and_see_one_moment(database: Database) -> None:
    with database.write() as writing:
        writing.add(_model("a"))
        writing.flush()
        with database.read() as reading:
            assert reading.get(ModelRow, "a") is None
    with database.read() as reading:
        assert reading.get(ModelRow, "a") is not None


def test_a_look_up_sees_every_commit_before_it(database: Database) -> None:
    count, missing = (
        select(func.count()).select_from(ModelRow),
        select(column("nothing")).select_from(table("t")),
    )

    async def scenario() -> None:
        for number in range(3):
            with database.write() as session:
                session.add(_model(f"m{number}"))
            assert await database.look_up(count) == (number + 1,)
            with pytest.raises(sqlite3.OperationalError):
                await database.look_up(missing)

    asyncio.run(scenario())


def test_a_look_up_reads_values_as_a_session_does(database: Database) -> None:
    columns = (AliasRow.alias, AliasRow.created_at, ModelVersionRow.manifest, ModelVersionRow.token)
    joined = select(*columns).join_from(AliasRow, ModelVersionRow, AliasRow.model == ModelVersionRow.model)
    statement = joined.where(AliasRow.model == bindparam("model"), AliasRow.alias == "champion")
    with database.write() as session:
        session.add(_model("m"))
        session.flush()
        session.add(
            ModelVersionRow(
                model="m",
                version=1,
                artifact_sha256="0",
                artifact_bytes=1,
                manifest={"a": [1, None]},
                created_at=NOW,
            )
        )
        session.flush()
        session.add(
            AliasRow(model="m", alias="champion", version=1, revision=1, created_at=NOW, updated_at=NOW)
        )
    with database.read() as session:
        expected = tuple(session.execute(statement, {"model": "m"}).one())
    assert expected == ("champion", NOW, {"a": [1, None]}, None)

    async def scenario() -> None:
        assert await database.look_up(statement, model="m") == expected
        assert await database.look_up(statement, model="another") is None

    asyncio.run(scenario())


def test_two_processes_do_not_lose_updates_either(database: Database, settings: StorageSettings) -> None:
    other = Database(settings.tables_url)
    with database.write() as session:
        session.add(_model("counter"))

    def count(through: Database) -> None:
        for _ in range(25):
            with through.write() as session:
                session.get_one(ModelRow, "counter").last_version += 1

    threads = [threading.Thread(target=count, args=(through,), daemon=True) for through in (database, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    with database.read() as session:
        assert session.get_one(ModelRow, "counter").last_version == 50


def test_writing_through_a_read_is_a_defect(database: Database) -> None:
    def write_while_reading() -> None:
        with database.read() as session:
            session.add(_model("a"))
            session.flush()

    with pytest.raises(OperationalError, match="readonly"):
        write_while_reading()


def test_a_faulty_statement_is_a_defect(database: Database) -> None:
    def ask_nonsense() -> None:
        with database.read() as session:
            session.execute(text("SELECT * FROM nowhere"))

    with pytest.raises(OperationalError, match="no such table"):
        ask_nonsense()


def test_a_locked_file_is_unavailable(settings: StorageSettings, database: Database) -> None:
    impatient = Database(settings.tables_url, patience_s=0.01)

    def write_in_vain() -> None:
        with impatient.write() as session:
            session.add(_model("a"))

    with database.write(), pytest.raises(Unavailable):
        write_in_vain()
    with database.write(), impatient.read() as session:
        assert session.get(ModelRow, "a") is None
    impatient.close()


def test_a_write_within_a_write_gives_up(settings: StorageSettings, database: Database) -> None:
    impatient = Database(settings.tables_url, patience_s=0.01)

    def nest() -> None:
        with impatient.write(), impatient.write():
            pass

    with pytest.raises(Unavailable):
        nest()
    impatient.close()


def test_ping_wants_a_database_with_tables(database: Database, tmp_path: Path) -> None:
    database.ping()
    empty = Database(f"sqlite:///{tmp_path / 'empty.db'}")
    with pytest.raises(Unavailable, match="no tables"):
        empty.ping()
    empty.close()
    nowhere = Database(f"sqlite:///{tmp_path / 'no' / 'folder.db'}")
    with pytest.raises(Unavailable):
        nowhere.ping()


def test_null_in_a_json_column_is_a_null(database: Database) -> None:
    row = JobRow(
        id="job_1",
        type="meta_training",
        status="queued",
        model="a",
        config={"nan": float("nan")},
        publish={},
        progress={},
        metrics={},
        result=None,
        error=None,
        attempts=0,
        worker=None,
        turn=0,
        losses=0,
        created_at=NOW,
        started_at=None,
        finished_at=None,
    )
    with database.write() as session:
        session.add(row)
    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM jobs WHERE result IS NULL AND error IS NULL")) == 1
        assert session.get_one(JobRow, "job_1").config == {"nan": None}


def test_plain_postgres_addresses_mean_psycopg() -> None:
    assert driver_url("postgresql://u:p@h/d") == "postgresql+psycopg://u:p@h/d"
    assert driver_url("postgresql+psycopg://h/d") == "postgresql+psycopg://h/d"
