"""Base models kept loaded on the device. Knows artifacts and how to rebuild a learner; nothing of calls."""

from collections.abc import Mapping
from typing import Any

import msgspec
import torch
from torch import Tensor

from models.algorithms.learner import MetaLearner
from models.build import build_learner, check_params
from models.spec import AlgorithmSpec, InvalidOption, Signature, with_options
from services.engine.lru import ByteBudget
from services.errors import Invalid
from services.storage.artifacts import ArtifactStore
from services.storage.manifest import Manifest, decode_artifact

# Learners of one model under other options: light objects, but options come from outside.
_MOST_LEARNERS = 64


class ResidentModel:
    """One version's meta-parameters on the device, and its learner under any options."""

    def __init__(self, manifest: Manifest, meta_params: Mapping[str, Tensor]) -> None:
        self.manifest = manifest
        self.meta_params = meta_params
        self._learners: dict[str, MetaLearner] = {}

    @property
    def signature(self) -> Signature:
        return self.manifest.signature

    @property
    def size(self) -> int:
        """Bytes of meta-parameters."""
        return sum(value.nbytes for value in self.meta_params.values())

    def algorithm(self, options: Mapping[str, Any]) -> AlgorithmSpec:
        """The algorithm with a caller's options in place of its own. Raises Invalid for one it does not take."""
        try:
            return with_options(self.manifest.learner.algorithm, options)
        except InvalidOption as error:
            raise Invalid(f"{error.option}: {error.detail}") from error

    def learner(self, options: Mapping[str, Any]) -> MetaLearner:
        """The learner with a caller's options in place of its own; raises as `algorithm` does."""
        name = repr(sorted(options.items()))
        found = self._learners.get(name)
        if found is not None:
            return found
        spec = msgspec.structs.replace(self.manifest.learner, algorithm=self.algorithm(options))
        learner = build_learner(spec, self.signature, self.manifest.max_ways)
        if len(self._learners) >= _MOST_LEARNERS:
            self._learners.clear()
        self._learners[name] = learner
        return learner


class ResidentModels:
    """The base models in use, by artifact. Not safe for several threads."""

    def __init__(self, artifacts: ArtifactStore, device: torch.device, budget: int) -> None:
        """`budget` is in bytes of device memory."""
        self._artifacts = artifacts
        self._device = device
        self._held: ByteBudget[ResidentModel] = ByteBudget(budget)

    def __len__(self) -> int:
        return len(self._held)

    def get(self, artifact: str) -> ResidentModel:
        """The model of an artifact, loaded if it is not yet.

        Raises NotFound where storage has no such artifact, Invalid where no learner can be rebuilt from it.
        """
        model = self._held.get(artifact)
        if model is None:
            model = self._load(artifact)
            self._held.put(artifact, model, model.size)
        return model

    def _load(self, artifact: str) -> ResidentModel:
        manifest, arrays = decode_artifact(self._artifacts.read(artifact))
        params = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
        model = ResidentModel(manifest, {name: value.to(self._device) for name, value in params.items()})
        try:
            check_params(model.learner({}), params)
        except ValueError as error:
            raise Invalid(f"the model cannot be rebuilt: {error}") from error
        for name, value in params.items():
            if value.dtype != torch.float32:
                raise Invalid(f"the model cannot be rebuilt: parameter {name} is not float32")
        return model
