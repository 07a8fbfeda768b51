"""Who is served while there are no keys: this machine, and no web page from elsewhere that its browser shows. Pure.

Listening on loopback keeps other machines out, and not a browser here: a page may send requests to any port of
this machine (which its `Origin` tells), or give its own name this machine's address (which `Host` tells).
"""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache

_TO_DO = "without keys the service is for this machine alone; `innerloop keys create` makes one"


def refusal(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Why a request without a key is not served; None where it is. Header names are in lower case."""
    for name, value in headers:
        if name == b"host" and not _is_loopback(value):
            return f"the Host is none of localhost, 127.0.0.1 and [::1]: {_TO_DO}"
        if name == b"origin" and not _is_loopback(value.partition(b"://")[2]):
            return f"the request comes from a web page of another Origin: {_TO_DO}"
    return None


@lru_cache(maxsize=256)
def _is_loopback(authority: bytes) -> bool:
    """Whether `host` or `host:port` can mean this machine alone."""
    text = authority.decode("latin-1").lower()
    bracketed, bracket, port = text.partition("]")
    host = bracketed.removeprefix("[") if bracket else text.partition(":")[0]
    if (port if bracket else text[len(host) :]).lstrip(":0123456789"):
        return False
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
