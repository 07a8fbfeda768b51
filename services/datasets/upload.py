"""The bytes of an upload, wherever they lie: in memory, or in a file that the server wrote them to."""

import hashlib
import io
from pathlib import Path
from typing import BinaryIO

import msgspec


class Upload(msgspec.Struct, frozen=True):
    """Read as often as needed; never changed, never removed: whoever wrote the file does that."""

    source: bytes | Path

    def open(self) -> BinaryIO:
        """A fresh seekable stream from the start; the caller closes it."""
        return self.source.open("rb") if isinstance(self.source, Path) else io.BytesIO(self.source)

    def size(self) -> int:
        """Length in bytes."""
        return self.source.stat().st_size if isinstance(self.source, Path) else len(self.source)

    def sha256(self) -> str:
        """Of the bytes, hex."""
        with self.open() as file:
            return hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
