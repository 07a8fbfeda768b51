"""The engine's end of a connection, on a pair of sockets."""

import socket
from collections.abc import Iterator

import pytest

from services.engine.connection import Connection
from services.engine.frames import HEARTBEAT, FrameError, head_of


@pytest.fixture
def pair() -> Iterator[tuple[Connection, socket.socket]]:
    here, there = socket.socketpair()
    there.settimeout(10)
    with here, there:
        yield Connection(here), there


def _exactly(end: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        data += end.recv(size - len(data))
    return data


def test_heartbeats_are_answered_and_left_out(pair: tuple[Connection, socket.socket]) -> None:
    connection, there = pair
    there.sendall(HEARTBEAT + head_of(b"call") + b"call" + HEARTBEAT)
    assert [bytes(message) for message in connection.receive()] == [b"call"]
    assert _exactly(there, 8) == HEARTBEAT  # one for all that came together
    assert connection.receive() == []
    there.sendall(HEARTBEAT)
    assert connection.receive() == []
    assert _exactly(there, 8) == HEARTBEAT


def test_a_peer_that_only_asks_for_signs_of_life_makes_nothing_grow(
    pair: tuple[Connection, socket.socket],
) -> None:
    connection, there = pair
    for _ in range(200):
        there.sendall(HEARTBEAT * 1000)
        connection.receive()
    assert len(connection._unsent) <= 1


def test_a_peer_that_does_not_read_is_told_from_a_slow_one(pair: tuple[Connection, socket.socket]) -> None:
    connection, there = pair
    connection.send(bytes(1 << 20))
    assert connection.has_unsent
    assert not connection.is_behind
    connection.send(bytes(30 << 20))
    assert connection.is_behind
    read = 0
    while connection.is_behind:
        read += len(there.recv(1 << 20))
        connection.flush()
    assert read >= 14 << 20


def test_what_a_busy_peer_does_not_read_waits_in_its_order(pair: tuple[Connection, socket.socket]) -> None:
    connection, there = pair
    messages = [bytes([number]) * 300_000 for number in range(40)]
    for message in messages:
        connection.send(message)  # never waits
    assert connection.has_unsent
    found = b""
    expected = b"".join(head_of(message) + message for message in messages)
    while len(found) < len(expected):
        found += there.recv(1 << 20)
        connection.flush()
    assert found == expected
    assert not connection.has_unsent


def test_a_connection_ends(pair: tuple[Connection, socket.socket]) -> None:
    connection, there = pair
    there.close()
    with pytest.raises(ConnectionResetError):
        connection.receive()


def test_a_stranger_is_told_from_one_of_ours(pair: tuple[Connection, socket.socket]) -> None:
    connection, there = pair
    there.sendall(b"GET / HTTP/1.1\r\n\r\n")
    with pytest.raises(FrameError):
        connection.receive()
