"""Bring what is stored up to this code: folders, tables, journal modes. Run before any process serves.

Knows the traps of migrating SQLite: foreign keys stay off meanwhile, because rebuilding a parent table would
delete its children through ON DELETE CASCADE; and every statement runs inside one explicit transaction, so a
migration is applied whole or not at all.
"""

import fcntl
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool, create_engine, make_url, text

from services.storage.database import driver_url, is_sqlite, serialize_transactions
from services.storage.settings import StorageSettings

_HERE = Path(__file__).parent
_ADVISORY_LOCK = 0x1_14E2_1009  # any number that nothing else in the database uses
_WAIT_S = 60.0


def migrate(settings: StorageSettings) -> None:
    """Make folders and tables where they are missing and upgrade those of an earlier version.

    Idempotent, and safe when several processes start at once. The job engine makes its own tables; its SQLite
    file is only put in WAL mode here, which the job engine itself leaves out.
    """
    settings.artifacts_path.mkdir(parents=True, exist_ok=True)
    if is_sqlite(settings.jobs_url):
        with _sole_user(settings.jobs_url) as path:
            _use_wal(path)
    if is_sqlite(settings.tables_url):
        with _sole_user(settings.tables_url) as path:
            _use_wal(path)
            upgrade(settings.tables_url)
    else:
        upgrade(settings.tables_url)


def upgrade(url: str, revision: str = "head", more_versions: Sequence[Path] = ()) -> None:
    """Apply the migrations up to `revision`, and those in the folders `more_versions` beside the packaged ones."""
    sqlite = is_sqlite(url)
    engine = create_engine(
        driver_url(url), poolclass=NullPool, connect_args={"timeout": _WAIT_S} if sqlite else {}
    )
    if sqlite:
        serialize_transactions(engine, "BEGIN IMMEDIATE")
    with engine.begin() as connection:
        if not sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        command.upgrade(alembic_config(connection, more_versions), revision)
        if sqlite:
            broken = connection.execute(text("PRAGMA foreign_key_check")).first()
            if broken is not None:
                raise RuntimeError(f"migrating would leave rows without their parent: {tuple(broken)}")


def alembic_config(connection: Connection, more_versions: Sequence[Path] = ()) -> Config:
    """Alembic's configuration, made in code: there is no alembic.ini to mislay."""
    config = Config(attributes={"connection": connection})
    config.set_main_option("script_location", str(_HERE))
    config.set_main_option("path_separator", "newline")
    config.set_main_option("version_locations", "\n".join(map(str, (_HERE / "versions", *more_versions))))
    return config


@contextmanager
def _sole_user(url: str) -> Iterator[Path]:
    """Hold a lock file beside the database: switching to WAL does not wait for others, as statements do."""
    database = make_url(url).database
    if not database:
        raise ValueError(f"{url} names no file")
    path = Path(database)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_name(f"{path.name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield path


def _use_wal(path: Path) -> None:
    connection = sqlite3.connect(path, timeout=_WAIT_S)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
