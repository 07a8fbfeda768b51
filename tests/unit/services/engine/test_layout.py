"""One shape of adapted parameters: its file is a safetensors file, its row is that file's numbers."""

import numpy as np
import pytest
import torch

from services.engine.layout import layout_of, read_row
from services.errors import Invalid
from services.storage.tensor_file import decode_tensors, encode_tensors

SHAPES = (("weight", (3, 2)), ("bias", (3,)), ("a.scalar", ()), ("empty", (0,)))


def _params(tasks: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {name: torch.randn(tasks, *shape, generator=generator) for name, shape in SHAPES}


def test_a_row_gives_back_the_parameters() -> None:
    params, layout = _params(4), layout_of(SHAPES)
    rows = torch.vmap(layout.flat)(params)
    assert rows.shape == (4, layout.width) == (4, 10)
    views = layout.view(rows)
    assert views.keys() == params.keys()
    for name, value in params.items():
        torch.testing.assert_close(views[name], value, rtol=0, atol=0)
        torch.testing.assert_close(layout.view(rows[2])[name], value[2], rtol=0, atol=0)


def test_the_file_of_a_row_is_what_the_library_writes() -> None:
    params, layout = _params(1), layout_of(SHAPES)
    arrays = {name: value[0].numpy() for name, value in params.items()}
    file = layout.file_of(layout.flat({name: value[0] for name, value in params.items()}).numpy())
    assert file == encode_tensors(arrays)
    for name, array in decode_tensors(file).items():
        np.testing.assert_array_equal(array, arrays[name])


def test_a_file_is_read_back_with_its_layout() -> None:
    layout = layout_of(SHAPES)
    row = np.arange(layout.width, dtype=np.float32)
    found, read = read_row(layout.file_of(row))
    assert found is layout
    np.testing.assert_array_equal(read, row)


@pytest.mark.parametrize(
    "file",
    [
        b"",
        b"\xff" * 40,
        encode_tensors({"a": np.zeros(2, np.int64)}),
        encode_tensors({"a": np.zeros(2, np.float32)})[:-1],
        encode_tensors({"a": np.zeros(2, np.float32)}) + b"\0",
        encode_tensors({"a": np.zeros(2, np.float32)}, {"format": "pt"}),
    ],
    ids=["empty", "noise", "integers", "short", "long", "metadata"],
)
def test_what_is_no_file_of_adapted_parameters_is_refused(file: bytes) -> None:
    with pytest.raises(Invalid):
        read_row(file)
