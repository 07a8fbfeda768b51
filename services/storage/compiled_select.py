"""A SELECT that SQLite's driver runs as it is: compiled once, its values read as SQLAlchemy would read them.

SQLAlchemy takes tens of microseconds to run a statement that it knows, SQLite a few: thousands a second feel it.
"""

import sqlite3
from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import Dialect, Select

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
