"""Statements that SQLite's driver runs as they are: compiled once, their values converted as SQLAlchemy would.

SQLAlchemy takes tens of microseconds to run a statement that it knows, and hundreds to insert a row; SQLite takes a
few. Thousands a second feel it.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect, Insert, Select
from sqlalchemy.exc import IntegrityError, OperationalError

Values = tuple[Any, ...]
"""One row, in the order of the statement's columns."""


class CompiledSelect:
    """For one dialect of SQLite's. Knows no connection."""

    def __init__(self, statement: Select[*tuple[Any, ...]], dialect: Dialect) -> None:
        """`statement` takes plain texts and numbers by name (`bindparam`)."""
        compiled = statement.compile(dialect=dialect)
        self._sql = str(compiled)
        self._given = dict(compiled.params)
        self._names: tuple[str, ...] = tuple(getattr(compiled, "positiontup", None) or ())
        columns = enumerate(statement.selected_columns)
        found = ((place, column.type.dialect_impl(dialect)) for place, column in columns)
        readers = ((place, kind.result_processor(dialect, None)) for place, kind in found)
        self._readers: list[tuple[int, Callable[[Any], Any]]] = [
            (place, read) for place, read in readers if read is not None
        ]

    def first(self, connection: sqlite3.Connection, values: Mapping[str, Any]) -> Values | None:
        """The first row, None where there is none. Raises sqlite3.Error."""
        given = {**self._given, **values}
        row: Values | None = connection.execute(self._sql, [given[name] for name in self._names]).fetchone()
        if row is None or not self._readers:
            return row
        read = list(row)
        for place, reader in self._readers:
            read[place] = reader(read[place])
        return tuple(read)


class Insertion(NamedTuple):
    """Rows for one table. `statement` is one of few, made once, that names (`bindparam`) what it takes of a row:
    all columns that have a default too."""

    statement: Insert
    rows: Sequence[Mapping[str, Any]]


def insert_rows(connection: Connection, insertions: Iterable[Insertion]) -> None:
    """Insert within the transaction that the connection is in, by SQLite's driver where that is what it is.

    Raises as SQLAlchemy.
    """
    if connection.dialect.name == "sqlite":
        driver = connection.connection.driver_connection
        assert isinstance(driver, sqlite3.Connection)
        for statement, rows in insertions:
            with _named_faults():
                compiled_insert(statement, connection.dialect).run(driver, rows)
    else:
        for statement, rows in insertions:
            connection.execute(statement, rows)


class CompiledInsert:
    """For one dialect of SQLite's. Knows no connection."""

    def __init__(self, statement: Insert, dialect: Dialect) -> None:
        # Else it would also ask for the keys that were made.
        compiled = statement.compile(dialect=dialect, for_executemany=True)
        self._sql = str(compiled)
        names = getattr(compiled, "positiontup", None) or ()
        self._names: tuple[str, ...] = tuple(names)
        kinds = ((place, compiled.binds[name].type.dialect_impl(dialect)) for place, name in enumerate(names))
        writers = ((place, kind.bind_processor(dialect)) for place, kind in kinds)
        self._writers: list[tuple[int, Callable[[Any], Any]]] = [
            (place, write) for place, write in writers if write is not None
        ]

    def run(self, driver: sqlite3.Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        """Raises sqlite3.Error."""
        driver.executemany(self._sql, map(self._values, rows))

    def _values(self, row: Mapping[str, Any]) -> list[Any]:
        values = [row[name] for name in self._names]
        for place, write in self._writers:
            values[place] = write(values[place])
        return values


@lru_cache(maxsize=16)
def compiled_insert(statement: Insert, dialect: Dialect) -> CompiledInsert:
    """One of the few, compiled once."""
    return CompiledInsert(statement, dialect)


@contextmanager
def _named_faults() -> Iterator[None]:
    """The driver's faults as SQLAlchemy's."""
    try:
        yield
    except sqlite3.IntegrityError as error:
        raise IntegrityError(None, None, error) from error
    except sqlite3.OperationalError as error:
        raise OperationalError(None, None, error) from error
