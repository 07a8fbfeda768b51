"""What can go wrong in a use case, in the service's words. Knows no HTTP: `app.errors` gives each a status."""

from collections.abc import Sequence
from typing import NamedTuple


class Fault(NamedTuple):
    """One thing wrong with the input; `pointer` is a JSON Pointer into the request's body.

    It is empty where the fault is in all of it, or in no JSON: a file, a header, a query parameter.
    """

    pointer: str
    detail: str


class ServiceError(Exception):
    """Base of every error that a caller is told about; `detail` says what happened and what to do."""

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class Malformed(ServiceError):
    """The body cannot be read at all: not JSON, or a binary frame that contradicts its own header."""


class Invalid(ServiceError):
    """Well-formed input that breaks a rule. `faults` names every place."""

    def __init__(self, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.faults = tuple(faults)

    @classmethod
    def at(cls, pointer: str, detail: str) -> "Invalid":
        return cls(detail, (Fault(pointer, detail),))


class Unauthenticated(ServiceError):
    """No credentials, or credentials that are not known."""


class NotFound(ServiceError):
    """The thing named does not exist (or has expired, or was deleted)."""


class Conflict(ServiceError):
    """The thing exists but its state does not allow this."""


class PreconditionFailed(ServiceError):
    """`If-Match` named another revision than the present one."""


class TooLarge(ServiceError):
    """More than a published limit allows."""


class UnsupportedMediaType(ServiceError):
    """A body of a kind that this route does not read."""


class QuotaExceeded(ServiceError):
    """The caller has more under way than its share of the service; `retry_after` is in seconds."""

    def __init__(self, detail: str, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class Unavailable(ServiceError):
    """The engine or the database cannot answer now; `retry_after` is in seconds."""

    def __init__(self, detail: str, retry_after: float = 1.0) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
