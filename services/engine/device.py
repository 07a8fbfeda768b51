"""Which device the engine runs on."""

from typing import Literal

import torch

from models.precision import set_precision

EnginePrecision = Literal["float32", "tf32", "bfloat16"]


def pick_device(wish: Literal["auto", "cpu", "cuda"]) -> torch.device:
    """The device wished for; raises RuntimeError where CUDA is asked for and there is none."""
    there = torch.cuda.is_available()
    if wish == "cuda" and not there:
        raise RuntimeError(
            "INNERLOOP_ENGINE_DEVICE=cuda, but this machine has no CUDA device that torch can use"
        )
    return torch.device("cuda" if there and wish != "cpu" else "cpu")


def round_to(precision: EnginePrecision) -> None:
    """What this process computes to on a GPU; bfloat16 is a matter of plans, and asks for nothing here."""
    set_precision("tf32" if precision == "tf32" else "float32")
