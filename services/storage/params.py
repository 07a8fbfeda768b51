"""Adapted parameters in the database: a file's numbers in a row of its own, its header once for all that have it.

What goes in comes out byte for byte. Adapted models of one base differ in their numbers alone, and where they are
small, names and shapes would take as much room as those. Knows the file's first bytes; not what it is for.
"""

import hashlib
from collections.abc import Callable, Collection, Mapping
from typing import TypeVar

from sqlalchemy import Table, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from services.storage.compiled import Insertion, insert_rows
from services.storage.tables import AdaptedParamsRow, ParamsHeaderRow, table_of
from services.storage.tensor_file import header_bytes

InsertT = TypeVar("InsertT", postgresql.Insert, sqlite.Insert)

_PARAMS = table_of(AdaptedParamsRow)
_HEADERS = table_of(ParamsHeaderRow)
_FILES = select(_PARAMS.c.digest, _HEADERS.c.header, _PARAMS.c.numbers).join(_HEADERS)
_HEADER_ID = select(_HEADERS.c.id).where(_HEADERS.c.digest == bindparam("header_digest")).scalar_subquery()


def _inserts(insert: Callable[[Table], InsertT]) -> tuple[InsertT, InsertT]:
    """Into the headers and into the parameters."""
    headers = (
        insert(_HEADERS)
        .values(header=bindparam("header"), digest=bindparam("digest"))
        .on_conflict_do_nothing()
    )
    params = insert(_PARAMS).values(
        digest=bindparam("digest"), header_id=_HEADER_ID, numbers=bindparam("numbers")
    )
    # Not DO NOTHING: that would neither lock the row nor wait for another's removal of it.
    upsert = params.on_conflict_do_update(
        index_elements=[_PARAMS.c.digest], set_={"digest": params.excluded.digest}
    )
    return headers, upsert


_INSERTS = {"sqlite": _inserts(sqlite.insert), "postgresql": _inserts(postgresql.insert)}


def put(session: Session, files: Mapping[str, bytes]) -> None:
    """Add files by digest where they are not there yet, and lock the rows of those that are."""
    connection = session.connection()
    insert_rows(connection, insertions(files, connection.dialect.name))


def insertions(files: Mapping[str, bytes], dialect: str) -> list[Insertion]:
    """What `put` inserts."""
    # In one order everywhere, so that two groups that share parameters never wait for each other.
    split = [(digest, *_split(files[digest])) for digest in sorted(files)]
    digests = {header: hashlib.sha256(header).hexdigest() for header in {header for _, header, _ in split}}
    headers = [{"header": header, "digest": digests[header]} for header in sorted(digests)]
    new_headers, new_params = _INSERTS[dialect]
    rows = [
        {"digest": digest, "header_digest": digests[header], "numbers": numbers}
        for digest, header, numbers in split
    ]
    return [Insertion(new_headers, headers), Insertion(new_params, rows)]


def read(session: Session, digests: Collection[str]) -> dict[str, bytes]:
    """The files of those digests that there are."""
    rows = session.execute(_FILES.where(_PARAMS.c.digest.in_(digests)))
    return {digest: header + numbers for digest, header, numbers in rows}


def _split(file: bytes) -> tuple[bytes, bytes]:
    size = header_bytes(file)
    return file[:size], file[size:]
