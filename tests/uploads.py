"""Files as a user would upload them as datasets, made in memory."""

import io
import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image


def picture(shape: tuple[int, ...] = (28, 28), fill: int = 0, image_format: str = "PNG") -> bytes:
    """An encoded image of one brightness, gray for [H, W], colour for [H, W, 3]."""
    file = io.BytesIO()
    Image.fromarray(np.full(shape, fill, dtype=np.uint8)).save(file, image_format)
    return file.getvalue()


def archive(files: Mapping[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as writing:
        for name, data in files.items():
            writing.writestr(name, data)
    return file.getvalue()


def folders_of_images(
    classes: tuple[str, ...] = ("a", "b"), each: int = 3, shape: tuple[int, ...] = (28, 28)
) -> bytes:
    """A zip with one folder a class; the first class is black, the last nearly white."""
    return archive(
        {
            f"{name}/{number}.png": picture(shape, fill=index * 250 // max(1, len(classes) - 1))
            for index, name in enumerate(classes)
            for number in range(each)
        }
    )


def npz(**arrays: Any) -> bytes:
    """numpy's archive of these arrays."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def parquet(**columns: Any) -> bytes:
    """A Parquet file of these columns."""
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def csv(*lines: str) -> bytes:
    """A CSV file of these lines."""
    return ("\n".join(lines) + "\n").encode()
