"""Calls and replies survive the wire, and their arrays are not copied on the way in."""

import msgspec
import numpy as np
import pytest

from services.engine.messages import (
    AdaptCall,
    AdaptPredictCall,
    AdaptReply,
    Array,
    CancelCall,
    EngineFault,
    EngineStatus,
    InspectCall,
    MetricsCall,
    MetricsReply,
    PingCall,
    PredictCall,
    PredictReply,
    Support,
)
from services.engine.wire import decode_calls, decode_replies, encode_calls, encode_replies


def _array(*shape: int, dtype: type = np.float32) -> Array:
    return Array.of(np.arange(np.prod(shape, dtype=int)).reshape(shape).astype(dtype))


SUPPORT = Support(_array(3, 2), _array(3, dtype=np.int64), n_ways=2)
CALLS = [
    AdaptCall("a" * 64, SUPPORT, {"inner_steps": 3, "inner_lr": 0.5}, start="b" * 64),
    PredictCall("a" * 64, "b" * 64, _array(2, 4, 4, 1), "key_1"),
    AdaptPredictCall("a" * 64, Support(_array(0, 2), _array(0, 1)), _array(1, 2)),
    InspectCall("a" * 64),
    CancelCall(),
    PingCall(),
    MetricsCall(),
]
REPLIES = [
    AdaptReply("b" * 64, memoryview(b"params"), 0.25),
    PredictReply(mean=_array(2, 1), std=_array(2, 1)),
    PredictReply(probabilities=_array(2, 5)),
    EngineStatus("cpu", 7, 1, 2),
    EngineFault("busy", "full"),
    EngineFault("quota", "your share", 2.5),
    MetricsReply(b"innerloop_engine 1.0"),
]


def _same(one: object, other: object) -> bool:
    return msgspec.msgpack.encode(one) == msgspec.msgpack.encode(other)


def test_calls_come_out_as_they_went_in() -> None:
    numbered = list(enumerate(CALLS))
    decoded = decode_calls(encode_calls(numbered))
    assert [number for number, _ in decoded] == list(range(len(CALLS)))
    for (_, call), (_, again) in zip(numbered, decoded, strict=True):
        assert type(again) is type(call)
        assert _same(call, again)


def test_replies_come_out_as_they_went_in() -> None:
    numbered = list(enumerate(REPLIES))
    for (_, reply), (_, again) in zip(numbered, decode_replies(encode_replies(numbered)), strict=True):
        assert type(again) is type(reply)
        assert _same(reply, again)


def test_an_array_is_a_view_of_the_message() -> None:
    message = bytearray(encode_calls([(0, PredictCall("a", "b", _array(1, 3)))]))
    [(_, call)] = decode_calls(memoryview(message))
    assert isinstance(call, PredictCall)
    array = call.inputs.numpy()
    before = array.copy()
    place = message.index(np.float32(2.0).tobytes())
    message[place : place + 4] = np.float32(9.0).tobytes()
    assert list(before[0]) == [0.0, 1.0, 2.0]
    assert list(array[0]) == [0.0, 1.0, 9.0]


def test_an_array_of_no_rows_keeps_its_shape() -> None:
    assert Array.of(np.zeros((0, 3), np.float32)).numpy().shape == (0, 3)


def test_a_call_that_cannot_be_read_does_not_spoil_its_neighbours() -> None:
    message = msgspec.msgpack.encode([(1, {"type": "adapt"}), (2, PingCall())])
    [(first, fault), (second, ping)] = decode_calls(message)
    assert (first, second) == (1, 2)
    assert isinstance(fault, EngineFault)
    assert fault.code == "internal"
    assert isinstance(ping, PingCall)


def test_noise_is_no_message() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_calls(b"\xc1nonsense")


def test_a_call_that_is_no_text_fails_alone() -> None:
    known = encode_calls([(1, PingCall())])[1:]
    (number, fault), (_, ping) = decode_calls(b"\x92\x92\x07\x81\xa4type\xa1\xff" + known)
    assert number == 7
    assert isinstance(fault, EngineFault)
    assert ping == PingCall()


def test_a_message_too_deep_for_python_is_no_message() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode_calls(b"\x91\x92\x01" + b"\x91" * 5000 + b"\xc0")
