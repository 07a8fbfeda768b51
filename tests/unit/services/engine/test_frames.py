"""Messages come out of a stream as they went in, however the stream is cut."""

import os
import random

import pytest

from services.engine.frames import HEARTBEAT, LARGEST, FrameError, FrameReader, head_of


def _read(reader: FrameReader, data: bytes, cut: random.Random) -> list[bytes]:
    """Feed the bytes in pieces of any size, each as large as the reader has room for at most."""
    found, start = [], 0
    while start < len(data):
        room = reader.room()
        size = min(len(room), len(data) - start, cut.choice([1, 7, 8, 9, 1000, 1 << 16, 1 << 20]))
        room[:size] = data[start : start + size]
        found += [bytes(message) for message in reader.took(size)]
        start += size
    return found


@pytest.mark.parametrize("seed", range(20))
def test_messages_of_all_sizes_in_pieces_of_all_sizes(seed: int) -> None:
    cut = random.Random(seed)
    sizes = [0, 1, 8, 65_527, 65_528, 65_529, 65_536, 200_000, 1 << 20]
    messages = [os.urandom(cut.choice(sizes)) for _ in range(30)]
    stream = b"".join(head_of(message) + message for message in messages)
    assert _read(FrameReader(), stream, cut) == messages


def test_a_message_is_the_callers_own() -> None:
    reader = FrameReader()
    data = head_of(b"first") + b"first"
    reader.room()[: len(data)] = data
    (first,) = reader.took(len(data))
    other = head_of(b"other") + b"other"
    reader.room()[: len(other)] = other
    reader.took(len(other))
    assert first == b"first"


def test_a_heartbeat_is_an_empty_message() -> None:
    reader = FrameReader()
    reader.room()[:8] = HEARTBEAT
    assert [len(message) for message in reader.took(8)] == [0]


def test_what_was_written_by_somebody_else_is_refused() -> None:
    reader = FrameReader()
    data = b"GET / HTTP/1.1\r\n"
    reader.room()[: len(data)] = data
    with pytest.raises(FrameError):
        reader.took(len(data))
    assert int.from_bytes(data[:8], "little") > LARGEST
