"""Tables whose input is one column of texts: read, refused where they are no texts, kept and given again."""

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.datasets.limits import DatasetLimits
from services.datasets.reading import CSV, PARQUET, read
from services.datasets.records import DatasetColumns, LabelledArrays
from services.datasets.stored import decode_arrays, encode_arrays
from services.datasets.upload import Upload
from services.errors import Invalid

COLUMNS = DatasetColumns(inputs=("text",), target="label")
TEXTS = ["hello, world", "你好", "12", "naïve\nlines"]
LABELS = ["a", "b", "a", "b"]


def read_bytes(data: bytes, kind: str, columns: DatasetColumns = COLUMNS) -> LabelledArrays:
    return read(Upload(data), kind, columns, DatasetLimits(text_characters=100))


def parquet(**columns: list[object]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def csv_of(texts: list[str]) -> bytes:
    quoted = [text.replace('"', '""') for text in texts]
    return "\n".join(
        ["text,label", *(f'"{text}",{label}' for text, label in zip(quoted, LABELS, strict=False))]
    ).encode()


@pytest.mark.parametrize("kind", [CSV, PARQUET])
def test_a_column_of_texts_is_the_input(kind: str) -> None:
    texts = TEXTS[:3] if kind == CSV else TEXTS
    data = csv_of(texts) if kind == CSV else parquet(text=texts, label=LABELS)
    arrays = read_bytes(data, kind)
    assert arrays.is_text
    assert arrays.inputs.tolist() == texts
    assert arrays.signature.inputs.datatype == "BYTES"
    assert arrays.signature.inputs.example_shape == ()


def test_texts_are_kept_as_they_are() -> None:
    arrays = read_bytes(parquet(text=TEXTS, label=LABELS), PARQUET)
    stored = encode_arrays(arrays)
    assert stored == encode_arrays(decode_arrays(stored))
    assert decode_arrays(stored).inputs.tolist() == TEXTS


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        (["x", " ", "y", "z"], "example 1 .* empty text"),
        (["x", "y" * 101, "y", "z"], "example 1 .* 101 characters"),
        (["x", None, "y", "z"], "no value in row 1"),
    ],
)
def test_what_is_no_text_is_refused(texts: list[object], words: str) -> None:
    with pytest.raises(Invalid, match=words):
        read_bytes(parquet(text=texts, label=LABELS), PARQUET)


def test_texts_beside_other_inputs_are_refused() -> None:
    columns = DatasetColumns(inputs=("text", "more"), target="label")
    with pytest.raises(Invalid, match="texts are taken as the only input"):
        read_bytes(parquet(text=TEXTS, more=TEXTS, label=LABELS), PARQUET, columns)

    lines = "text,more,label\none,two,a\nthree,four,b"
    with pytest.raises(Invalid, match=r"column 'text' holds 'one'.*a single one if it holds texts"):
        read_bytes(lines.encode(), CSV, columns)


def test_ten_thousand_classes_are_ten_thousand_classes() -> None:
    texts = [f"text {number}" for number in range(10_000)]
    arrays = read_bytes(parquet(text=texts, label=[str(number) for number in range(10_000)]), PARQUET)
    assert len(arrays.classes) == 10_000
    assert np.array_equal(arrays.targets, np.arange(10_000))
