"""A few at once, a few more in line, and the rest are told to come again."""

import asyncio

import pytest

from app.few import Few
from services.errors import Unavailable


def test_work_takes_turns_and_the_line_has_an_end() -> None:
    async def run() -> None:
        few = Few(at_once=2, waiting=1)
        at_work, most = 0, 0
        go_on = asyncio.Event()

        async def work() -> None:
            nonlocal at_work, most
            async with few.turn():
                at_work += 1
                most = max(most, at_work)
                await go_on.wait()
                at_work -= 1

        working = [asyncio.create_task(work()) for _ in range(3)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert at_work == 2
        with pytest.raises(Unavailable) as refused:
            await work()
        assert refused.value.retry_after >= 1
        go_on.set()
        await asyncio.gather(*working)
        assert (at_work, most) == (0, 2)
        await work()

    asyncio.run(run())


def test_a_turn_that_fails_comes_free() -> None:
    async def run() -> None:
        few = Few(at_once=1, waiting=0)
        for _ in range(2):
            with pytest.raises(ValueError, match="broken"):
                async with few.turn():
                    raise ValueError("broken")
        async with few.turn():
            with pytest.raises(Unavailable):
                async with few.turn():
                    pass

    asyncio.run(run())
