"""Where the service is and who calls: from arguments, else from INNERLOOP_URL and INNERLOOP_API_KEY."""

import importlib.metadata
import os
from collections.abc import Mapping
from dataclasses import dataclass, field

from .errors import InvalidInput

DEFAULT_URL = "http://127.0.0.1:8000"


@dataclass(frozen=True)
class Address:
    """A base URL without a trailing slash, and a key (kept out of every printed form)."""

    url: str
    api_key: str | None = field(default=None, repr=False)

    @classmethod
    def find(
        cls, url: str | None, api_key: str | None, environ: Mapping[str, str] | None = None
    ) -> "Address":
        """Arguments first, then the environment, then this machine's port 8000.

        Raises InvalidInput where the URL has no http(s) scheme.
        """
        environ = os.environ if environ is None else environ
        found = (url or environ.get("INNERLOOP_URL") or DEFAULT_URL).rstrip("/")
        if not found.startswith(("http://", "https://")):
            raise InvalidInput(f"{found!r} is no base URL: it has to begin with http:// or https://")
        # The key of the environment is stripped: a trailing newline from a secrets file is an illegal header.
        key = api_key or environ.get("INNERLOOP_API_KEY", "").strip() or None
        return cls(found, key)

    def headers(self) -> dict[str, str]:
        """What every request carries."""
        headers = {"User-Agent": _user_agent()}
        if self.api_key:
            headers["Authorization"] = f"Bearer {self.api_key}"
        return headers


def _user_agent() -> str:
    try:
        return f"innerloop-python/{importlib.metadata.version('innerloop')}"
    except importlib.metadata.PackageNotFoundError:
        return "innerloop-python"
