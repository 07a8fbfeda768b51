"""Equal rows of tensors, and equal texts, found by their content. Knows bytes; nothing of groups or splits."""

import hashlib
import string
from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

Array = np.ndarray[Any, Any]

_SEED = 20_200_713
_AT_ONCE = 1 << 22  # numbers keyed at a time: what bounds the memory beside the rows
_SAMPLE, _DIGITS = 64, 16  # keys of a sample, and hexadecimal digits of each


def row_keys(*parts: Tensor) -> Array:
    """Uint64 [n]: a key of each row's content, over tensors [n, ...] of any dtype.

    Equal rows have equal keys. Different ones have different keys but for a chance of about n^2 / 2^64: the bits
    of every number are multiplied by a fixed random odd number of its place, and added up.
    """
    keys = np.zeros(len(parts[0]), dtype=np.uint64)
    generator = np.random.default_rng(_SEED)
    for part in parts:
        rows = part.reshape(len(part), -1)
        factors = generator.integers(0, 2**64, rows.shape[1], dtype=np.uint64) | np.uint64(1)
        size = max(1, _AT_ONCE // max(1, rows.shape[1]))
        for start in range(0, len(rows), size):
            bits = _bits(rows[start : start + size])
            keys[start : start + size] += _mixed(bits * factors).sum(1, dtype=np.uint64)
    return keys


def _bits(rows: Tensor) -> Array:
    values = rows.cpu().numpy()
    if values.dtype.kind == "f":
        values = np.ascontiguousarray(values + 0.0).view(f"u{values.dtype.itemsize}")  # -0.0 is 0.0
    return values.astype(np.uint64) + np.uint64(1)


def _mixed(products: Array) -> Array:
    """Multiplication alone carries bits only upwards; this brings the upper half down (Stafford's finaliser)."""
    products ^= products >> np.uint64(30)
    products *= np.uint64(0xBF58476D1CE4E5B9)
    products ^= products >> np.uint64(27)
    mixed: Array = products
    return mixed


def text_keys(texts: Sequence[str]) -> Array:
    """Uint64 [n]: a key of each text, equal for equal ones."""
    digests = [hashlib.sha256(text.encode(errors="surrogatepass")).digest()[:8] for text in texts]
    return np.frombuffer(b"".join(digests), dtype="<u8").astype(np.uint64)


def sample_of(keys: Array) -> str:
    """The smallest keys, in hexadecimal: who has a twentieth of what has these keys has one of them, by 0.96.

    (Bottom-k sketches, Cohen & Kaplan 2007: of equal sets the samples are equal.)
    """
    return "".join(f"{key:0{_DIGITS}x}" for key in np.unique(keys)[:_SAMPLE].tolist())


def is_sample(text: str) -> bool:
    """Whether it could be what `sample_of` gave."""
    return len(text) % _DIGITS == 0 and not set(text) - set(string.hexdigits)


def are_sampled(keys: Array, sample: str) -> bool:
    """Whether any of the keys is one of a sample's."""
    wanted = [int(sample[at : at + _DIGITS], 16) for at in range(0, len(sample), _DIGITS)]
    return bool(np.isin(np.array(wanted, dtype=np.uint64), keys).any())
