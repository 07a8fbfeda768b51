"""The model versions that calls are made of: what a reference means now, and what never changes about a version."""

import asyncio

import msgspec
from anyio.to_thread import run_sync

from models.spec import LearnerSpec, Signature, columns_of
from services.adaptation.cost import LearnerCost, learner_cost
from services.registry.names import Reference, parse_reference
from services.registry.records import ModelVersion
from services.registry.repository import meant_version
from services.registry.service import RegistryService
from services.storage.database import Database

_MOST_HELD = 256


class ServedVersion(msgspec.Struct, frozen=True, kw_only=True):
    """What adapting and querying need of a version; all of it immutable."""

    model: str
    version: int
    artifact: str
    signature: Signature
    learner: LearnerSpec
    max_ways: int | None
    cost: LearnerCost

    @property
    def columns(self) -> range | None:
        """How many columns a table may have, where these are not the signature's alone."""
        return columns_of(self.learner, self.signature)


class ServedVersions:
    """Versions by reference, always asked anew, or by number, kept. Numbers are never given twice."""

    def __init__(self, database: Database, registry: RegistryService) -> None:
        self._database = database
        self._registry = registry
        self._held: dict[tuple[str, int], ServedVersion] = {}
        # What was asked in this turn of the event loop. Whoever is served in it came before the answer was read.
        self._meant: dict[Reference, int] = {}

    async def resolve(self, reference: str) -> ServedVersion:
        """The version that a reference means now. Raises NotFound."""
        parsed = parse_reference(reference)
        number = self._meant.get(parsed)
        if number is None:
            row = await self._database.look_up(meant_version(parsed), **parsed._asdict())
            number = None if row is None else row[0]
            if number is None:
                # Slower, and knows to say what it is that is missing.
                return self._keep(await run_sync(self._registry.resolve, reference))
            if not self._meant:
                asyncio.get_running_loop().call_soon(self._meant.clear)
            self._meant[parsed] = number
        return await self.numbered(parsed.model, number)

    async def numbered(self, model: str, version: int) -> ServedVersion:
        """One version. Raises NotFound, unless it was there before."""
        held = self._held.get((model, version))
        return held or self._keep(await run_sync(self._registry.version, model, version))

    async def check(self, version: ServedVersion) -> None:
        """Raises NotFound where the version was deleted meanwhile."""
        await run_sync(self._registry.version, version.model, version.version)

    def _keep(self, found: ModelVersion) -> ServedVersion:
        served = ServedVersion(
            model=found.model,
            version=found.version,
            artifact=found.artifact_sha256,
            signature=found.signature,
            learner=found.learner,
            max_ways=found.max_ways,
            cost=learner_cost(found.learner, found.signature, found.max_ways),
        )
        if len(self._held) >= _MOST_HELD:
            self._held.clear()
        self._held[served.model, served.version] = served
        return served
