"""Addresses of engines."""

import socket
from pathlib import Path

import pytest

from services.engine.address import Address, address_of, at_once


def test_a_unix_socket_replaces_its_predecessors_file_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "engine.sock"
    path.write_text("left behind")
    with address_of(f"ipc://{path}").bind():
        assert path.is_socket()
        assert path.stat().st_mode & 0o077 == 0
        with socket.socket(socket.AF_UNIX) as caller:
            caller.connect(str(path))


def test_a_port_of_a_host() -> None:
    with address_of("tcp://127.0.0.1:0").bind() as listener:
        socket.create_connection(listener.getsockname(), 5).close()
    assert address_of("tcp://engine:5555") == Address(None, "engine", 5555)
    assert address_of("tcp://[::1]:5555") == Address(None, "::1", 5555)


def test_a_host_that_is_lost_is_noticed_within_minutes() -> None:
    with socket.socket() as connection:
        at_once(connection)
        assert connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        idle, interval, times = (
            connection.getsockopt(socket.IPPROTO_TCP, option)
            for option in (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)
        )
        assert connection.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert idle + interval * times <= 60
    with socket.socket(socket.AF_UNIX) as connection:
        at_once(connection)  # which needs none of it


@pytest.mark.parametrize(
    "url",
    [
        "",
        "ipc://",
        "tcp://host",
        "tcp://:1",
        "tcp://[]:1",
        "tcp://host:port",
        "http://host:1",
        "tcp://host:65536",
        f"tcp://{'a' * 64}:1",
        "tcp://engine..example:1",
        "tcp://a\0b:1",
        "tcp://\udcff:1",
    ],
    ids=ascii,
)
def test_what_is_none_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="no address"):
        address_of(url)
