"""Clearing away what has expired. Needs no engine, so the worker does it between its jobs."""

from services.adaptation import repository
from services.clock import Clock
from services.storage.database import Database

_AT_ONCE = 500


class AdaptationSweep:
    """Removes expired adaptations, and parameters that nothing names any more."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def purge(self) -> int:
        """Do it, and return how many adaptations went; to be called now and then.

        In short transactions, so that others get their turn, also while another process does the same.
        """
        purged = 0
        while (found := self._purge_some()) > 0:
            purged += found
        with self._database.read() as session:
            unnamed = repository.unnamed_params(session, _AT_ONCE)
        if unnamed:
            with self._database.write() as session:
                repository.remove_unnamed(session, unnamed)
        return purged

    def _purge_some(self) -> int:
        with self._database.write() as session:
            return repository.remove_expired(session, self._clock.now(), _AT_ONCE)
