"""Trouble with a database connection, as the service tells it."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout

from services.errors import Unavailable

# SQLite calls a faulty statement, and a write through the read engine, operational errors too. They are ours.
_DEFECTS = (sqlite3.SQLITE_ERROR, sqlite3.SQLITE_READONLY)


@contextmanager
def translated() -> Iterator[None]:
    """Unavailable for a file that is locked or unreadable, a server that is away, a pool that is spent."""
    try:
        yield
    except (OperationalError, InterfaceError, PoolTimeout, sqlite3.OperationalError) as error:
        cause = error.orig if isinstance(error, OperationalError) else error
        if isinstance(cause, sqlite3.Error) and cause.sqlite_errorcode in _DEFECTS:
            raise
        raise Unavailable("the database cannot answer now") from error
