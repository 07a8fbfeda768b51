"""Every error of the services has its status, its type and its headers."""

import json

import pytest

from app.errors import defect, problem_of
from app.problems import TITLES, problem_type
from services.errors import (
    Conflict,
    Fault,
    Invalid,
    Malformed,
    NotFound,
    PreconditionFailed,
    QuotaExceeded,
    ServiceError,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)

STATUSES = {
    Malformed: 400,
    Unauthenticated: 401,
    NotFound: 404,
    Conflict: 409,
    PreconditionFailed: 412,
    TooLarge: 413,
    UnsupportedMediaType: 415,
    Invalid: 422,
    QuotaExceeded: 429,
    Unavailable: 503,
}


def test_every_error_of_the_services_is_known() -> None:
    assert set(ServiceError.__subclasses__()) == set(STATUSES)


@pytest.mark.parametrize(("kind", "status"), STATUSES.items())
def test_an_error_becomes_a_problem(kind: type[ServiceError], status: int) -> None:
    answer = problem_of(kind("what happened"), "req_1")
    assert answer.status_code == status
    errors = {"errors": [{"pointer": "", "detail": "what happened"}]} if status == 422 else {}
    assert json.loads(bytes(answer.body)) == errors | {
        "type": problem_type(TITLES[status]),
        "title": TITLES[status],
        "status": status,
        "detail": "what happened",
        "request_id": "req_1",
    }


def test_a_more_special_error_has_the_status_of_its_kind() -> None:
    class Gone(NotFound):
        """Not found any more."""

    assert problem_of(Gone("gone"), None).status_code == 404


def test_faults_are_listed() -> None:
    body = json.loads(bytes(problem_of(Invalid("two", [Fault("/a", "x"), Fault("/b/0", "y")]), None).body))
    assert body["errors"] == [{"pointer": "/a", "detail": "x"}, {"pointer": "/b/0", "detail": "y"}]


@pytest.mark.parametrize("kind", [QuotaExceeded, Unavailable])
@pytest.mark.parametrize(("seconds", "header"), [(0.0, "1"), (1.0, "1"), (1.2, "2"), (30.0, "30")])
def test_who_may_come_back_is_told_when_in_whole_seconds(
    kind: type[QuotaExceeded | Unavailable], seconds: float, header: str
) -> None:
    assert problem_of(kind("away", seconds), None).headers["retry-after"] == header


def test_a_defect_gives_nothing_away() -> None:
    body = json.loads(bytes(defect("req_1").body))
    assert (body["status"], body["request_id"]) == (500, "req_1")
