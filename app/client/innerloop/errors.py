"""What can go wrong in a call, in one tree. Knows nothing of httpx or pydantic, so that it is free to import."""

from collections.abc import Sequence
from typing import NamedTuple


class Fault(NamedTuple):
    """One thing wrong with a request; `pointer` is a JSON Pointer into its body (`/support/targets/3`)."""

    pointer: str
    detail: str


class InnerloopError(Exception):
    """Base of everything that this package raises on purpose."""


class InvalidInput(InnerloopError, ValueError):
    """Input that cannot be sent (ragged lists, things that are not numbers). Nothing went over the wire."""


class ConnectionFailed(InnerloopError):
    """No answer: the service is not there, or did not answer in time. The message says what to do."""


class UnexpectedAnswer(InnerloopError):
    """What answered is no Innerloop service, or one of a version that this client does not understand."""


class APIError(InnerloopError):
    """The service answered with an error (RFC 9457 problem details).

    Attributes: `status` (HTTP), `type` (what programs should look at), `title`, `detail` (for people), `errors`
    (the places in the request), `request_id` (to find the call in the service's log), `retry_after` (seconds,
    where the service named them).
    """

    def __init__(
        self,
        status: int,
        *,
        detail: str,
        title: str = "",
        type: str = "about:blank",  # noqa: A002 - the name that RFC 9457 gives it
        errors: Sequence[Fault] = (),
        request_id: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        self.status = status
        self.type = type
        self.title = title
        self.detail = detail
        self.errors = tuple(errors)
        self.request_id = request_id
        self.retry_after = retry_after
        super().__init__(self._sentence())

    def _sentence(self) -> str:
        places = [f"{fault.pointer}: {fault.detail}" for fault in self.errors]
        # A single fault usually is the detail; naming it twice would only bury the place.
        if len(places) == 1 and self.errors[0].detail in self.detail:
            message = f"{self.errors[0].pointer}: {self.detail}" if self.errors[0].pointer else self.detail
        elif places and all(fault.detail == self.detail for fault in self.errors):
            message = f"{', '.join(fault.pointer for fault in self.errors)}: {self.detail}"
        else:
            message = "; ".join([self.detail, *places])
        request = f" (request {self.request_id})" if self.request_id else ""
        return f"{self.status} {message}{request}"


class BadRequest(APIError):
    """400: the body cannot be read."""


class AuthenticationError(APIError):
    """401: no key, or one that is not known. Pass `api_key=` or set INNERLOOP_API_KEY."""

    def _sentence(self) -> str:
        return f"{super()._sentence()}; pass api_key= or set INNERLOOP_API_KEY"


class PermissionDenied(APIError):
    """403: this key may not do that."""


class NotFound(APIError):
    """404: no such thing, or it has expired or was deleted."""


class Conflict(APIError):
    """409: the thing's state does not allow this (a finished job cannot be cancelled)."""


class PreconditionFailed(APIError):
    """412: somebody changed it since the revision that `if_match` named."""


class TooLarge(APIError):
    """413: beyond a limit that `client.limits()` tells."""


class UnsupportedMediaType(APIError):
    """415: a body of a kind that this route does not read."""


class InvalidRequest(APIError):
    """422: well-formed, but it breaks a rule; `errors` names every place."""


class RateLimited(APIError):
    """429: this key's quota is used up for now."""


class ServerError(APIError):
    """5xx other than 503: a defect of the service, or of a proxy before it."""


class ServiceUnavailable(APIError):
    """503: overloaded, starting, or its engine is away; still so after every retry."""


class JobFailed(InnerloopError):
    """A job that was waited for did not succeed. `job` is its id, `code` and `fault` say whose turn it is."""

    def __init__(self, job: str, message: str, *, code: str | None = None, fault: str | None = None) -> None:
        super().__init__(f"{job} {message}")
        self.job = job
        self.code = code
        self.fault = fault


class JobCancelled(JobFailed):
    """A job that was waited for was cancelled."""


class WaitTimeout(InnerloopError, TimeoutError):
    """`wait(timeout=…)` ran out; the job goes on."""


_BY_STATUS: dict[int, type[APIError]] = {
    400: BadRequest,
    401: AuthenticationError,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    413: TooLarge,
    415: UnsupportedMediaType,
    422: InvalidRequest,
    429: RateLimited,
    503: ServiceUnavailable,
}


def error_class(status: int) -> type[APIError]:
    """The class for an HTTP status."""
    return _BY_STATUS.get(status, ServerError if status >= 500 else APIError)
