"""What calls start from: a model's version, or an adaptation. Knows both as they are now; no engine."""

from typing import NamedTuple

import msgspec

from models.spec import TensorSpec
from services.adaptation.live import LiveAdaptations
from services.adaptation.records import LiveAdaptation
from services.adaptation.versions import ServedVersion, ServedVersions
from services.clock import Clock
from services.errors import Invalid, NotFound
from services.registry.service import RegistryService
from services.storage.database import Database


class Start(NamedTuple):
    """What a new adaptation starts from: a version, and the adaptation it goes on from, if any."""

    version: ServedVersion
    earlier: LiveAdaptation | None


class ServedAdaptation(NamedTuple):
    """What describes an adaptation to whoever queries it."""

    adaptation: LiveAdaptation
    version: ServedVersion

    @property
    def inputs(self) -> TensorSpec:
        """What a query takes: the version's inputs, of a table as many columns as the adaptation has."""
        inputs, n_columns = self.version.signature.inputs, self.adaptation.n_columns
        return inputs if n_columns is None else msgspec.structs.replace(inputs, shape=(-1, n_columns))


class Starts:
    """For one event loop. All raise NotFound for what does not exist, and Unavailable."""

    def __init__(self, database: Database, registry: RegistryService, clock: Clock) -> None:
        self.versions = ServedVersions(database, registry)
        self._live = LiveAdaptations(database, clock)

    async def of(self, model: str | None, start_from: str | None) -> Start:
        """Of a call that names either a model or an adaptation. Raises Invalid."""
        if model is not None and start_from is None:
            return Start(await self.versions.resolve(model), None)
        if model is not None or start_from is None:
            raise Invalid.at("/model", "give either a model, or an adaptation to go on from")
        earlier, version = await self.adapted(start_from)
        if not version.learner.algorithm.starts_from_adaptation:
            detail = (
                "this model adapts in one step, from a support set alone: it cannot go on from an adaptation"
            )
            raise Invalid.at("/from", detail)
        return Start(version, earlier)

    async def adapted(self, adaptation_id: str, revision: int | None = None) -> ServedAdaptation:
        """One live adaptation, at one revision where named, with the version that it was made from."""
        made = await self._live.get(adaptation_id)
        if revision is not None and revision != made.revision:
            detail = f"adaptation {adaptation_id!r} is at revision {made.revision}; there is no {revision}"
            raise NotFound(detail)
        return ServedAdaptation(made, await self.versions.numbered(made.model, made.version))

    async def check(self, start: Start) -> None:
        """Raises NotFound where what an adaptation was to start from was deleted meanwhile."""
        if start.earlier is not None:
            await self.still_there(start.earlier.id)
        await self.versions.check(start.version)

    async def still_there(self, adaptation_id: str) -> None:
        """Raises NotFound where it was deleted meanwhile, whoever did it."""
        self.forget(adaptation_id)
        await self._live.get(adaptation_id)

    def forget(self, adaptation_id: str) -> None:
        """It was deleted; from any thread."""
        self._live.forget(adaptation_id)
