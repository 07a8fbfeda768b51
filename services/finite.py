"""Whether numbers are finite. Its own room because `array.all()` takes longer than most requests' numbers do."""

from typing import Any

import numpy as np


def all_finite(array: np.ndarray[Any, Any]) -> bool:
    """No infinity and no NaN among them."""
    return int(np.count_nonzero(np.isfinite(array))) == array.size
