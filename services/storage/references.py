"""Which rows name an artifact, and removing the file that none does.

A file is written before the row that names it and removed after the last such row is gone, so a crash leaves
at worst a file too many, which the sweep finds. Both sides hold one lock while they decide: otherwise a file
could be found unused, named by a new row, and then removed.
"""

from datetime import timedelta

from sqlalchemy import Column, exists, select, text
from sqlalchemy.orm import Session

from services.clock import Clock
from services.storage.artifacts import ArtifactStore, FolderArtifactStore
from services.storage.database import Database
from services.storage.tables import Row

_LOCK = 0x1_14E2_100A  # beside the lock of the migrations
_GRACE = timedelta(days=1)


def keep(session: Session, artifacts: ArtifactStore, data: bytes, stored: str | None = None) -> str:
    """Store `data` for a row of this transaction and return its sha256.

    Whoever put a large file before the transaction passes its sha256 as `stored`; it is then only looked up.
    """
    _lock(session)
    if stored is not None and artifacts.exists(stored):
        return stored
    return artifacts.put(data)


def release(database: Database, artifacts: ArtifactStore, sha256: str) -> None:
    """Remove the file unless a row still names it. Call it after the transaction that dropped a row."""
    with database.write() as session:
        _lock(session)
        if not any(session.scalar(select(exists().where(column == sha256))) for column in _columns()):
            artifacts.delete(sha256)


class ArtifactSweep:
    """Clears away what died between a file and its row: files that no row has named for a day, and half files."""

    def __init__(self, database: Database, artifacts: FolderArtifactStore, clock: Clock) -> None:
        self._database = database
        self._artifacts = artifacts
        self._clock = clock

    def purge(self) -> int:
        """Remove them; returns how many whole files there were."""
        before = self._clock.now() - _GRACE
        self._artifacts.remove_drafts(before)
        with self._database.read() as session:
            named = {sha256 for column in _columns() for sha256 in session.scalars(select(column))}
        unnamed = [sha256 for sha256 in self._artifacts.stored_before(before) if sha256 not in named]
        for sha256 in unnamed:
            release(self._database, self._artifacts, sha256)
        return len(unnamed)


def _columns() -> list[Column[str]]:
    tables = Row.metadata.sorted_tables
    return [table.c["artifact_sha256"] for table in tables if "artifact_sha256" in table.c]


def _lock(session: Session) -> None:
    # SQLite's write transaction already keeps every other writer out.
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
