"""What a class is called, as words that a text encoder reads. Pure; knows no encoder and no class."""

import re

_SEPARATORS = re.compile(r"[\s_\-./:]+")
_HUMP = re.compile(r"(?<=[a-z])(?=[A-Z])")


def words_of(label: str | int) -> str:
    """`lost_luggage`, `lost-luggage` and `LostLuggage` as words; nothing for a number, or what has no letter."""
    if isinstance(label, int) or not any(map(str.isalpha, label)):
        return ""
    words = _SEPARATORS.sub(" ", label).strip()
    return words if " " in words else _HUMP.sub(" ", words)
