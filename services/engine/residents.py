"""Base models kept loaded on the device. Knows artifacts and how to rebuild a learner; nothing of calls."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import torch
from torch import Tensor

from models.build import AnyLearner, build_any_learner, check_params
from models.encoders.encoder import Encoder
from models.encoders.folder import EncoderError
from models.encoders.stock import EncoderStock
from models.encoders.tuning import Tuning, tuned_params
from models.spec import EncoderSpec, InvalidOption, LearnerSpec, Signature, learned_signature, with_options
from services.engine.layout import Layout
from services.engine.lru import ByteBudget
from services.engine.programs import Kind, ProgramSpec, adapted_layout
from services.errors import Invalid
from services.storage.artifacts import ArtifactStore
from services.storage.manifest import Manifest, decode_artifact

# Specs of one model under other options: light objects, but options come from outside.
_MOST_HELD = 64
_MOST_PROGRAMS = 512
_NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})


class _Sizes(NamedTuple):
    """Names a program among those of one model; `learner` is the identity of its spec."""

    kind: Kind
    learner: int
    support: int
    steps: int
    ways: int
    queries: int


class ResidentModel:
    """One version's meta-parameters on the device, and its learner's spec under any options."""

    def __init__(
        self,
        manifest: Manifest,
        meta_params: Mapping[str, Tensor],
        encoder: Encoder | None = None,
        encoded_by: str = "",
    ) -> None:
        """`encoder` is None for versions that are on none; equal `encoded_by` tell that features are the same."""
        self.manifest = manifest
        self.encoder = encoder
        self.encoded_by = encoded_by
        self.meta_params = meta_params
        self._specs: dict[str, LearnerSpec] = {}
        self._layouts: dict[int, Layout] = {}
        self._programs: dict[_Sizes, ProgramSpec] = {}

    @property
    def signature(self) -> Signature:
        return self.manifest.signature

    @property
    def learned(self) -> Signature:
        """What the learner itself takes: an encoder's features in place of what crosses the wire."""
        return learned_signature(self.manifest.learner.network, self.signature)

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

    def program(
        self,
        kind: Kind,
        options: Mapping[str, Any] = _NO_OPTIONS,
        *,
        support: int = 0,
        steps: int = 0,
        ways: int = 0,
        queries: int = 0,
    ) -> ProgramSpec:
        """What runs a pass of these sizes; the same object as long as it is held. Raises as `spec`."""
        learner = self.spec(options)
        sizes = _Sizes(kind, id(learner), support, steps, ways, queries)
        found = self._programs.get(sizes)
        if found is None or found.learner is not learner:
            found = ProgramSpec(
                kind=kind,
                learner=learner,
                signature=self.learned,
                max_ways=self.manifest.max_ways,
                support=support,
                steps=steps,
                ways=ways,
                queries=queries,
            )
            if len(self._programs) >= _MOST_PROGRAMS:
                self._programs.clear()
            self._programs[sizes] = found
        return found

    def learner(self) -> AnyLearner:
        """The learner itself, by its own options."""
        return build_any_learner(self.manifest.learner, self.signature, self.manifest.max_ways)

    def layout(self, ways: int) -> Layout:
        """The layout of what it adapts to, for `ways` class slots; options do not change it."""
        found = self._layouts.get(ways)
        if found is None:
            found = adapted_layout(self.learner(), self.learned, ways, self.meta_params)
            self._layouts[ways] = found
        return found


class ResidentModels:
    """The base models in use, by artifact. Not safe for several threads."""

    def __init__(
        self,
        artifacts: ArtifactStore,
        device: torch.device,
        budget: int,
        encoders: EncoderStock | None = None,
    ) -> None:
        """`budget` is in bytes of device memory, `encoders` not counted."""
        self._encoders = encoders
        self._artifacts = artifacts
        self._device = device
        self._held: ByteBudget[ResidentModel] = ByteBudget(budget)

    def __len__(self) -> int:
        return len(self._held)

    def __contains__(self, artifact: str) -> bool:
        return artifact in self._held

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
        on_device = {name: value.to(self._device) for name, value in params.items()}
        differences = tuned_params(on_device)
        learned = {name: value for name, value in on_device.items() if name not in differences}
        try:
            encoder, encoded_by = self._encoder(manifest, differences), ""
            if encoder is not None:
                encoded_by = artifact if differences else str(getattr(manifest.learner.network, "sha256", ""))
            model = ResidentModel(manifest, learned, encoder, encoded_by)
            check_params(model.learner(), learned)
        except ValueError as error:
            raise Invalid(f"the model cannot be rebuilt: {error}") from error
        for name, value in params.items():
            if value.dtype != torch.float32:
                raise Invalid(f"the model cannot be rebuilt: parameter {name} is not float32")
        return model

    def _encoder(self, manifest: Manifest, differences: Mapping[str, Tensor]) -> Encoder | None:
        """What the version encodes with: the shared encoder, its own differences added to some of the weights."""
        network = manifest.learner.network
        if not isinstance(network, EncoderSpec):
            return None
        if self._encoders is None or network.sha256 is None:
            raise EncoderError(
                "the engine has no folder of encoders, or the version does not say which it needs"
            )
        encoder = self._encoders.get(network)
        if not network.is_tuned:
            return encoder
        tuning = Tuning(encoder.module, network)
        tuning.check(differences)
        return encoder.tuned(tuning.weights(differences))
