"""Idempotency-Key: the same request again gets the same answer, and does its work once.

Knows keys, fingerprints, leases and stored answers; not what any request means. A first request that dies
leaves its row behind: the lease then runs out, and the repeat gets the same resource token.
"""

from datetime import timedelta
from typing import Any, cast

from sqlalchemy import CursorResult, delete
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from services.clock import Clock
from services.errors import Conflict, Invalid
from services.idempotency.records import Fresh, Replay
from services.ids import new_token
from services.storage.database import Database
from services.storage.tables import IdempotencyKeyRow

RETENTION = timedelta(hours=24)
LEASE = timedelta(seconds=60)
_MAX_KEY = 255
_MAX_PATH = 512

_Identity = tuple[str, str, str, str]  # principal, method, path, key: what a key is unique within


class IdempotencyService:
    """One row a key in its scope. `lease` bounds how long a dead request keeps its repeat waiting."""

    def __init__(self, database: Database, clock: Clock, lease: timedelta = LEASE) -> None:
        self._database = database
        self._clock = clock
        self._lease = lease

    def begin(self, principal: str, method: str, path: str, key: str, fingerprint: str) -> Fresh | Replay:
        """Take the key for this request, or learn how it was answered. `fingerprint` is the body's sha256.

        Raises Conflict while the first request is under way, Invalid where the key came with another body or
        is no key.
        """
        identity = _identity(principal, method, path, key)
        now = self._clock.now()
        with self._database.write() as session:
            row = _find(session, identity)
            if row is not None and row.created_at <= now - RETENTION:
                session.delete(row)
                session.flush()
                row = None
            if row is None:
                fresh = IdempotencyKeyRow(
                    principal=principal,
                    method=method,
                    path=path,
                    key=key,
                    fingerprint=fingerprint,
                    resource_token=new_token(),
                    status=None,
                    headers=None,
                    body=None,
                    created_at=now,
                    leased_until=now + self._lease,
                )
                return _insert(session, fresh)
            if row.fingerprint != fingerprint:
                raise Invalid("this Idempotency-Key was used with another request: take a new key")
            if row.status is not None:
                return Replay(row.status, dict(row.headers or {}), row.body or b"")
            if row.leased_until > now:
                raise Conflict("the first request with this Idempotency-Key is still under way")
            row.leased_until = now + self._lease
            return Fresh(row.resource_token)

    def finish(
        self,
        principal: str,
        method: str,
        path: str,
        key: str,
        status: int,
        headers: dict[str, str],
        body: bytes,
    ) -> None:
        """Store the answer for repeats. The first answer stays, should two requests come this far."""
        with self._database.write() as session:
            row = _find(session, _identity(principal, method, path, key))
            if row is not None and row.status is None:
                row.status, row.headers, row.body = status, dict(headers), body

    def abandon(self, principal: str, method: str, path: str, key: str) -> None:
        """Free the key after a failure that a repeat may overcome; the repeat gets the same resource token."""
        with self._database.write() as session:
            row = _find(session, _identity(principal, method, path, key))
            if row is not None and row.status is None:
                row.leased_until = self._clock.now()

    def purge(self, older_than: timedelta = RETENTION) -> int:
        """Forget keys first used longer ago than this; returns how many."""
        old = delete(IdempotencyKeyRow).where(IdempotencyKeyRow.created_at <= self._clock.now() - older_than)
        with self._database.write() as session:
            return cast("CursorResult[Any]", session.execute(old)).rowcount


def _identity(principal: str, method: str, path: str, key: str) -> _Identity:
    if not (1 <= len(key) <= _MAX_KEY and key.isascii() and key.isprintable()):
        raise Invalid(f"an Idempotency-Key is 1 to {_MAX_KEY} printable ASCII characters")
    if len(path) > _MAX_PATH:
        raise Invalid(f"an Idempotency-Key is not taken with a path of more than {_MAX_PATH} characters")
    return principal, method, path, key


def _find(session: Session, identity: _Identity) -> IdempotencyKeyRow | None:
    return session.get(IdempotencyKeyRow, identity, with_for_update=True)


def _insert(session: Session, row: IdempotencyKeyRow) -> Fresh:
    try:
        session.add(row)
        session.flush()
    except IntegrityError as error:
        # Only where the database lets two writers in at once: the other one came first by a moment.
        raise Conflict("the first request with this Idempotency-Key is still under way") from error
    return Fresh(row.resource_token)
