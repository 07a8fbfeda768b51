import httpx
import pytest

from innerloop import InvalidRequest, ServerError, UnexpectedAnswer
from innerloop.errors import APIError, Fault, error_class
from innerloop.problems import error_of
from tests import answers


def test_faults_are_named_with_their_places():
    faults = [
        {"pointer": "/support/targets/3", "detail": "not a number"},
        {"pointer": "/options/nope", "detail": "unknown"},
    ]
    error = error_of(answers.problem(422, "2 problems", errors=faults))
    assert isinstance(error, InvalidRequest)
    assert error.errors == (Fault("/support/targets/3", "not a number"), Fault("/options/nope", "unknown"))
    assert (
        str(error)
        == "422 2 problems; /support/targets/3: not a number; /options/nope: unknown (request req_1)"
    )


def test_a_fault_that_is_the_detail_is_said_once():
    error = error_of(answers.problem(422, "too wide", errors=[{"pointer": "/inputs", "detail": "too wide"}]))
    assert str(error) == "422 /inputs: too wide (request req_1)"
    error = error_of(
        answers.problem(422, "wrong: too wide", errors=[{"pointer": "/a", "detail": "too wide"}])
    )
    assert str(error) == "422 /a: wrong: too wide (request req_1)"
    faults = [{"pointer": f"/support/{name}", "detail": "2 and 1"} for name in ("inputs", "targets")]
    error = error_of(answers.problem(422, "2 and 1", errors=faults))
    assert str(error) == "422 /support/inputs, /support/targets: 2 and 1 (request req_1)"


def test_a_missing_key_says_where_it_goes():
    error = error_of(answers.problem(401, "send a key"))
    assert str(error) == "401 send a key (request req_1); pass api_key= or set INNERLOOP_API_KEY"


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (b"<html>Bad Gateway</html>", "Bad Gateway: <html>Bad Gateway</html>"),
        (b"", "Bad Gateway"),
        (b"[1]", "Bad Gateway: [1]"),
        (b'{"title": "Away", "detail": 7, "errors": "x", "type": null}', "Away"),
    ],
)
def test_answers_of_proxies_are_read_too(content, detail):
    error = error_of(httpx.Response(502, content=content))
    assert type(error) is ServerError
    assert error.detail == detail
    assert error.type == "about:blank"
    assert error.errors == ()


@pytest.mark.parametrize("status", [404, 405, 501])
@pytest.mark.parametrize("content", [b"<html>Not found</html>", b"", b'{"detail": "Not Found"}'])
def test_another_server_on_the_port_is_told_from_ours(status, content):
    request = httpx.Request("POST", "http://127.0.0.1:8000/v1/adaptations")
    error = error_of(httpx.Response(status, content=content, request=request))
    assert type(error) is UnexpectedAnswer
    assert str(error) == "http://127.0.0.1:8000 is not an Innerloop service; set INNERLOOP_URL"


def test_the_request_id_may_stand_in_the_header():
    error = error_of(httpx.Response(500, headers={"X-Request-Id": "req_9"}))
    assert error.request_id == "req_9"


def test_every_status_has_a_class():
    for status in range(300, 600):
        assert issubclass(error_class(status), APIError)
