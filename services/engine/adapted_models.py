"""Adapted models kept on the device, by the digest of their parameters. Knows where a missing one is read from."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from services.engine.lru import ByteBudget
from services.errors import NotFound
from services.storage.database import Database
from services.storage.tables import AdaptedParamsRow
from services.storage.tensor_file import decode_tensors, encode_tensors


class AdaptedModel(NamedTuple):
    """Adapted parameters on the device; `n_ways` classes fill its first slots (0 for regression)."""

    params: Mapping[str, Tensor]
    n_ways: int

    @property
    def size(self) -> int:
        """Bytes of adapted parameters."""
        return sum(value.nbytes for value in self.params.values())


def encode_adapted(params: Mapping[str, np.ndarray[Any, Any]]) -> tuple[str, bytes]:
    """Adapted parameters as bytes, and the digest that names them."""
    data = encode_tensors(params)
    return hashlib.sha256(data).hexdigest(), data


class AdaptedModels:
    """The adapted models in use. Not safe for several threads."""

    def __init__(self, read: Callable[[str], bytes], device: torch.device, budget: int) -> None:
        """`read` gives the stored bytes of a digest, or raises NotFound; `budget` is in bytes."""
        self._read = read
        self._device = device
        self._held: ByteBudget[AdaptedModel] = ByteBudget(budget)

    def __len__(self) -> int:
        return len(self._held)

    def get(self, digest: str) -> AdaptedModel:
        """The adapted model, read if it is not resident. Raises NotFound where storage does not have it whole."""
        model = self._held.get(digest)
        if model is None:
            model = self._load(digest)
            self.put(digest, model)
        return model

    def put(self, digest: str, model: AdaptedModel) -> None:
        self._held.put(digest, model, model.size)

    def _load(self, digest: str) -> AdaptedModel:
        data = self._read(digest)
        if hashlib.sha256(data).hexdigest() != digest:
            raise NotFound(f"the adapted parameters {digest} are damaged: they no longer match their name")
        arrays = decode_tensors(data)
        params = {name: torch.from_numpy(array.copy()).to(self._device) for name, array in arrays.items()}
        return AdaptedModel(params, int(arrays["class_mask"].sum()) if "class_mask" in arrays else 0)


def stacked(models: Sequence[AdaptedModel]) -> dict[str, Tensor]:
    """The parameters of M models of one shape, with a leading M."""
    return {name: torch.stack([model.params[name] for model in models]) for name in models[0].params}


def reader_of(database: Database) -> Callable[[str], bytes]:
    """How an engine reads what the service stored."""

    def read(digest: str) -> bytes:
        with database.read() as session:
            row = session.get(AdaptedParamsRow, digest)
            if row is None:
                raise NotFound(f"no adapted parameters {digest}")
            return row.params

    return read
