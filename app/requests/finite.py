"""Free-form JSON that is kept and answered again: it may hold no number that JSON cannot say."""

import json
from typing import Any

from services.errors import Invalid


def refuse_infinities(value: dict[str, Any], pointer: str) -> None:
    """Raise Invalid at `pointer` where a number overflowed: 1e999 is JSON, and reads as infinity."""
    if not value:
        return
    try:
        json.dumps(value, allow_nan=False)
    except ValueError as error:
        raise Invalid.at(pointer, "a number is not finite") from error
