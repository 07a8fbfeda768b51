"""A meta-training run's state as one file's bytes. Knows names and tensors; never pickle, never a path."""

from collections.abc import Mapping

import safetensors.torch
from safetensors import SafetensorError
from torch import Tensor


def encode_checkpoint(state: Mapping[str, Tensor]) -> bytes:
    """A trainer's state as safetensors bytes; equal states give equal bytes."""
    return safetensors.torch.save({name: value.contiguous() for name, value in state.items()})


def decode_checkpoint(data: bytes) -> dict[str, Tensor]:
    """The state in bytes that `encode_checkpoint` made. Raises ValueError where they are none."""
    try:
        return safetensors.torch.load(data)
    except SafetensorError as error:
        raise ValueError(f"not a checkpoint: {error}") from error
