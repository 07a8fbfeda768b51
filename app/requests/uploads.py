"""Files as request bodies: written to a temporary file while they arrive, and counted."""

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any, NamedTuple

import anyio.to_thread
from starlette.requests import Request

from app.requests.bodies import pieces_of, refuse_coding

_PIECE_BYTES = 1 << 20


class Upload(NamedTuple):
    """A file as it came in: where it lies, its sha256 (hex) and its length."""

    path: Path
    sha256: str
    size: int


@contextmanager
def upload_file(folder: Path | None) -> Iterator[Any]:
    """A file in `folder` (the system's temporary one if None) that is gone when the block ends."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=folder, prefix="upload-") as file:
        yield file


async def receive_file(request: Request, file: Any, max_bytes: int) -> Upload:
    """Write the body to an open file, a piece at a time. Raises as `read_body`."""
    refuse_coding(request)
    digest = hashlib.sha256()
    size = 0
    held: list[bytes] = []
    waiting = 0

    def write() -> None:
        for piece in held:
            digest.update(piece)
            file.write(piece)
        file.flush()

    async for piece in pieces_of(request, max_bytes):
        held.append(piece)
        size += len(piece)
        waiting += len(piece)
        if waiting >= _PIECE_BYTES:
            await anyio.to_thread.run_sync(write)
            held.clear()
            waiting = 0
    await anyio.to_thread.run_sync(write)
    return Upload(Path(file.name), digest.hexdigest(), size)
