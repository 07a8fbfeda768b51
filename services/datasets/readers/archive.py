"""Zip files from strangers, opened with care. Knows what a zip may hide; not what its files are for.

Everything that the file declares is checked before anything is inflated, and what is inflated is held to what
was declared, size and checksum.
"""

import io
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, BinaryIO

from services.datasets.limits import DatasetLimits
from services.datasets.upload import Upload
from services.errors import Invalid, TooLarge

_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
# What zipfile, zlib and numpy raise at a file that is not what it says.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    struct.error,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
_MAX_RATIO = 200
_RATIO_MATTERS = 1 << 20


@contextmanager
def open_archive(upload: Upload, limits: DatasetLimits, what: str) -> Iterator[zipfile.ZipFile]:
    """The archive, every declaration checked. Raises Invalid, TooLarge."""
    with upload.open() as file:
        guarded = _Guarded(file, limits.index_bytes)
        try:
            archive = zipfile.ZipFile(guarded)
        except (*DAMAGE, OSError) as error:
            raise Invalid(f"not a {what}: {error}") from error
        guarded.most = None
        with archive:
            _check(archive.infolist(), limits)
            yield archive


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """One file's bytes, inflated and compared with its checksum. Raises Invalid."""
    try:
        with archive.open(member) as file:
            return read_exactly(file, member.file_size)
    except DAMAGE as error:
        raise Invalid(f"{member.filename!r} in the archive is damaged: {error}") from error


def read_exactly(file: IO[bytes], size: int) -> bytes:
    """The next `size` bytes; EOFError where there are fewer.

    Reading "all" of a zip's member would inflate all of it, and only then look at the size that it declared.
    """
    data = file.read(size)
    if len(data) < size:
        raise EOFError("it ends early")
    return data


def _check(members: list[zipfile.ZipInfo], limits: DatasetLimits) -> None:
    for member in members:
        name = member.filename
        parts = name.split("/")
        if name.startswith("/") or "\\" in name or ":" in parts[0] or ".." in parts:
            raise Invalid(f"{name!r} in the archive points outside of it")
        if stat.S_ISLNK(member.external_attr >> 16):
            raise Invalid(f"{name!r} in the archive is a link")
        if member.flag_bits & _ENCRYPTED:
            raise Invalid(f"{name!r} in the archive is encrypted")
        if member.compress_type not in _METHODS:
            raise Invalid(f"{name!r} in the archive is compressed in a way that is not read: use deflate")
        inflates = member.file_size > _RATIO_MATTERS
        if inflates and member.file_size > _MAX_RATIO * max(member.compress_size, 1):
            raise TooLarge(
                f"{name!r} in the archive inflates more than {_MAX_RATIO} times: refused as a bomb"
            )
    total = sum(member.file_size for member in members)
    if total > limits.unpacked_bytes:
        raise TooLarge(f"the archive inflates to {total} bytes; at most {limits.unpacked_bytes} are taken")


class _Guarded(io.BufferedIOBase):
    """A stream that refuses to be read in one go beyond `most` bytes, until that is lifted.

    `zipfile` reads the list of contents in a single call and makes an object of every entry, long before
    anyone can count them.
    """

    def __init__(self, file: BinaryIO, most: int) -> None:
        self._file = file
        self.most: int | None = most

    def read(self, size: int | None = -1, /) -> bytes:
        wanted = -1 if size is None else size
        if self.most is None:
            return self._file.read(wanted)
        data = self._file.read(self.most + 1 if wanted < 0 else min(wanted, self.most + 1))
        if len(data) > self.most:
            raise TooLarge(f"the archive's list of contents is larger than {self.most} bytes")
        return data

    def seek(self, offset: int, whence: int = 0, /) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def seekable(self) -> bool:
        return True
