"""What the environment says of the HTTP edge, read as it was meant."""

import pytest

from app.settings import HttpSettings


@pytest.mark.parametrize(
    ("written", "key"), [("", None), ("  ", None), ("secret", "secret"), ("secret\n", "secret")]
)
def test_an_empty_key_is_none(monkeypatch: pytest.MonkeyPatch, written: str, key: str | None) -> None:
    monkeypatch.setenv("INNERLOOP_API_KEY", written)
    found = HttpSettings().api_key
    assert (None if found is None else found.get_secret_value()) == key
