"""Calls and replies as bytes. Knows the encoding (msgpack); no socket and no queue.

One message carries what one turn of an event loop gathered: a list of (number, call) on the way in, of
(number, reply) on the way out. The number is the caller's and comes back with the reply. Arrays decode to
views of the received buffer and keep it alive.
"""

from collections.abc import Sequence

import msgspec

from services.engine.messages import Call, CancelCall, EngineFault, Reply

Incoming = Call | CancelCall

_encoder = msgspec.msgpack.Encoder()
_numbered = msgspec.msgpack.Decoder(list[tuple[int, msgspec.Raw]])
_call: msgspec.msgpack.Decoder[Incoming] = msgspec.msgpack.Decoder(Incoming)
# The library tells some of what it cannot read by Python's own names.
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_replies = msgspec.msgpack.Decoder(list[tuple[int, Reply]])


def encode_calls(calls: Sequence[tuple[int, Incoming]]) -> bytes:
    return _encoder.encode(calls)


def decode_calls(data: bytes | memoryview) -> list[tuple[int, Incoming | EngineFault]]:
    """The calls of a message; one that cannot be read stands as the fault to answer it with.

    Raises msgspec.DecodeError where not even the numbers can be read.
    """
    try:
        numbered = _numbered.decode(data)
    except _UNREADABLE as error:
        raise msgspec.DecodeError(str(error)) from error
    return [(number, _decode_call(raw)) for number, raw in numbered]


def _decode_call(raw: msgspec.Raw) -> Incoming | EngineFault:
    try:
        return _call.decode(raw)
    except _UNREADABLE as error:
        return EngineFault("internal", f"the engine does not understand this call: {error}")


def encode_replies(replies: Sequence[tuple[int, Reply]]) -> bytes:
    return _encoder.encode(replies)


def decode_replies(data: bytes | memoryview) -> list[tuple[int, Reply]]:
    """Raises msgspec.DecodeError."""
    return _replies.decode(data)
