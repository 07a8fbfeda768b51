"""Adaptations that are being queried, as they were a moment ago. Knows how old what it knows is; no engine.

An adaptation never changes but by ending. That it has expired is seen at once, and so is a delete by this process;
one by another api process is seen after `TRUST_SECONDS`. For that a query of an adaptation in use reads nothing.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from services.adaptation import repository
from services.adaptation.records import LiveAdaptation
from services.clock import Clock
from services.storage.database import Database

TRUST_SECONDS = 1.0
_MOST_KNOWN = 16_384


class _Known(NamedTuple):
    adaptation: LiveAdaptation
    read_at: datetime


class LiveAdaptations:
    """For one event loop."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._trust = timedelta(seconds=TRUST_SECONDS)
        self._known: dict[str, _Known] = {}

    async def get(self, adaptation_id: str) -> LiveAdaptation:
        """Raises NotFound."""
        now = self._clock.now()
        known = self._known.get(adaptation_id)
        if known is not None and now - known.read_at < self._trust:
            found = known.adaptation
        else:
            found = await self._read(adaptation_id, now)
        repository.check_live(adaptation_id, found.expires_at, now)
        return found

    def forget(self, adaptation_id: str) -> None:
        """It was deleted; from any thread."""
        self._known.pop(adaptation_id, None)

    async def _read(self, adaptation_id: str, now: datetime) -> LiveAdaptation:
        row = await self._database.look_up(repository.LIVE_BY_ID, id=adaptation_id)
        if row is None:
            self.forget(adaptation_id)
            raise repository.gone(adaptation_id)
        found = repository.live_record(row)
        if len(self._known) >= _MOST_KNOWN:
            self._known.clear()
        self._known[adaptation_id] = _Known(found, now)
        return found
