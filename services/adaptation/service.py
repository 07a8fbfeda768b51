"""Adapt, keep, query, forget. Knows versions, the engine and rows; no HTTP, and no tensors beyond arrays.

An adaptation is answered once its parameters are stored: the engine's own copy is a cache.
"""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec
from anyio.to_thread import run_sync
from sqlalchemy.exc import IntegrityError

from services.adaptation import repository
from services.adaptation.actions import ActionOptions
from services.adaptation.answers import acting_of, batch_of, warnings_of
from services.adaptation.checks import (
    check_escalation,
    check_metadata,
    check_options,
    check_ttl,
    refused_option,
    unescalated,
)
from services.adaptation.cost import check_cost, learner_cost
from services.adaptation.limits import Limits
from services.adaptation.preparation import Preparation
from services.adaptation.records import (
    Adaptation,
    AnySupportInput,
    Inputs,
    PredictionBatch,
    StoredAdaptation,
)
from services.adaptation.starts import ServedAdaptation, Starts
from services.adaptation.support import no_support
from services.adaptation.writer import AdaptationWriter
from services.clock import Clock
from services.engine.client import EngineClient
from services.engine.messages import (
    AdaptCall,
    AdaptPredictCall,
    AdaptReply,
    InspectCall,
    PredictCall,
)
from services.errors import Invalid, NotFound, PreconditionFailed, Unavailable
from services.ids import ANONYMOUS, new_id
from services.registry.names import parse_reference
from services.registry.records import StagedVersion
from services.registry.service import RegistryService
from services.storage.database import Database
from services.storage.paging import DEFAULT_LIMIT, Page

T = TypeVar("T")

_NO_OPTIONS: Mapping[str, Any] = MappingProxyType({})
_TRIED = 2  # examples, and as many queries, of the task that the engine tries a version on


