"""Identifiers: a prefix that says what a thing is, and a part that sorts by the time it was made."""

import base64
import os
import time

ANONYMOUS = "anonymous"
"""The principal where callers bring no keys: all of them are one."""

_ALPHABET = b"0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u
_TO_CROCKFORD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", _ALPHABET)


def new_token() -> str:
    """26 characters: 48 bits of milliseconds, then 80 random bits (the layout of a ULID, lower case)."""
    number = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10))
    # 128 bits are 26 characters of 5 with two bits before them, and base64 takes whole groups of 8 characters.
    padded = base64.b32encode((number << 30).to_bytes(20))
    return padded[:26].translate(_TO_CROCKFORD).decode()


def new_id(prefix: str, token: str | None = None) -> str:
    """`prefix_token`, with a fresh token unless one is given (a repeated request brings its own)."""
    return f"{prefix}_{token or new_token()}"
