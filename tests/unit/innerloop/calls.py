"""One operation of either client, called against a script of answers."""

import asyncio
import inspect

import httpx
import pytest

from innerloop import AsyncClient, Client


def call(kind, script, operation, **settings):
    """An operation's result, with lists read to their end, through either client."""
    if kind == "sync":
        with Client("http://service", transport=httpx.MockTransport(script), **settings) as client:
            result = operation(client)
            return list(result) if inspect.isgenerator(result) else result

    async def run():
        transport = httpx.MockTransport(script.asynchronous)
        async with AsyncClient("http://service", transport=transport, **settings) as client:
            result = operation(client)
            return [item async for item in result] if inspect.isasyncgen(result) else await result

    return asyncio.run(run())


BOTH = pytest.mark.parametrize("kind", ["sync", "async"])
