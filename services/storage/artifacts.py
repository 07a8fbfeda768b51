"""Immutable files named by the sha256 of their bytes. Knows no meaning of a file; never changes one.

The folder is shared by api, engine and worker, on one machine or over a mounted volume.
"""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Protocol

from services.errors import NotFound, Unavailable
from services.ids import new_token

_HEX = frozenset("0123456789abcdef")
_LEVELS = 3  # folders that a file's path goes through: `ab/cd`, `ab`, and the store's own
_DRAFT = "."  # what the name of a file begins with until it is whole


class ArtifactStore(Protocol):
    """Methods raise Unavailable where the store cannot be read or written."""

    def put(self, data: bytes | memoryview) -> str:
        """Store the bytes, whole or not at all, and return their sha256 (hex). Storing again is a no-op."""
        ...

    def read(self, sha256: str) -> bytes:
        """The bytes. Raises NotFound where there are none, or none that match their name any more."""
        ...

    def exists(self, sha256: str) -> bool: ...

    def delete(self, sha256: str) -> None:
        """Remove the file; no error where it is already gone."""
        ...


class FolderArtifactStore:
    """Files `ab/cd/abcd…` under a folder that is made on first use."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, data: bytes | memoryview) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        with _translated("written"):
            path = self.path(sha256)
            if self._has(path, memoryview(data).nbytes):
                # Whoever clears away old files must see that this one is wanted again.
                with suppress(PermissionError):
                    path.touch()
            else:
                self._write(path, data)
        return sha256

    def read(self, sha256: str) -> bytes:
        with _translated("read"):
            try:
                data = self.path(sha256).read_bytes()
            except FileNotFoundError:
                raise _missing(sha256) from None
        if hashlib.sha256(data).hexdigest() != sha256:
            raise NotFound(f"artifact {sha256} is damaged: its bytes no longer match its name")
        return data

    def exists(self, sha256: str) -> bool:
        return self.path(sha256).is_file()

    def delete(self, sha256: str) -> None:
        with _translated("written"):
            self.path(sha256).unlink(missing_ok=True)

    def path(self, sha256: str) -> Path:
        """Where the file is, or would be. Raises NotFound for what is no digest."""
        if len(sha256) != 64 or not _HEX.issuperset(sha256):
            raise _missing(sha256)
        return self._folder / sha256[:2] / sha256[2:4] / sha256

    def stored_before(self, moment: datetime) -> list[str]:
        """The digests of files that were last stored before then."""
        return [path.name for path in self._files_before(moment) if not path.name.startswith(_DRAFT)]

    def remove_drafts(self, before: datetime) -> None:
        """Remove what writers that were killed left behind."""
        for path in self._files_before(before):
            if path.name.startswith(_DRAFT):
                path.unlink(missing_ok=True)

    def _files_before(self, moment: datetime) -> Iterator[Path]:
        for path in self._folder.glob("??/??/*"):
            with suppress(FileNotFoundError):  # another process may just have removed it
                if path.stat().st_mtime < moment.timestamp():
                    yield path

    @staticmethod
    def _write(path: Path, data: bytes | memoryview) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{_DRAFT}{path.name}.{new_token()}")
        try:
            with draft.open("xb") as file:
                file.write(data)
                file.flush()
                # A row may outlive a power cut; without this the file it names could come back empty.
                os.fsync(file.fileno())
            draft.replace(path)
            # And its name lies in the folder, whose own name lies in the one above.
            for folder in path.parents[:_LEVELS]:
                _sync(folder)
        finally:
            draft.unlink(missing_ok=True)

    @staticmethod
    def _has(path: Path, size: int) -> bool:
        try:
            return path.stat().st_size == size
        except FileNotFoundError:
            return False


class MemoryArtifactStore:
    """The same in a dictionary, for tests."""

    def __init__(self) -> None:
        self._files: dict[str, bytes] = {}

    def __len__(self) -> int:
        return len(self._files)

    def put(self, data: bytes | memoryview) -> str:
        sha256 = hashlib.sha256(data).hexdigest()
        self._files[sha256] = bytes(data)
        return sha256

    def read(self, sha256: str) -> bytes:
        try:
            return self._files[sha256]
        except KeyError:
            raise _missing(sha256) from None

    def exists(self, sha256: str) -> bool:
        return sha256 in self._files

    def delete(self, sha256: str) -> None:
        self._files.pop(sha256, None)


def _missing(sha256: str) -> NotFound:
    return NotFound(f"no artifact {sha256}")


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _translated(done: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(f"the artifact store cannot be {done} now") from error
