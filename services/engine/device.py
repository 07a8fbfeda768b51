"""Which device the engine runs on."""

from typing import Literal

import torch


def pick_device(wish: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device wished for; raises RuntimeError where CUDA is asked for and there is none."""
    there = torch.cuda.is_available()
    if wish == "cuda" and not there:
        raise RuntimeError(
            "INNERLOOP_ENGINE_DEVICE=cuda, but this machine has no CUDA device that torch can use"
        )
    return torch.device("cuda" if there and wish != "cpu" else "cpu")
