"""Keys: shown once, stored hashed, recognised until revoked."""

import asyncio

import pytest
from sqlalchemy import text

from services.access.records import Principal
from services.access.service import AccessService
from services.errors import Invalid, NotFound, Unauthenticated
from services.storage.database import Database
from tests.fakes import FakeClock


@pytest.fixture
def access(database: Database, clock: FakeClock) -> AccessService:
    return AccessService(database, clock)


def test_a_key_opens(access: AccessService) -> None:
    key, secret = access.create_key("ci")
    assert secret.startswith("il_")
    assert asyncio.run(access.authenticate(secret)) == Principal(key.id, "ci")


def test_keys_differ_and_are_listed_oldest_first(access: AccessService, clock: FakeClock) -> None:
    made = []
    for _ in range(3):
        made.append(access.create_key("same name"))
        clock.advance(1)
    assert len({secret for _, secret in made}) == 3
    listed = access.keys()
    assert listed == [key for key, _ in made]


@pytest.mark.parametrize("secret", ["", "il_", "il_nope", "é", "x" * 10_000])
def test_an_unknown_key_does_not_open(access: AccessService, secret: str) -> None:
    access.create_key("ci")
    with pytest.raises(Unauthenticated):
        asyncio.run(access.authenticate(secret))


def test_a_revoked_key_opens_no_more_and_stays_listed(access: AccessService, clock: FakeClock) -> None:
    key, secret = access.create_key("ci")
    _, other = access.create_key("other")
    revoked_at = clock.advance(5)
    assert access.revoke(key.id).revoked_at == revoked_at
    clock.advance(5)
    assert access.revoke(key.id).revoked_at == revoked_at
    with pytest.raises(Unauthenticated):
        asyncio.run(access.authenticate(secret))
    assert asyncio.run(access.authenticate(other)).name == "other"
    listed = access.keys()
    assert {known.name: known.revoked_at for known in listed} == {"ci": revoked_at, "other": None}


def test_revoking_an_unknown_key_is_not_found(access: AccessService) -> None:
    with pytest.raises(NotFound):
        access.revoke("key_nope")


def test_the_last_key_revoked_does_not_open_the_door(access: AccessService) -> None:
    assert not access.any_keys()
    assert not asyncio.run(access.asks_for_keys())
    key, _ = access.create_key("ci")
    assert access.any_keys()
    access.revoke(key.id)
    assert access.any_keys()
    assert asyncio.run(access.asks_for_keys())


@pytest.mark.parametrize("name", ["", "   ", "a\nb", "a\0b", "x" * 129])
def test_a_key_has_a_readable_name(access: AccessService, name: str) -> None:
    with pytest.raises(Invalid):
        access.create_key(name)
    assert access.keys() == []


def test_the_secret_is_stored_nowhere(access: AccessService, database: Database) -> None:
    _, secret = access.create_key("ci")
    with database.read() as session:
        stored = session.execute(text("SELECT * FROM api_keys")).one()
    assert secret not in map(str, stored)
    assert secret.removeprefix("il_") not in str(stored)
