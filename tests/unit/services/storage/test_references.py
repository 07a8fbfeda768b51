"""A file lives as long as a row names it."""

import os
from datetime import UTC, datetime, timedelta

from services.storage.artifacts import FolderArtifactStore
from services.storage.database import Database
from services.storage.references import ArtifactSweep, keep, release
from services.storage.tables import CheckpointRow, DatasetRow, JobRow, ModelRow, ModelVersionRow, Row
from tests.fakes import FakeClock

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def _version(sha256: str) -> list[Row]:
    return [
        ModelRow(name="m", created_at=NOW, last_version=1),
        ModelVersionRow(
            model="m", version=1, artifact_sha256=sha256, artifact_bytes=1, manifest={}, created_at=NOW
        ),
    ]


def _dataset(sha256: str) -> list[Row]:
    return [
        DatasetRow(
            id="ds_1",
            name="d",
            source_sha256="0" * 64,
            source_key="0" * 64,
            source_bytes=1,
            artifact_sha256=sha256,
            summary={},
            created_at=NOW,
        )
    ]


def _checkpoint(sha256: str) -> list[Row]:
    job = JobRow(
        id="job_1",
        type="meta_training",
        status="running",
        model="m",
        config={},
        publish={},
        progress={},
        metrics={},
        attempts=1,
        turn=0,
        losses=0,
        created_at=NOW,
    )
    checkpoint = CheckpointRow(
        id="ckp_1",
        job="job_1",
        iteration=1,
        artifact_sha256=sha256,
        artifact_bytes=1,
        metrics={},
        created_at=NOW,
    )
    return [job, checkpoint]


def test_a_file_that_any_row_names_stays(database: Database, artifacts: FolderArtifactStore) -> None:
    for rows_of in (_version, _dataset, _checkpoint):
        with database.write() as session:
            sha256 = keep(session, artifacts, rows_of.__name__.encode())
            for row in rows_of(sha256):
                session.add(row)
                session.flush()
        release(database, artifacts, sha256)
        assert artifacts.exists(sha256), rows_of.__name__


def test_a_file_that_no_row_names_goes(database: Database, artifacts: FolderArtifactStore) -> None:
    kept, dropped = artifacts.put(b"kept"), artifacts.put(b"dropped")
    with database.write() as session:
        session.add_all(_dataset(kept))
    release(database, artifacts, dropped)
    assert not artifacts.exists(dropped)
    assert artifacts.exists(kept)


def test_a_file_removed_before_its_row_is_written_again(
    database: Database, artifacts: FolderArtifactStore
) -> None:
    # Staged outside of the transaction, taken away by another's release, then named after all.
    sha256 = artifacts.put(b"data")
    release(database, artifacts, sha256)
    with database.write() as session:
        keep(session, artifacts, b"data")
        session.add_all(_dataset(sha256))
    assert artifacts.read(sha256) == b"data"


def test_a_file_that_is_there_is_not_written_again(
    database: Database, artifacts: FolderArtifactStore
) -> None:
    stored = artifacts.put(b"data")
    with database.write() as session:
        assert keep(session, artifacts, b"", stored) == stored


def test_the_sweep_clears_away_what_died_halfway(
    database: Database, artifacts: FolderArtifactStore, clock: FakeClock
) -> None:
    named, unnamed, wanted_again = (artifacts.put(data) for data in (b"named", b"unnamed", b"again"))
    with database.write() as session:
        session.add_all(_dataset(named))
    half = artifacts.path(unnamed).with_name(f".{unnamed}.abc")
    half.write_bytes(b"unn")
    clock.present = datetime.now(UTC) + timedelta(hours=23)
    sweep = ArtifactSweep(database, artifacts, clock)
    assert sweep.purge() == 0
    assert half.exists()
    clock.advance(2 * 3600)
    later = clock.now().timestamp()
    artifacts.put(b"again")
    os.utime(artifacts.path(wanted_again), (later, later))
    assert sweep.purge() == 1
    assert not half.exists()
    assert [artifacts.exists(sha256) for sha256 in (named, unnamed, wanted_again)] == [True, False, True]
    assert sweep.purge() == 0


def test_storing_again_is_seen_by_the_sweep(artifacts: FolderArtifactStore) -> None:
    sha256 = artifacts.put(b"data")
    os.utime(artifacts.path(sha256), (0, 0))
    yesterday = datetime.now(UTC) - timedelta(days=1)
    assert artifacts.stored_before(yesterday) == [sha256]
    artifacts.put(b"data")
    assert artifacts.stored_before(yesterday) == []
