"""What a GPU may round float32 products and convolutions to. Knows no network; on a CPU nothing changes.

torch's own default is mixed: products in float32, convolutions in TF32, which keeps 10 of a number's 23 binary
digits and is off by some 1e-3. `float32` is exact on both, so that an answer does not depend on which kernel gave
it; `tf32` lets both use the matrix units, for several times their throughput.
"""

from typing import Literal

import torch

Precision = Literal["float32", "tf32"]


def set_precision(precision: Precision) -> None:
    """For this process, from here on."""
    rounding = "tf32" if precision == "tf32" else "ieee"
    torch.backends.cuda.matmul.fp32_precision = rounding
    torch.backends.cudnn.conv.fp32_precision = rounding  # type: ignore[attr-defined]
