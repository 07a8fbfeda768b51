"""What a device can do at best, measured, and how long it takes to do something. Knows no engine."""

import time
from collections.abc import Callable
from typing import Any

import torch


def name_of(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else device.type


class Card:
    """A device's float32 products and copies; on a GPU of a size that fills it."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        large = device.type == "cuda"
        size, numbers = (8192, 1 << 28) if large else (1024, 1 << 22)
        left, right = torch.rand(size, size, device=device), torch.rand(size, size, device=device)
        source, target = torch.rand(numbers, device=device), torch.empty(numbers, device=device)
        self.operations_a_second = 2 * size**3 / self._best(lambda: left @ right)
        self.bytes_a_second = 8 * numbers / self._best(lambda: target.copy_(source))

    @property
    def told(self) -> str:
        return (
            f"{self.operations_a_second / 1e12:.3g} TFLOP/s of a large float32 product, and its bytes by "
            f"{self.bytes_a_second / 1e9:.4g} GB/s of a large copy"
        )

    def seconds(self, operations: float, moved: float) -> float:
        """What so many operations and so many bytes take at least."""
        return max(operations / self.operations_a_second, moved / self.bytes_a_second)

    def seconds_of(self, work: Callable[[], Any], seconds: float) -> float:
        """What one run of the work takes, in a row of them that lasts about so long."""
        for _ in range(2):
            work()
        self._wait()
        began, count = time.perf_counter(), 0
        while True:
            for _ in range(4):
                work()
            count += 4
            self._wait()
            if (took := time.perf_counter() - began) >= seconds:
                return took / count

    def _best(self, work: Callable[[], Any]) -> float:
        best = float("inf")
        for _ in range(5):
            self._wait()
            began = time.perf_counter()
            work()
            self._wait()
            best = min(best, time.perf_counter() - began)
        return best

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