class AdaptationService:
    """Coroutines run the engine's calls and await the database; plain methods block on it.

    All raise Unavailable where engine or database cannot answer, and NotFound for what does not exist. Those that
    ask the engine also raise QuotaExceeded, where `principal` has its share of the engine's queue waiting already.
    """

    def __init__(
        self,
        database: Database,
        registry: RegistryService,
        engine: EngineClient,
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._database = database
        self._starts = Starts(database, registry, clock)
        self._prepare = Preparation(limits)
        self._writer = AdaptationWriter(database)
        self._engine = engine
        self._clock = clock
        self._limits = limits

    async def create(
        self,
        *,
        model: str | None,
        start_from: str | None,
        support: AnySupportInput,
        options: Mapping[str, Any],
        ttl_seconds: float | None = None,
        metadata: Mapping[str, Any],
        token: str | None = None,
        principal: str = ANONYMOUS,
    ) -> Adaptation:
        """Adapt `model` (a reference), or the adaptation `start_from` further, and store the result.

        `token` becomes the random part of the id; where that adaptation exists already it is the answer, and
        nothing is done again. Raises Invalid.
        """
        check_ttl(ttl_seconds, self._limits)
        check_metadata(metadata, self._limits)
        adaptation_id = new_id("adp", token)
        if token is not None and (made := await self._made(adaptation_id)) is not None:
            return made
        start = await self._starts.of(model, start_from)
        version, earlier = start
        algorithm = check_options(version.learner.algorithm, options)
        check_escalation(version.learner, version.signature, options)
        check_cost(version.cost, algorithm, support.size, 0, self._limits)
        classes = earlier.classes if earlier is not None else None
        prepared = await self._prepare.support(support, version, classes)
        if prepared.support.size == 0:
            raise Invalid.at("/support/episodes", "no episodes: there is nothing to adapt to")
        if prepared.classes is not None:
            ways, names = prepared.ways, prepared.n_names
            check_cost(version.cost, algorithm, support.size, 0, self._limits, ways=ways, names=names)
        call = AdaptCall(
            version.artifact,
            prepared.support,
            dict(options),
            start=earlier.digest if earlier is not None else None,
            principal=principal,
        )
        reply = await self._ask(self._engine.adapt(call), "/support", lambda: self._starts.check(start))
        now = self._clock.now()
        adaptation = Adaptation(
            id=adaptation_id,
            model=version.model,
            version=version.version,
            task=version.signature.task,
            classes=prepared.classes,
            n_support=prepared.size,
            n_columns=prepared.n_columns,
            support_loss=reply.support_loss,
            revision=1,
            options=dict(options),
            metadata=dict(metadata),
            created_at=now,
            expires_at=None if ttl_seconds is None else now + timedelta(seconds=ttl_seconds),
            warnings=(*warnings_of(reply), *unescalated(algorithm, prepared.size, prepared.ways)),
            escalation=None if reply.escalation is None else msgspec.to_builtins(reply.escalation),
        )
        return await self._store(adaptation, reply)

    async def predict(
        self,
        adaptation_id: str,
        inputs: Inputs,
        principal: str = ANONYMOUS,
        *,
        options: Mapping[str, Any] = _NO_OPTIONS,
        acting: ActionOptions | None = None,
        revision: int | None = None,
        pointer: str = "/inputs",
    ) -> PredictionBatch:
        """Query a stored adaptation, at one revision where named. Raises Invalid, at `pointer`.

        `options`, or `acting`, say how a policy is to act; other models take none.
        """
        made, version = await self._starts.adapted(adaptation_id, revision)
        wanted, rest = acting_of(version, options)
        if rest:
            raise refused_option(next(iter(rest)), "a query of this model has no such option")
        check_cost(version.cost, version.learner.algorithm, 0, len(inputs), self._limits, pointer)
        query = await self._prepare.query(inputs, version, made.classes, pointer, n_columns=made.n_columns)
        call = PredictCall(version.artifact, made.digest, query, principal)
        reply = await self._ask(
            self._engine.predict(call), pointer, lambda: self._starts.still_there(adaptation_id)
        )
        return batch_of(reply, version, made.classes, wanted and (acting or wanted), made)

    async def adapt_predict(
        self,
        model: str | None,
        support: AnySupportInput | None,
        inputs: Inputs,
        options: Mapping[str, Any],
        start_from: str | None = None,
        principal: str = ANONYMOUS,
    ) -> PredictionBatch:
        """Adapt `model`, or `start_from` further, and query in one pass; nothing is stored. Raises Invalid.

        No support, or no episodes, asks for the base model's own answer, before any adaptation (regression and
        policies only).
        """
        start = await self._starts.of(model, start_from)
        version, earlier = start
        acting, options = acting_of(version, options)
        algorithm = check_options(version.learner.algorithm, options)
        check_escalation(version.learner, version.signature, options)
        examples = 0 if support is None else support.size
        check_cost(version.cost, algorithm, examples, len(inputs), self._limits)
        if support is None:
            prepared = no_support(version.signature)
        else:
            classes = earlier.classes if earlier is not None else None
            prepared = await self._prepare.support(support, version, classes)
        ways, names = prepared.ways, prepared.n_names
        check_cost(version.cost, algorithm, examples, len(inputs), self._limits, ways=ways, names=names)
        query = await self._prepare.query(inputs, version, prepared.classes, n_columns=prepared.n_columns)
        call = AdaptPredictCall(
            version.artifact,
            prepared.support,
            query,
            dict(options),
            start=earlier.digest if earlier is not None else None,
            principal=principal,
        )
        answer = self._engine.adapt_predict(call)
        reply = await self._ask(answer, "/support", lambda: self._starts.check(start))
        return batch_of(reply, version, prepared.classes, acting)

    async def try_out(self, staged: StagedVersion) -> None:
        """Let the engine rebuild a version that is not published yet, and adapt and query it once.

        Raises Invalid where that cannot be, or where even the smallest task is beyond the limits.
        """
        cost = learner_cost(staged.learner, staged.signature, staged.max_ways)
        check_cost(cost, staged.learner.algorithm, _TRIED, _TRIED, self._limits)
        await self._engine.inspect(InspectCall(staged.artifact_sha256))

    def get(self, adaptation_id: str) -> Adaptation:
        """One live adaptation."""
        with self._database.read() as session:
            return repository.get(session, adaptation_id, self._clock.now()).adaptation

    async def served(self, adaptation_id: str, revision: int | None = None) -> ServedAdaptation:
        """One live adaptation, at one revision where named, with the version that it was made from."""
        return await self._starts.adapted(adaptation_id, revision)

    async def list(
        self, model: str | None = None, limit: int = DEFAULT_LIMIT, after: str | None = None
    ) -> Page[Adaptation]:
        """Live adaptations, newest first; those of one model, or of the version that a reference means now."""
        name, version = model, None
        if model is not None and parse_reference(model) != (model, None, None):
            served = await self._starts.versions.resolve(model)
            name, version = served.model, served.version

        def page() -> Page[Adaptation]:
            with self._database.read() as session:
                return repository.page(session, name, version, self._clock.now(), limit, after)

        return await run_sync(page)

    def delete(self, adaptation_id: str, if_match: int | None = None) -> None:
        """Forget an adaptation. Raises PreconditionFailed where `if_match` is not its revision."""
        with self._database.write() as session:
            found = repository.get(session, adaptation_id, self._clock.now())
            revision = found.adaptation.revision
            if if_match is not None and revision != if_match:
                raise PreconditionFailed(f"the adaptation is at revision {revision}, not {if_match}")
            repository.remove(session, found)
        self._starts.forget(adaptation_id)

    async def _made(self, adaptation_id: str) -> Adaptation | None:
        def find() -> Adaptation | None:
            with self._database.read() as session:
                found = repository.find(session, adaptation_id)
            return None if found is None else found.adaptation

        return await run_sync(find)

    async def _store(self, adaptation: Adaptation, reply: AdaptReply) -> Adaptation:
        try:
            await self._writer.store(StoredAdaptation(adaptation, reply.digest), bytes(reply.params))
        except IntegrityError as error:
            # Either the same request was quicker elsewhere, or the version is gone.
            made = await self._made(adaptation.id)
            if made is None:
                detail = f"{adaptation.model}@{adaptation.version} was deleted meanwhile"
                raise NotFound(detail) from error
            return made
        return adaptation

    async def _ask(
        self, answer: Awaitable[T], pointer: str, still_there: Callable[[], Awaitable[object]]
    ) -> T:
        """The engine's answer; what it finds wrong with the numbers is reported at `pointer`, unless it knows."""
        try:
            return await answer
        except Invalid as error:
            if error.faults:
                raise
            raise Invalid.at(pointer, error.detail) from error
        except NotFound as error:
            await still_there()
            raise Unavailable("the model's files cannot be read now") from error
