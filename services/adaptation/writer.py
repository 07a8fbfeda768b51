"""Adaptations committed in groups: what comes while one transaction runs goes into the next. Decides nothing.

A commit costs the same for one row as for fifty, and SQLite takes one at a time: so many callers share each, and
a lone one never waits for company. Every caller is answered after its own rows are durable, and with its own fault.

SQLite is written to here and now: a thread's commit would ask for Python's lock at every row, and wait for it each
time. What has to wait for another writer, or for the disk, waits in a thread, and so does what is large.
"""

import asyncio
import logging
from typing import NamedTuple

from anyio.to_thread import run_sync
from sqlalchemy.exc import IntegrityError

from services.adaptation import repository
from services.adaptation.records import StoredAdaptation
from services.errors import Unavailable
from services.storage.database import Database

logger = logging.getLogger(__name__)

# Bounds a transaction, and with it how long other writers wait.
_MOST_AT_ONCE = 128
# What an adaptation changes of the database beside its numbers: a page of each table and of each index.
_ROW_BYTES = 12 << 10
# What is written here, in a few milliseconds; nothing else of this process moves meanwhile.
_MOST_BYTES_HERE = 2 << 20


class _Waiting(NamedTuple):
    adapted: StoredAdaptation
    params: bytes
    stored: asyncio.Future[None]


class AdaptationWriter:
    """The one writer of an api process; all calls come from one event loop."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._waiting: list[_Waiting] = []
        self._working: asyncio.Task[None] | None = None

    async def store(self, adapted: StoredAdaptation, params: bytes) -> None:
        """Returns once the rows are committed. Raises as `repository.insert`, and Unavailable."""
        stored: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(adapted, params, stored))
        if self._working is None:
            self._working = asyncio.create_task(self._work())
        await stored

    async def _work(self) -> None:
        try:
            while self._waiting:
                group, self._waiting = self._waiting[:_MOST_AT_ONCE], self._waiting[_MOST_AT_ONCE:]
                faults = await self._committed(group)
                for one, fault in zip(group, faults, strict=True):
                    if one.stored.done():
                        continue  # its caller has gone away
                    if fault is None:
                        one.stored.set_result(None)
                    else:
                        one.stored.set_exception(fault)
        finally:
            self._working = None

    async def _committed(self, group: list[_Waiting]) -> list[Exception | None]:
        """What became of each: None where it is durable."""
        near = self._database.near
        size = sum(_ROW_BYTES + len(one.params) for one in group)
        try:
            if near is not None and size <= _MOST_BYTES_HERE:
                if near.has_much_written:
                    await run_sync(near.settle)
                if near.commit(repository.insertions([(one.adapted, one.params) for one in group]), size):
                    return [None] * len(group)
        except IntegrityError:
            pass  # the fault of one of them
        except Exception:
            logger.warning("a group could not be committed here, and is in a thread", exc_info=True)
        try:
            return await run_sync(self._commit, group)
        except RuntimeError:
            # Nobody may be left waiting for it.
            logger.exception("no thread could be started")
            return [Unavailable("the service cannot write to its database now")] * len(group)

    def _commit(self, group: list[_Waiting]) -> list[Exception | None]:
        """The same, in a thread."""
        try:
            with self._database.write() as session:
                repository.insert(session, [(one.adapted, one.params) for one in group])
        except IntegrityError as fault:
            # One of them: found by asking each alone.
            return [fault] if len(group) == 1 else [self._commit([one])[0] for one in group]
        except Exception as fault:
            # A defect too: whoever waits has to hear of it.
            return [fault] * len(group)
        return [None] * len(group)
