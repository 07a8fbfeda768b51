"""A column's values as indices of its categories, batch after batch. Knows columns; no file and no model."""

from typing import Any

import numpy as np
import pyarrow as pa

from models.spec import ColumnSpec
from models.spec.columns import MOST_CATEGORIES
from services.datasets.labels import from_names
from services.errors import Invalid

Array = np.ndarray[Any, Any]


class Categories:
    """One column's. Values of any plain type are told apart by how they are written; numbers sort as numbers."""

    def __init__(self, name: str, max_characters: int) -> None:
        self._name = name
        self._max_characters = max_characters
        self._places: dict[str, int] = {}

    def take(self, column: pa.Array) -> Array:
        """Provisional indices float32 [rows] of a batch without missing values. Raises Invalid."""
        kind = column.type
        if not (pa.types.is_integer(kind) or pa.types.is_boolean(kind) or _is_text(kind)):
            raise Invalid(
                f"column {self._name!r} holds {kind}; categories are strings, whole numbers or truth values"
            )
        coded = column if pa.types.is_dictionary(kind) else column.dictionary_encode()
        places = [self._place(str(value)) for value in coded.dictionary.to_pylist()]
        codes: Array = np.array(places, dtype=np.float32)[coded.indices.to_numpy(zero_copy_only=False)]
        if len(self._places) > MOST_CATEGORIES:
            raise Invalid(
                f"column {self._name!r} has more than {MOST_CATEGORIES} different values: too many to be categories"
            )
        return codes

    def finish(self, codes: Array) -> ColumnSpec:
        """Turns `codes` [n], all that `take` gave, into indices of the sorted categories, in place."""
        sorted_ = from_names(codes.astype(np.int64), list(self._places))
        codes[:] = sorted_.codes
        return ColumnSpec(name=self._name, categories=sorted_.names)

    def _place(self, value: str) -> int:
        if len(value) > self._max_characters:
            raise Invalid(
                f"column {self._name!r}: a category may be {self._max_characters} characters long; "
                f"one is {value[:40]!r}…"
            )
        return self._places.setdefault(value, len(self._places))


def _is_text(kind: pa.DataType) -> bool:
    value = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(value) or pa.types.is_large_string(value))
