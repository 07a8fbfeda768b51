"""The same request again: one piece of work, one answer."""

import threading
from datetime import timedelta

import pytest

from services.errors import Conflict, Invalid
from services.idempotency.records import Fresh, Replay
from services.idempotency.service import LEASE, RETENTION, IdempotencyService
from services.storage.database import Database
from tests.fakes import FakeClock

REQUEST = ("key_1", "POST", "/v1/adaptations", "k")
BODY = "f" * 64


@pytest.fixture
def service(database: Database, clock: FakeClock) -> IdempotencyService:
    return IdempotencyService(database, clock)


def _token(outcome: Fresh | Replay) -> str:
    assert isinstance(outcome, Fresh)
    return outcome.resource_token


def test_the_answer_is_replayed(service: IdempotencyService) -> None:
    _token(service.begin(*REQUEST, BODY))
    service.finish(*REQUEST, 201, {"location": "/v1/adaptations/adp_1", "etag": '"1"'}, b'{"id":"adp_1"}')
    for _ in range(2):
        replay = service.begin(*REQUEST, BODY)
        assert replay == Replay(201, {"location": "/v1/adaptations/adp_1", "etag": '"1"'}, b'{"id":"adp_1"}')


def test_a_request_under_way_is_not_done_twice(service: IdempotencyService) -> None:
    service.begin(*REQUEST, BODY)
    with pytest.raises(Conflict):
        service.begin(*REQUEST, BODY)


def test_another_body_under_the_same_key_is_refused(service: IdempotencyService) -> None:
    service.begin(*REQUEST, BODY)
    with pytest.raises(Invalid, match="another request"):
        service.begin(*REQUEST, "0" * 64)
    service.finish(*REQUEST, 201, {}, b"")
    with pytest.raises(Invalid):
        service.begin(*REQUEST, "0" * 64)


@pytest.mark.parametrize("place", range(4))
def test_a_key_means_nothing_elsewhere(service: IdempotencyService, place: int) -> None:
    first = _token(service.begin(*REQUEST, BODY))
    elsewhere = [*REQUEST]
    elsewhere[place] = "other"
    principal, method, path, key = elsewhere
    assert _token(service.begin(principal, method, path, key, BODY)) != first


def test_a_request_that_died_is_done_again_as_the_same(service: IdempotencyService, clock: FakeClock) -> None:
    token = _token(service.begin(*REQUEST, BODY))
    clock.advance(LEASE.total_seconds())
    assert _token(service.begin(*REQUEST, BODY)) == token
    with pytest.raises(Conflict):
        service.begin(*REQUEST, BODY)


def test_a_request_given_up_is_done_again_at_once(service: IdempotencyService) -> None:
    token = _token(service.begin(*REQUEST, BODY))
    service.abandon(*REQUEST)
    assert _token(service.begin(*REQUEST, BODY)) == token


def test_the_first_answer_stays(service: IdempotencyService) -> None:
    service.begin(*REQUEST, BODY)
    service.finish(*REQUEST, 201, {}, b"first")
    service.finish(*REQUEST, 409, {}, b"second")
    service.abandon(*REQUEST)
    assert service.begin(*REQUEST, BODY) == Replay(201, {}, b"first")


def test_nothing_is_stored_for_a_key_that_never_began(service: IdempotencyService) -> None:
    service.finish(*REQUEST, 201, {}, b"")
    service.abandon(*REQUEST)
    assert isinstance(service.begin(*REQUEST, BODY), Fresh)


def test_keys_are_forgotten_after_a_day(service: IdempotencyService, clock: FakeClock) -> None:
    service.begin(*REQUEST, BODY)
    service.finish(*REQUEST, 201, {}, b"")
    clock.advance(RETENTION.total_seconds() - 1)
    assert isinstance(service.begin(*REQUEST, BODY), Replay)
    assert service.purge() == 0
    clock.advance(1)
    assert isinstance(service.begin(*REQUEST, "0" * 64), Fresh)  # forgotten even before it is purged
    assert service.purge() == 0
    assert service.purge(timedelta(0)) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "é", "a\nb", "a\0b"])
def test_a_key_is_printable_ascii(service: IdempotencyService, key: str) -> None:
    with pytest.raises(Invalid, match="Idempotency-Key"):
        service.begin("p", "POST", "/v1/jobs", key, BODY)


def test_a_path_without_end_is_refused(service: IdempotencyService) -> None:
    with pytest.raises(Invalid, match="path"):
        service.begin("p", "POST", "/" + "x" * 512, "k", BODY)


def test_of_many_at_once_one_is_fresh(service: IdempotencyService) -> None:
    outcomes: list[object] = []

    def begin() -> None:
        try:
            outcomes.append(service.begin(*REQUEST, BODY))
        except Conflict as error:
            outcomes.append(error)

    threads = [threading.Thread(target=begin, daemon=True) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcomes) == 6
    assert sum(isinstance(outcome, Fresh) for outcome in outcomes) == 1
