"""What this machine can do at best: the floors that figures are told beside. Measured, in moments."""

import os
import time
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

from models.build import build_learner
from models.episode import SupportSet
from models.spec import with_options
from services.storage.manifest import decode_artifact

_MATMUL = 1024
_BLOCK = 1 << 22


def matmul_rate(times: int = 10) -> float:
    """Multiplications and additions a second of a large float32 product on one thread, at best."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    left, right = torch.rand(_MATMUL, _MATMUL), torch.rand(_MATMUL, _MATMUL)
    quickest = float("inf")
    for _ in range(times):
        began = time.perf_counter()
        left @ right
        quickest = min(quickest, time.perf_counter() - began)
    torch.set_num_threads(before)
    return 2 * _MATMUL**3 / quickest


def write_rate(folder: Path, blocks: int = 32) -> float:
    """Bytes a second that the file system takes from one writer, synced at the end."""
    block = os.urandom(_BLOCK)
    path = folder / "write-rate"
    began = time.perf_counter()
    with path.open("wb") as file:
        for _ in range(blocks):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())
    took = time.perf_counter() - began
    path.unlink()
    return blocks * _BLOCK / took


def adapt_operations(artifact: bytes, support: int, options: dict[str, int]) -> float:
    """Multiplications and additions of one adaptation's matrix products, of S = `support` rows; regression."""
    manifest, arrays = decode_artifact(artifact)
    algorithm = with_options(manifest.learner.algorithm, options)
    learner = build_learner(
        type(manifest.learner)(algorithm=algorithm, network=manifest.learner.network), manifest.signature
    )
    params = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    given = SupportSet(
        inputs=torch.zeros(support, *manifest.signature.inputs.example_shape),
        targets=torch.zeros(support, manifest.signature.target_width),
        mask=torch.ones(support),
        class_mask=torch.zeros(0),
    )
    with FlopCounterMode(display=False) as counter:
        learner.adapt(params, given)
    return float(counter.get_total_flops())
