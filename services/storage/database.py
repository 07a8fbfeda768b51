"""Sessions on the service's tables, on SQLite or Postgres. Knows connections; knows no table and no use case.

SQLite is opened twice. The write engine begins every transaction with BEGIN IMMEDIATE: a deferred one that
turns into a write fails with "database is locked" whatever the timeout, and pysqlite's own default loses
updates silently. The read engine is deferred and `query_only`, so that reads never queue behind writes.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import anyio.to_thread
import msgspec
from sqlalchemy import Connection, Engine, Select, create_engine, event, make_url, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from services.errors import Unavailable
from services.storage.compiled import Values
from services.storage.faults import translated
from services.storage.near import NearSqlite

PATIENCE_S = 10.0


class Database:
    """One pool of connections a process; methods may be called from any thread.

    Trouble with the connection (file locked or unreadable, server away, pool spent) surfaces as Unavailable.
    """

    def __init__(self, url: str, patience_s: float = PATIENCE_S) -> None:
        """`url` as SQLAlchemy writes it; `postgresql://` means psycopg 3. Connects on first use.

        `patience_s`: how long to wait for a connection, and on SQLite for its lock.
        """
        self._is_sqlite = is_sqlite(url)
        self.near: NearSqlite | None = None
        if self._is_sqlite:
            # One writer at a time is SQLite's rule. Threads queue for the one connection, which is fair and
            # wakes at once; SQLite's own busy handler sleeps and polls.
            self._writer = _sqlite_engine(
                url, patience_s, begin="BEGIN IMMEDIATE", pool_size=1, max_overflow=0
            )
            self._reader = _sqlite_engine(url, patience_s, begin="BEGIN", pool_size=8, max_overflow=32)
            impatient = _sqlite_engine(url, 0.0, begin="BEGIN IMMEDIATE", pool_size=1, max_overflow=0)
            self.near = NearSqlite(self._reader, impatient)
        else:
            self._writer = create_engine(
                driver_url(url),
                connect_args={"connect_timeout": max(1, round(patience_s))},
                pool_size=10,
                max_overflow=20,
                **_common(patience_s, pre_ping=True),
            )
            # Snapshot reads, as SQLite's are: one listing never mixes two moments.
            self._reader = self._writer.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
        self._write_sessions = sessionmaker(self._writer, expire_on_commit=False)
        self._read_sessions = sessionmaker(self._reader, expire_on_commit=False)

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A session on one consistent snapshot. Writing through it is an error."""
        with translated(), self._read_sessions() as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """One transaction: committed when the block ends, rolled back when it raises.

        On SQLite it holds the write lock from its first line. Never open one inside another: the inner would
        wait for the outer until it times out.
        """
        with translated(), self._write_sessions.begin() as session:
            # Sessions begin late by themselves; what the block does to files must already be under the lock.
            session.connection()
            yield session

    async def look_up(self, statement: Select[*tuple[Any, ...]], **values: Any) -> Values | None:
        """The first row of a read by key, on the one event loop that this is called from; None without one.

        `statement` is one of few, made once. SQLite is asked here and now, on a connection that is kept: that takes
        less than the way to a thread. A server is asked in a thread. Each look-up is a snapshot of its own.
        """
        if self.near is None:
            return await anyio.to_thread.run_sync(self._ask_server, statement, values)
        with translated():
            return self.near.first(statement, values)

    def _ask_server(self, statement: Select[*tuple[Any, ...]], values: dict[str, Any]) -> Values | None:
        with translated(), self._reader.connect() as connection:
            row = connection.execute(statement, values).first()
            return None if row is None else tuple(row)

    def ping(self) -> None:
        """Raise Unavailable unless the database answers and holds the service's tables."""
        try:
            with self.read() as session:
                session.execute(text("SELECT version_num FROM alembic_version")).one()
        except SQLAlchemyError as error:
            raise Unavailable("the database has no tables yet") from error

    def close(self) -> None:
        """Close every connection."""
        if self.near is not None:
            self.near.close()
        self._writer.dispose()
        self._reader.dispose()


def is_sqlite(url: str) -> bool:
    """Whether this address names a SQLite file."""
    return make_url(url).get_backend_name() == "sqlite"


def driver_url(url: str) -> str:
    """The address with psycopg 3 as driver where it says plain `postgresql://`."""
    parsed = make_url(url)
    if parsed.drivername == "postgresql":
        parsed = parsed.set(drivername="postgresql+psycopg")
    return parsed.render_as_string(hide_password=False)


def serialize_transactions(engine: Engine, begin: str) -> None:
    """Let `begin` open every transaction on this SQLite engine, in place of pysqlite's late implicit one."""

    @event.listens_for(engine, "connect")
    def _leave_transactions_to_us(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        connection.exec_driver_sql(begin)


def _sqlite_engine(url: str, patience_s: float, *, begin: str, pool_size: int, max_overflow: int) -> Engine:
    engine = create_engine(
        url,
        connect_args={"timeout": patience_s},
        pool_size=pool_size,
        max_overflow=max_overflow,
        **_common(patience_s, pre_ping=False),
    )
    serialize_transactions(engine, begin)
    query_only = begin == "BEGIN"

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: object) -> None:
        # WAL is a property of the file and set once, by `migrate`; these belong to the connection.
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute("PRAGMA foreign_keys=ON")
        if query_only:
            connection.execute("PRAGMA query_only=ON")

    return engine


def _common(patience_s: float, *, pre_ping: bool) -> dict[str, Any]:
    return {
        "pool_timeout": patience_s,
        "pool_pre_ping": pre_ping,
        # Faster than the standard library's, and NaN becomes null where Postgres would refuse the row.
        "json_serializer": lambda value: msgspec.json.encode(value).decode(),
        "json_deserializer": msgspec.json.decode,
    }
