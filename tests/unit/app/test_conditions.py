"""If-Match compares strongly, If-None-Match on a GET weakly, and lists and stars mean what RFC 9110 says."""

import pytest
from starlette.requests import Request
from starlette.responses import Response

from app.requests.conditions import demands_absence, etag_of, expected_revision, tagged
from services.errors import NotFound, PreconditionFailed


def request(**headers: str) -> Request:
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Request({"type": "http", "method": "GET", "headers": raw})


@pytest.mark.parametrize(
    ("header", "expected"),
    [('"3"', 3), ('"x"', -1), ('W/"3"', -1), ("3", -1), ('""', -1), ('"' + "9" * 30 + '"', -1), ('"²"', -1)],
)
def test_a_single_tag_is_compared_by_the_service(header: str, expected: int) -> None:
    raw = [(b"if-match", header.encode())]
    found = expected_revision(Request({"type": "http", "method": "GET", "headers": raw}), lambda: 1 / 0)
    assert found == expected


def test_without_a_header_nothing_is_expected() -> None:
    assert expected_revision(request(), lambda: 1) is None
    assert not demands_absence(request())


def test_a_star_or_a_list_means_the_present_revision() -> None:
    assert expected_revision(request(if_match="*"), lambda: 7) == 7
    assert expected_revision(request(if_match='"5", "7"'), lambda: 7) == 7
    with pytest.raises(PreconditionFailed):
        expected_revision(request(if_match='"5", W/"7"'), lambda: 7)


def test_a_star_fails_where_there_is_nothing() -> None:
    def absent() -> int:
        raise NotFound("nothing here")

    with pytest.raises((PreconditionFailed, NotFound)):
        expected_revision(request(if_match="*"), absent)


@pytest.mark.parametrize(
    ("header", "status"),
    [('"3"', 304), ('W/"3"', 304), ('"1", "3"', 304), ("*", 304), ('"1"', 200), ("", 200)],
)
def test_what_is_known_is_not_sent_again(header: str, status: int) -> None:
    answer = tagged(request(if_none_match=header), Response(b"body"), etag_of(3))
    assert (answer.status_code, answer.headers["etag"]) == (status, '"3"')
    assert answer.body == (b"" if status == 304 else b"body")
