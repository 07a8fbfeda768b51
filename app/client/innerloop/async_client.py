"""The asynchronous client, the twin of client. As thin: `requests` says what is sent, the connection sends it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from types import TracebackType
from typing import Any

import httpx

from .address import Address
from .async_adaptation import AsyncAdaptation
from .async_connection import AsyncConnection
from .async_job import AsyncJob
from .async_resources import AsyncAdaptations, AsyncDatasets, AsyncJobs, AsyncModels
from .pages import async_pages
from .predictions import Predictions
from .requests import adaptations, jobs, operations
from .schemas.jobs import RecipeResponse
from .schemas.operations import LimitsResponse, ReadinessResponse


class AsyncClient:
    """A connection to an Innerloop service; safe to share between the tasks of one event loop, best kept.

    >>> from innerloop import AsyncClient
    >>> client = AsyncClient()                                                      # doctest: +SKIP
    >>> adaptation = await client.adapt("functions", [1, 2, 3, 4], [2, 4, 6, 8])    # doctest: +SKIP
    >>> (await adaptation.predict([5, 6])).values                                   # doctest: +SKIP
    [9.99, 11.98]
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float | None = 60.0,
        max_retries: int = 3,
        binary: bool = True,
        transport: httpx.AsyncBaseTransport | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """Without arguments: INNERLOOP_URL and INNERLOOP_API_KEY, else http://127.0.0.1:8000 and no key.

        `timeout` is in seconds, for connecting, for sending and for reading in one attempt. `max_retries` further
        attempts follow a lost connection, 408, 429, 502, 503 and 504 (as many as 12 seconds hold after a 503, where
        it is not 0); a repeated POST that changes something has the same Idempotency-Key, so it happens once.
        `binary=False` sends tensors as plain JSON. `transport` and `sleep` are for tests and special networks.
        """
        self._binary = binary
        self._connection = AsyncConnection(
            Address.find(base_url, api_key),
            timeout=timeout,
            max_retries=max_retries,
            transport=transport,
            sleep=sleep,
        )
        self.models = AsyncModels(self._connection)
        self.datasets = AsyncDatasets(self._connection)
        self.jobs = AsyncJobs(self._connection)
        self.adaptations = AsyncAdaptations(self._connection, binary=binary)

    async def adapt(
        self,
        model: str,
        inputs: Any,
        targets: Any,
        options: Mapping[str, Any] | None = None,
        ttl_seconds: float | None = None,
        metadata: Mapping[str, Any] | None = None,
        classes: Iterable[str] | None = None,
    ) -> AsyncAdaptation:
        """Adapt a model to labelled examples; the service keeps the result.

        model: `name`, `name@alias` or `name@3`. inputs: [S, …] in the model's input form: lists, numpy arrays,
        torch tensors, strings, image files (bytes or pathlib.Path), Pillow images; S numbers for one column.
        targets: S labels (strings or integers), or S numbers, or [S, T]. options: what the version's learner
        declares adjustable.
        ttl_seconds: None keeps it until it is deleted.
        classes: of a model whose signature has `class_names`, labels that are known by what they say: there need be
        no example of them, and with inputs and targets None there is none at all.
        Raises InvalidInput (nothing was sent), InvalidRequest, NotFound, ServiceUnavailable, ConnectionFailed.
        """
        call = adaptations.create(
            inputs,
            targets,
            model=model,
            options=options,
            ttl_seconds=ttl_seconds,
            metadata=metadata,
            classes=classes,
            binary=self._binary,
        )
        return AsyncAdaptation(await self._connection.send(call), self._connection, binary=self._binary)

    async def predict(self, adaptation: AsyncAdaptation | str, inputs: Any) -> Predictions:
        """Predict with an adaptation, or its id, for query examples [Q, …]."""
        identity = adaptation if isinstance(adaptation, str) else adaptation.id
        return await self._connection.send(adaptations.predict(identity, inputs, binary=self._binary))

    async def adapt_and_predict(
        self,
        model: str,
        inputs: Any,
        targets: Any,
        queries: Any,
        options: Mapping[str, Any] | None = None,
        classes: Iterable[str] | None = None,
    ) -> Predictions:
        """Adapt to [S, …] examples and predict for [Q, …] queries in one call; nothing is stored.

        `inputs` and `targets` both None: the base model's own answer before any adaptation (regression only), or
        with `classes` as in `adapt`.

        >>> predictions = await client.adapt_and_predict(
        ...     "functions", [1, 2, 3, 4], [2, 4, 6, 8], [5, 6])    # doctest: +SKIP
        >>> predictions.values                                      # doctest: +SKIP
        [9.99, 11.98]
        """
        call = adaptations.adapt_and_predict(
            inputs, targets, queries, model=model, options=options, classes=classes, binary=self._binary
        )
        return await self._connection.send(call)

    async def adapt_to_episodes(
        self,
        model: str,
        episodes: Iterable[Mapping[str, Any]],
        options: Mapping[str, Any] | None = None,
        ttl_seconds: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> AsyncAdaptation:
        """Adapt a policy to episodes in which it acted itself; the service keeps the result.

        episodes: mappings of `observations` [T, …], `actions` [T, …] or T whole numbers, `rewards` [T], and perhaps
        `log_probs` [T] of the actions as they were sampled, and `terminated`. The rest as in `adapt`.
        """
        call = adaptations.create_policy(
            episodes,
            model=model,
            options=options,
            ttl_seconds=ttl_seconds,
            metadata=metadata,
            binary=self._binary,
        )
        return AsyncAdaptation(await self._connection.send(call), self._connection, binary=self._binary)

    async def act(
        self, model: str, observations: Any, mode: adaptations.Mode = "sample", seed: int | None = None
    ) -> Predictions:
        """What a policy does before it is adapted, for observations [Q, …]; an adaptation has its own `act`."""
        return await self._connection.send(
            adaptations.act_unadapted(model, observations, mode, seed, binary=self._binary)
        )

    async def train(
        self,
        model: str,
        recipe: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        learner: Mapping[str, Any] | None = None,
        tasks: Mapping[str, Any] | None = None,
        training: Mapping[str, Any] | None = None,
        alias: str | None = None,
    ) -> AsyncJob:
        """Meta-train a base model in the background, from a recipe or from a whole configuration.

        `alias` is moved to the new version when it is registered.

        >>> job = await client.train("sinusoid", recipe="sinusoid-maml",
        ...                          overrides={"training": {"iterations": 2000}})    # doctest: +SKIP
        >>> (await job.wait()).result.version                                         # doctest: +SKIP
        1
        """
        call = jobs.create(
            model,
            recipe=recipe,
            overrides=overrides,
            learner=learner,
            tasks=tasks,
            training=training,
            alias=alias,
        )
        return AsyncJob(await self._connection.send(call), self._connection)

    async def evaluate(
        self, model: str, episodes: int | None = None, *, seed: int = 0, dataset: str | None = None
    ) -> AsyncJob:
        """Test a version in the background on tasks that it was not trained on; the report is `job.metrics`.

        `model` is a reference (`letters`, `letters@3`); `episodes` is 600 unless given (40 for a policy). The tasks
        are those of the version's own record, of its held-out classes, or those of another `dataset`.

        >>> job = await client.evaluate("sinusoid@1", episodes=200)        # doctest: +SKIP
        >>> (await job.wait()).metrics["loss"]              # doctest: +SKIP
        0.34
        """
        call = jobs.evaluate(model, episodes=episodes, seed=seed, dataset=dataset)
        return AsyncJob(await self._connection.send(call), self._connection)

    def recipes(self) -> AsyncIterator[RecipeResponse]:
        """The built-in recipes, each with its full configuration."""
        return async_pages(self._connection, jobs.recipes)

    async def limits(self) -> LimitsResponse:
        """Every bound that the service refuses beyond."""
        return await self._connection.send(operations.limits())

    async def health(self) -> ReadinessResponse:
        """Whether the service can answer, and what hinders it if not. ConnectionFailed where none is there."""
        return await self._connection.send(operations.health())

    async def close(self) -> None:
        """Give the connections back; `async with AsyncClient() as client:` does it by itself."""
        await self._connection.close()

    async def __aenter__(self) -> "AsyncClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"AsyncClient({self._connection.address.url!r})"
