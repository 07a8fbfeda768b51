"""Without keys this machine is served, by its own names, and no page from elsewhere."""

import pytest

from app.loopback import refusal


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost:8000", "127.0.0.1", "127.0.0.1:8000", "127.1.2.3:1", "[::1]", "[::1]:8000"],
)
def test_this_machine_is_served_by_every_name_that_it_has(host: str) -> None:
    assert refusal([(b"host", host.encode())]) is None
    for scheme in ("http", "https"):
        assert refusal([(b"origin", f"{scheme}://{host}".encode()), (b"host", b"localhost")]) is None


@pytest.mark.parametrize(
    "host",
    [
        "",
        "example.com",
        "127.0.0.1.example.com",
        "localhost.example.com:8000",
        "localhost:8000.example.com",
        "[::1].example.com",
        "[::1]:8000.example.com",
        "10.0.0.1",
        "0.0.0.0",
        "[::]",
        "[::ffff:10.0.0.1]",
        "example.com@localhost",
        "localhost@example.com",
        "localhost/",
        "\xe9",
    ],
)
def test_another_name_is_refused(host: str) -> None:
    reason = refusal([(b"accept", b"*/*"), (b"host", host.encode("latin-1"))])
    assert reason is not None
    assert "innerloop keys create" in reason
    assert refusal([(b"origin", b"http://" + host.encode("latin-1")), (b"host", b"localhost")]) is not None


def test_a_page_that_may_not_say_where_it_is_from_is_refused() -> None:
    assert refusal([(b"origin", b"null")]) is not None
    assert refusal([(b"origin", b"")]) is not None


def test_what_is_no_browser_need_not_say_anything() -> None:
    assert refusal([]) is None
    assert refusal([(b"accept", b"*/*"), (b"x-origin", b"http://example.com")]) is None
