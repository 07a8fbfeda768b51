"""An adaptation that answers: the handle that `AsyncClient.adapt` returns. The twin of adaptation."""

from collections.abc import Iterable, Mapping
from typing import Any

from .async_connection import AsyncConnection
from .predictions import Predictions
from .requests import adaptations as requests
from .schemas.adaptations import AdaptationResponse
from .states import AdaptationState


class AsyncAdaptation(AdaptationState):
    """A model adapted to one support set, kept by the service until it expires or is deleted.

    >>> adaptation = await client.adapt("functions", [1, 2, 3, 4], [2, 4, 6, 8])    # doctest: +SKIP
    >>> (await adaptation.predict([5, 6])).values                                   # doctest: +SKIP
    [9.99, 11.98]
    """

    def __init__(
        self, response: AdaptationResponse, connection: AsyncConnection, *, binary: bool = True
    ) -> None:
        super().__init__(response)
        self._connection = connection
        self._binary = binary

    async def predict(self, inputs: Any) -> Predictions:
        """Predict for query examples: [Q, …] in the model's input form, or Q numbers for one column.

        Raises NotFound once the adaptation has expired or was deleted.
        """
        return await self._connection.send(requests.predict(self.id, inputs, binary=self._binary))

    async def adapt(
        self,
        inputs: Any,
        targets: Any,
        *,
        options: Mapping[str, Any] | None = None,
        ttl_seconds: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> "AsyncAdaptation":
        """Take the inner loop's steps on new examples, from this adaptation's parameters, into a new adaptation.

        Only for learners that adapt by gradients; InvalidRequest for the others.
        """
        call = requests.create(
            inputs,
            targets,
            start_from=self.id,
            options=options,
            ttl_seconds=ttl_seconds,
            metadata=metadata,
            binary=self._binary,
        )
        return AsyncAdaptation(await self._connection.send(call), self._connection, binary=self._binary)

    async def adapt_and_predict(
        self, inputs: Any, targets: Any, queries: Any, *, options: Mapping[str, Any] | None = None
    ) -> Predictions:
        """As `adapt`, and predict for [Q, …] queries in the same call; nothing is stored."""
        call = requests.adapt_and_predict(
            inputs, targets, queries, start_from=self.id, options=options, binary=self._binary
        )
        return await self._connection.send(call)

    async def act(
        self, observations: Any, *, mode: requests.Mode = "sample", seed: int | None = None
    ) -> Predictions:
        """A policy's actions for observations [Q, …], drawn (the same for the same seed) or the likeliest.

        >>> actions = await policy.act(observations, seed=7)    # doctest: +SKIP
        >>> actions.actions, actions.log_probs         # doctest: +SKIP
        """
        return await self._connection.send(
            requests.act(self.id, observations, mode, seed, binary=self._binary)
        )

    async def adapt_to_episodes(
        self,
        episodes: Iterable[Mapping[str, Any]],
        *,
        options: Mapping[str, Any] | None = None,
        ttl_seconds: float | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> "AsyncAdaptation":
        """A policy's next gradient steps, on fresh episodes that it acted in itself, into a new adaptation."""
        call = requests.create_policy(
            episodes,
            start_from=self.id,
            options=options,
            ttl_seconds=ttl_seconds,
            metadata=metadata,
            binary=self._binary,
        )
        return AsyncAdaptation(await self._connection.send(call), self._connection, binary=self._binary)

    async def delete(self) -> None:
        """Delete it; it answers no more."""
        await self._connection.send(requests.delete(self.id))
