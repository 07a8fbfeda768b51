"""SQLite on the event loop: look-ups by key and short commits, each in less time than the way to a thread takes.

Knows two connections that it keeps, around SQLAlchemy, and never waits for one: where another writes, it says so.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

from sqlalchemy import Connection, Engine, Select
from sqlalchemy.exc import IntegrityError, OperationalError

from services.storage.compiled import CompiledSelect, Insertion, Values, compiled_insert

# Of the log before it is copied into the file: SQLite's own default of a thousand pages.
_MUCH_BYTES = 4 << 20

_BUSY = (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED)


class NearSqlite:
    """For one thread, but for `settle`. Connects on first use."""

    def __init__(self, reader: Engine, writer: Engine) -> None:
        """`writer` is this object's own, and has no patience with a lock."""
        self._read_engine, self._write_engine = reader, writer
        self._kept: list[Connection] = []
        self._reader: sqlite3.Connection | None = None
        self._writer: sqlite3.Connection | None = None
        self._selects: dict[Select[*tuple[Any, ...]], CompiledSelect] = {}
        self._written = 0  # bytes since the log was settled last
        self._settling = Lock()

    def first(self, statement: Select[*tuple[Any, ...]], values: Mapping[str, Any]) -> Values | None:
        """The first row of a read by key, None without one. Raises sqlite3.Error, and as SQLAlchemy."""
        compiled = self._selects.get(statement)
        if compiled is None:
            compiled = self._selects[statement] = CompiledSelect(statement, self._read_engine.dialect)
        if self._reader is None:
            self._reader = self._connect(self._read_engine)
        # Nothing is begun, so that every statement sees what was committed before it.
        return compiled.first(self._reader, values)

    def commit(self, insertions: Sequence[Insertion], size: int) -> bool:
        """Insert in one transaction; False, and nothing is done, where another writer has the file.

        `size` is roughly the bytes of it all, indexes included. Raises IntegrityError, sqlite3.Error, and as
        SQLAlchemy; nothing is done then either.
        """
        try:
            writer = self._opened_writer()
        except OperationalError as error:
            if _is_busy(error.orig):
                return False
            raise
        try:
            writer.execute("BEGIN IMMEDIATE")
            for statement, rows in insertions:
                compiled_insert(statement, self._write_engine.dialect).run(writer, rows)
            writer.execute("COMMIT")
        except BaseException as error:
            if writer.in_transaction:
                writer.execute("ROLLBACK")
            if _is_busy(error):
                return False
            if isinstance(error, sqlite3.IntegrityError):
                raise IntegrityError(None, None, error) from error
            raise
        self._written += size
        return True

    @property
    def has_much_written(self) -> bool:
        """Whether it is time to `settle`."""
        return self._written >= _MUCH_BYTES

    def settle(self) -> None:
        """Copy the log into the file, as far as nobody reads what is older, so that it begins anew.

        It waits for the disk, so call it from a thread, and `commit` not meanwhile.
        """
        with self._settling:
            # Not PASSIVE: others would write meanwhile, and a log with anything left to copy only grows. Where
            # another has the file this copies all the same.
            if self._writer is not None:
                self._writer.execute("PRAGMA wal_checkpoint(RESTART)").fetchall()
            self._written = 0

    def close(self) -> None:
        """Close what was kept, once nobody settles."""
        with self._settling:
            for connection in self._kept:
                connection.close()
            self._kept.clear()
            self._reader = self._writer = None
            self._write_engine.dispose()

    def _opened_writer(self) -> sqlite3.Connection:
        """Opening reads the file, and finds it locked while another, as its first or last, sets up the log."""
        if self._writer is None:
            self._writer = self._connect(self._write_engine)
            # Copying the log into the file waits for the disk.
            self._writer.execute("PRAGMA wal_autocheckpoint=0")
        return self._writer

    def _connect(self, engine: Engine) -> sqlite3.Connection:
        kept = engine.connect()
        self._kept.append(kept)
        driver = kept.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        return driver


def _is_busy(error: BaseException | None) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode & 0xFF in _BUSY
