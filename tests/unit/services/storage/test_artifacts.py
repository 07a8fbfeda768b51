"""Files named by their bytes: stored whole or not at all, checked when read."""

import hashlib
import os
import threading
from pathlib import Path

import pytest

from services.errors import NotFound, Unavailable
from services.storage.artifacts import ArtifactStore, FolderArtifactStore, MemoryArtifactStore

DATA = b"weights" * 400_000
SHA = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(params=["folder", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ArtifactStore:
    return FolderArtifactStore(tmp_path / "artifacts") if request.param == "folder" else MemoryArtifactStore()


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def test_what_goes_in_comes_out(store: ArtifactStore) -> None:
    assert store.put(DATA) == SHA
    assert store.put(memoryview(DATA)) == SHA
    assert store.read(SHA) == DATA
    assert store.exists(SHA)


def test_nothing_stored_nothing_found(store: ArtifactStore) -> None:
    with pytest.raises(NotFound):
        store.read(SHA)
    assert not store.exists(SHA)


def test_delete_may_be_repeated(store: ArtifactStore) -> None:
    store.put(DATA)
    store.delete(SHA)
    store.delete(SHA)
    assert not store.exists(SHA)


def test_an_empty_file_is_a_file(store: ArtifactStore) -> None:
    sha256 = store.put(b"")
    assert store.read(sha256) == b""


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "A" * 64, SHA[:-1], f"{SHA}/", "/" * 64])
def test_a_name_that_is_no_digest_reaches_no_file(tmp_path: Path, name: str) -> None:
    store = FolderArtifactStore(tmp_path)
    for ask in (store.read, store.exists, store.delete):
        with pytest.raises(NotFound):
            ask(name)


def test_files_lie_two_folders_deep(tmp_path: Path) -> None:
    FolderArtifactStore(tmp_path).put(DATA)
    assert _files(tmp_path) == [tmp_path / SHA[:2] / SHA[2:4] / SHA]


def test_a_failed_write_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full_disk(_descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(Unavailable):
        FolderArtifactStore(tmp_path).put(DATA)
    assert _files(tmp_path) == []


def test_a_store_that_cannot_be_reached_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "artifacts").write_bytes(b"a file where the folder should be")
    store = FolderArtifactStore(tmp_path / "artifacts")
    with pytest.raises(Unavailable):
        store.put(DATA)
    with pytest.raises(Unavailable):
        store.read(SHA)


def test_a_torn_file_is_written_again(tmp_path: Path) -> None:
    store = FolderArtifactStore(tmp_path)
    store.put(DATA)
    store.path(SHA).write_bytes(DATA[:100])
    with pytest.raises(NotFound, match="damaged"):
        store.read(SHA)
    store.put(DATA)
    assert store.read(SHA) == DATA


def test_many_writers_of_one_file_leave_one_file(tmp_path: Path) -> None:
    store = FolderArtifactStore(tmp_path)
    start = threading.Barrier(8)

    def write() -> None:
        start.wait()
        store.put(DATA)

    threads = [threading.Thread(target=write, daemon=True) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert _files(tmp_path) == [store.path(SHA)]
    assert store.read(SHA) == DATA


def test_a_file_and_its_name_are_on_the_disk_when_it_is_stored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this order: the bytes while the file still is a draft, then the folders that could lose it in a crash."""
    synced: list[tuple[str, bool]] = []
    store = FolderArtifactStore(tmp_path / "artifacts")

    def fsync(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        synced.append((str(path.relative_to(tmp_path)), store.exists(SHA)))

    monkeypatch.setattr(os, "fsync", fsync)
    store.put(DATA)
    (draft, existed), *folders = synced
    assert not existed
    assert SHA in draft
    a, b = SHA[:2], SHA[2:4]
    assert folders == [(f"artifacts/{a}/{b}", True), (f"artifacts/{a}", True), ("artifacts", True)]
