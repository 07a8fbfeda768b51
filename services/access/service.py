"""API keys: made, listed, revoked, recognised. Knows sha256 digests of secrets; the secrets are shown once.

A plain hash is enough here because a secret is 256 random bits: there is nothing to guess it from.
"""

import hashlib
import secrets

from sqlalchemy import bindparam, exists, select

from services.access.records import ApiKey, Principal
from services.clock import Clock
from services.errors import Invalid, NotFound, Unauthenticated
from services.ids import new_id
from services.storage.database import Database
from services.storage.tables import ApiKeyRow

PREFIX = "il_"
_MAX_NAME = 128
_ANY = select(exists().where(ApiKeyRow.id.is_not(None)))
_BY_DIGEST = select(ApiKeyRow.id, ApiKeyRow.name, ApiKeyRow.revoked_at).where(
    ApiKeyRow.key_sha256 == bindparam("digest")
)


class AccessService:
    """Keys of one installation."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def create_key(self, name: str) -> tuple[ApiKey, str]:
        """A new key and its secret, which cannot be shown again. Raises Invalid for an unusable name."""
        if not (name.strip() and name.isprintable() and len(name) <= _MAX_NAME):
            raise Invalid.at("/name", f"a key's name is 1 to {_MAX_NAME} printable characters")
        secret = PREFIX + secrets.token_urlsafe(32)
        row = ApiKeyRow(
            id=new_id("key"),
            name=name,
            key_sha256=_digest(secret),
            created_at=self._clock.now(),
            revoked_at=None,
        )
        with self._database.write() as session:
            session.add(row)
        return _record(row), secret

    def keys(self) -> list[ApiKey]:
        """Every key, revoked ones too, oldest first."""
        with self._database.read() as session:
            rows = session.scalars(select(ApiKeyRow).order_by(ApiKeyRow.created_at, ApiKeyRow.id))
            return [_record(row) for row in rows]

    def revoke(self, key_id: str) -> ApiKey:
        """End a key; ending it again changes nothing. Raises NotFound."""
        with self._database.write() as session:
            row = session.get(ApiKeyRow, key_id, with_for_update=True)
            if row is None:
                raise NotFound(f"no key {key_id!r}")
            if row.revoked_at is None:
                row.revoked_at = self._clock.now()
            return _record(row)

    async def authenticate(self, secret: str) -> Principal:
        """Who holds this secret. Raises Unauthenticated, the same whether unknown or revoked."""
        row = await self._database.look_up(_BY_DIGEST, digest=_digest(secret))
        key_id, name, revoked_at = row or (None, None, None)
        if key_id is None or revoked_at is not None:
            raise Unauthenticated("this key is not known, or was revoked")
        return Principal(key_id, name)

    def any_keys(self) -> bool:
        """Whether a key was ever made, revoked ones included: revoking the last one must not open the door."""
        with self._database.read() as session:
            return bool(session.scalar(_ANY))

    async def asks_for_keys(self) -> bool:
        """`any_keys`, from the event loop."""
        row = await self._database.look_up(_ANY)
        return row is not None and bool(row[0])


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _record(row: ApiKeyRow) -> ApiKey:
    return ApiKey(id=row.id, name=row.name, created_at=row.created_at, revoked_at=row.revoked_at)
