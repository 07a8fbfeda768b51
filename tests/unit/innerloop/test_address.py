import pytest

from innerloop import InvalidInput
from innerloop.address import Address

ENVIRONMENT = {"INNERLOOP_URL": "https://environment/", "INNERLOOP_API_KEY": "il_environment\n"}


def test_arguments_come_before_the_environment():
    address = Address.find("http://argument/", "il_argument", ENVIRONMENT)
    assert (address.url, address.api_key) == ("http://argument", "il_argument")


def test_the_environment_comes_before_the_default():
    address = Address.find(None, None, ENVIRONMENT)
    assert (address.url, address.api_key) == ("https://environment", "il_environment")
    address = Address.find(None, None, {})
    assert (address.url, address.api_key) == ("http://127.0.0.1:8000", None)


def test_the_process_environment_is_the_one_meant(monkeypatch):
    monkeypatch.setenv("INNERLOOP_URL", "http://process")
    assert Address.find(None, None).url == "http://process"


def test_a_key_is_sent_and_never_printed():
    address = Address.find("http://service", "il_secret", {})
    assert address.headers()["Authorization"] == "Bearer il_secret"
    assert "il_secret" not in repr(address)
    assert "Authorization" not in Address.find("http://service", None, {}).headers()
    assert address.headers()["User-Agent"].startswith("innerloop-python")


def test_a_url_needs_a_scheme():
    with pytest.raises(InvalidInput, match="http://"):
        Address.find("localhost:8000", None, {})
