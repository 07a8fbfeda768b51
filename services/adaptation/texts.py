"""Texts as a caller gave them, checked against a model that takes texts. Knows no encoder and no tokens."""

from typing import Any

from services.adaptation.limits import Limits
from services.adaptation.records import Inputs
from services.errors import Invalid


def read_texts(raw: Inputs, pointer: str, limits: Limits) -> list[str]:
    """The texts; `pointer` is where they stand in the request's body.

    Raises Invalid with the place of the fault.
    """
    if len(raw) == 0:
        raise Invalid.at(pointer, "there are no examples")
    if not isinstance(raw, list):
        raise Invalid.at(pointer, "numbers; this model takes texts, a list of strings")
    texts: list[str] = []
    characters = 0
    items: list[Any] = raw
    for index, item in enumerate(items):
        place = f"{pointer}/{index}"
        text = item if isinstance(item, str) else _decoded(item, place)
        if len(text) > limits.text_characters:
            detail = f"{len(text)} characters; a text has at most {limits.text_characters} (GET /v1/limits)"
            raise Invalid.at(place, detail)
        if not text.strip():
            raise Invalid.at(place, "an empty text")
        characters += len(text)
        if characters > limits.call_characters:
            detail = f"more than {limits.call_characters} characters together (GET /v1/limits): send fewer"
            raise Invalid.at(pointer, detail)
        texts.append(text)
    return texts


def _decoded(item: bytes, pointer: str) -> str:
    """Of a BYTES element; an image file is given to a model for texts by mistake."""
    try:
        return item.decode()
    except UnicodeDecodeError as error:
        raise Invalid.at(pointer, "not UTF-8; this model takes texts") from error
