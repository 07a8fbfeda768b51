"""Who may come in: `Authorization: Bearer …` on every route but health, once there is any key.

A middleware and not a dependency, so that it stands before routing and before a byte of a body is read.
"""

import hmac
import time
from collections.abc import Iterable

from pydantic import SecretStr
from starlette.types import ASGIApp, Receive, Scope, Send

from app.errors import problem_of
from app.loopback import refusal
from app.problems import Problem
from services.access.service import AccessService
from services.errors import ServiceError, Unauthenticated
from services.ids import ANONYMOUS

CONFIGURED = "configured"
"""The principal of the key that the settings name."""

OPEN_PATHS = frozenset({"/livez", "/readyz", "/v2/health/live", "/v2/health/ready"})

# That there are no keys is believed for this long, for asking costs a tenth of a prediction. A key that is there
# is never believed: it may have been revoked.
_OPEN_SECONDS = 0.25


class Authentication:
    """Leaves the principal's id in `request.state.principal`, or answers 401; without any key perhaps 403."""

    def __init__(self, app: ASGIApp, api_key: SecretStr | None) -> None:
        self._app = app
        self._api_key = api_key.get_secret_value().encode() if api_key is not None else None
        self._open_until = 0.0  # monotonic seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            return await self._app(scope, receive, send)
        try:
            # Only there once the application has started, unlike this object.
            access: AccessService = scope["app"].state.services.access
            principal = await self._principal(access, _authorization(scope["headers"]))
        except ServiceError as error:
            return await problem_of(error, scope["state"]["request_id"])(scope, receive, send)
        if principal == ANONYMOUS and (reason := refusal(scope["headers"])) is not None:
            return await Problem(403, reason, scope["state"]["request_id"])(scope, receive, send)
        scope["state"]["principal"] = principal
        return await self._app(scope, receive, send)

    async def _principal(self, access: AccessService, authorization: str | None) -> str:
        secret = _bearer(authorization)
        if secret and self._api_key and hmac.compare_digest(secret.encode(), self._api_key):
            return CONFIGURED
        if time.monotonic() < self._open_until:
            return ANONYMOUS
        if self._api_key is None and not await access.asks_for_keys():
            # Without any key at all everybody is anonymous.
            self._open_until = time.monotonic() + _OPEN_SECONDS
            return ANONYMOUS
        if secret is None:
            raise Unauthenticated("send a key: Authorization: Bearer …")
        return (await access.authenticate(secret)).id


def _authorization(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Header names are in lower case."""
    for name, value in headers:
        if name == b"authorization":
            return value.decode("latin-1")
    return None


def _bearer(authorization: str | None) -> str | None:
    scheme, _, secret = (authorization or "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" and secret.strip() else None
