"""Pretrained encoders in the engine: texts or images of a pass's calls become features. Knows calls and encoders.

All examples of all calls go through the encoder together, whoever sent them, equal texts once; and what a text gave
is remembered for a while, for a text that is asked for often.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import torch

from models.encoders.encoder import Encoder
from services.engine.batching import DeviceCall, Sliced
from services.engine.escalation import Own
from services.engine.lru import ByteBudget
from services.engine.messages import AdaptCall, AdaptPredictCall, Array, InspectCall, PredictCall, Support
from services.engine.residents import ResidentModel

_REMEMBERED_BYTES = 64 << 20
_BESIDE = 200  # bytes that remembering takes besides the numbers

Row = np.ndarray[Any, np.dtype[np.float32]]


class Encoding:
    """Not safe for several threads."""

    def __init__(self) -> None:
        self._remembered: ByteBudget[Row] = ByteBudget(_REMEMBERED_BYTES)

    def encoded(
        self, model: ResidentModel, calls: Sequence[DeviceCall], own: Sequence[Own | None] = ()
    ) -> list[DeviceCall]:
        """The calls with features in place of their inputs, or as they are for a model without an encoder.

        `own` are encoders of calls of their own, None for the model's; none at all where all are the model's.
        """
        if model.encoder is None:
            return list(calls)
        if any(own):
            return [
                self._by_own(call, one) if one else self.encoded(model, [call])[0]
                for call, one in zip(calls, own, strict=True)
            ]
        arrays = [array for call in calls for array in _inputs_of(call)]
        features = iter(
            self._texts(model.encoded_by, model.encoder, arrays)
            if model.signature.is_text
            else self._images(model.encoder, arrays)
        )
        return [_with_inputs(call, [next(features) for _ in _inputs_of(call)]) for call in calls]

    def _by_own(self, call: DeviceCall, own: Own) -> DeviceCall:
        return _with_inputs(call, self._texts(own.name, own.encoder, _inputs_of(call)))

    def _texts(self, encoded_by: str | None, encoder: Encoder, arrays: Sequence[Array]) -> list[Array]:
        """`encoded_by` names the encoder among all; what one without a name gave is not remembered."""
        texts = [array.texts() for array in arrays]
        keys = {
            text: hashlib.sha256(f"{encoded_by} {text}".encode()).hexdigest() for one in texts for text in one
        }
        known = {
            text: self._remembered.get(key) if encoded_by is not None else None for text, key in keys.items()
        }
        # A class without words, which nobody reads: no text of a caller's is empty.
        known |= {text: np.zeros(encoder.width, np.float32) for text in known if not text}
        fresh = [text for text, row in known.items() if row is None]
        if fresh:
            for text, row in zip(fresh, encoder.encode(fresh).numpy(), strict=True):
                known[text] = row
                if encoded_by is not None:
                    self._remembered.put(keys[text], row, row.nbytes + _BESIDE)
        width = encoder.width
        return [
            Array.of(np.array([known[text] for text in one], np.float32).reshape(-1, width)) for one in texts
        ]

    def _images(self, encoder: Encoder, arrays: Sequence[Array]) -> list[Array]:
        stacked = np.concatenate([array.numpy() for array in arrays])
        features = encoder.encode(torch.from_numpy(np.moveaxis(stacked, -1, 1).copy())).numpy()
        ends = np.cumsum([array.shape[0] for array in arrays])
        return [Array.of(part) for part in np.split(features, ends[:-1])]


def _inputs_of(call: DeviceCall) -> list[Array]:
    match call:
        case AdaptCall():
            return [_examples_of(call).inputs]
        case AdaptPredictCall():
            return [_examples_of(call).inputs, call.inputs]
        case PredictCall():
            return [call.inputs]
        case InspectCall() | Sliced():
            return []


def _examples_of(call: AdaptCall | AdaptPredictCall) -> Support:
    assert isinstance(call.support, Support), "no policy is on an encoder"
    return call.support


def _with_inputs(call: DeviceCall, arrays: Sequence[Array]) -> DeviceCall:
    replace = msgspec.structs.replace
    match call:
        case AdaptCall():
            return replace(call, support=replace(_examples_of(call), inputs=arrays[0]))
        case AdaptPredictCall():
            return replace(call, support=replace(_examples_of(call), inputs=arrays[0]), inputs=arrays[1])
        case PredictCall():
            return replace(call, inputs=arrays[0])
        case InspectCall() | Sliced():
            return call
