"""Identifiers: a prefix that says what a thing is, and a part that sorts by the time it was made."""

import os
import time

ANONYMOUS = "anonymous"
"""The principal where callers bring no keys: all of them are one."""

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_PAIRS = tuple(high + low for high in _ALPHABET for low in _ALPHABET)
_SHIFTS = tuple(range(40, -1, -10))
_TEN_BITS = 1023
_OF_BYTE = bytes(ord(_ALPHABET[byte % 32]) for byte in range(256))


def new_token() -> str:
    """26 characters: 48 bits of milliseconds, then 80 random bits (the layout of a ULID, lower case)."""
    now = time.time_ns() // 1_000_000
    return "".join([_PAIRS[now >> shift & _TEN_BITS] for shift in _SHIFTS]) + _random(16)


def _random(characters: int) -> str:
    """Five random bits each."""
    return os.urandom(characters).translate(_OF_BYTE).decode()


def new_id(prefix: str, token: str | None = None) -> str:
    """`prefix_token`, with a fresh token unless one is given (a repeated request brings its own)."""
    return f"{prefix}_{token or new_token()}"
