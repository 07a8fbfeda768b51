"""What every test on a GPU needs: one, and float32 that is float32."""

import pytest
import torch

CUDA = torch.device("cuda", 0)
CPU = torch.device("cpu")

needs_cuda = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
    pytest.mark.usefixtures("in_float32"),
]
"""Of a module: `pytestmark = needs_cuda`."""


def apart(one: torch.Tensor, other: torch.Tensor) -> float:
    """The largest difference, relative to numbers beyond 1; -inf equals -inf."""
    one, other = one.detach().cpu().double(), other.detach().cpu().double()
    assert torch.equal(one.isfinite(), other.isfinite())
    one, other = one[one.isfinite()], other[other.isfinite()]
    if not one.numel():
        return 0.0
    return float(((one - other).abs() / one.abs().clamp(min=1.0)).max())
