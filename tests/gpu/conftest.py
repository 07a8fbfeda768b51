"""Settings of the process that every test on a GPU shares."""

from collections.abc import Iterator

import pytest
import torch

from models.precision import set_precision


@pytest.fixture
def in_float32() -> Iterator[None]:
    set_precision("float32")
    yield
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
