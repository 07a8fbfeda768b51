"""Base models kept loaded on the device. Knows artifacts and how to rebuild a learner; nothing of calls."""

from collections.abc import Mapping
from typing import Any

import msgspec
import torch
from torch import Tensor

from models.build import AnyLearner, build_any_learner, check_params
from models.spec import InvalidOption, LearnerSpec, Signature, with_options
from services.engine.layout import Layout
from services.engine.lru import ByteBudget
from services.engine.programs import adapted_layout
from services.errors import Invalid
from services.storage.artifacts import ArtifactStore
from services.storage.manifest import Manifest, decode_artifact

# Specs of one model under other options: light objects, but options come from outside.
_MOST_HELD = 64


class ResidentModel:
    """One version's meta-parameters on the device, and its learner's spec under any options."""

    def __init__(self, manifest: Manifest, meta_params: Mapping[str, Tensor]) -> None:
        self.manifest = manifest
        self.meta_params = meta_params
        self._specs: dict[str, LearnerSpec] = {}
        self._layouts: dict[int, Layout] = {}

    @property
    def signature(self) -> Signature:
        return self.manifest.signature

    @property
    def size(self) -> int:
        """Bytes of meta-parameters."""
        return sum(value.nbytes for value in self.meta_params.values())

    def spec(self, options: Mapping[str, Any]) -> LearnerSpec:
        """The learner with a caller's options in place of its own. Raises Invalid for one it does not take."""
        if not options:
            return self.manifest.learner
        name = repr(sorted(options.items()))
        found = self._specs.get(name)
        if found is None:
            try:
                algorithm = with_options(self.manifest.learner.algorithm, options)
            except InvalidOption as error:
                raise Invalid(f"{error.option}: {error.detail}") from error
            found = msgspec.structs.replace(self.manifest.learner, algorithm=algorithm)
            if len(self._specs) >= _MOST_HELD:
                self._specs.clear()
            self._specs[name] = found
        return found

    def learner(self) -> AnyLearner:
        """The learner itself, by its own options."""
        return build_any_learner(self.manifest.learner, self.signature, self.manifest.max_ways)

    def layout(self, ways: int) -> Layout:
        """The layout of what it adapts to, for `ways` class slots; options do not change it."""
        found = self._layouts.get(ways)
        if found is None:
            found = adapted_layout(self.learner(), self.signature, ways, self.meta_params)
            self._layouts[ways] = found
        return found


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
            check_params(model.learner(), params)
        except ValueError as error:
            raise Invalid(f"the model cannot be rebuilt: {error}") from error
        for name, value in params.items():
            if value.dtype != torch.float32:
                raise Invalid(f"the model cannot be rebuilt: parameter {name} is not float32")
        return model
