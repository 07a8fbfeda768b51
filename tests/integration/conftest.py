"""One server for all tests of the real processes; a test that ends it leaves it to the next to start it again."""

from collections.abc import Iterator

import pytest

from tests.integration.server import Server


@pytest.fixture(scope="session")
def one_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("integration") / "data")
    yield server
    server.close()


@pytest.fixture
def server(one_server: Server) -> Server:
    """The server, ready."""
    one_server.ensure_ready()
    return one_server
