"""One request as plain data, with how its answer is read. No input or output happens here."""

import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, TypeVar
from urllib.parse import quote

import httpx
import pydantic

from .errors import UnexpectedAnswer
from .problems import not_a_service, not_json

T = TypeVar("T")
M = TypeVar("M", bound=pydantic.BaseModel)


@dataclass(frozen=True, kw_only=True)
class Call(Generic[T]):
    """Built once and sent as often as the retries need: a POST keeps its Idempotency-Key over all of them.

    `content` is the body's bytes, or a file that is streamed from disk. `expected` lists error statuses whose
    body `read` understands; `done` those that say, where the answer to an earlier attempt was lost, that it had
    done the work. `patience` is for answers that take long to begin: seconds, in place of a client's
    timeout that is shorter.
    """

    method: str
    path: str
    read: Callable[[httpx.Response], T]
    params: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    content: bytes | Path | None = None
    expected: frozenset[int] = frozenset()
    done: frozenset[int] = frozenset()
    patience: float = 0.0

    def timeout(self, usual: httpx.Timeout) -> httpx.Timeout:
        """The client's usual timeout, with this call's patience for reading the answer."""
        timeout = httpx.Timeout(usual)
        timeout.read = None if usual.read is None else max(usual.read, self.patience)
        return timeout


def fetch(path: str, read: Callable[[httpx.Response], T], params: Mapping[str, Any] | None = None) -> Call[T]:
    """A GET; parameters that are None are left out."""
    return Call(method="GET", path=path, read=read, params=given(params or {}))


def post(
    path: str,
    read: Callable[[httpx.Response], T],
    *,
    content: bytes | Path | None = None,
    headers: Mapping[str, str] | None = None,
    params: Mapping[str, Any] | None = None,
    patience: float = 0.0,
    changes: bool = True,
) -> Call[T]:
    """A POST with a fresh Idempotency-Key, so that sending it again is safe.

    One that `changes` nothing is safe without, and spares the service from keeping its answer.
    """
    key = {"Idempotency-Key": str(uuid.uuid4())} if changes else {}
    return Call(
        method="POST",
        path=path,
        read=read,
        params=given(params or {}),
        headers={**key, **(headers or {})},
        content=content,
        patience=patience,
    )


def remove(path: str, headers: Mapping[str, str] | None = None) -> Call[None]:
    """A DELETE: what is not there after a lost answer has been deleted."""
    return Call(method="DELETE", path=path, read=nothing, headers=headers or {}, done=frozenset({404}))


def given(params: Mapping[str, Any]) -> dict[str, str]:
    """Query parameters as text, without those that are None."""
    return {name: str(value) for name, value in params.items() if value is not None}


def segment(name: str) -> str:
    """A name made safe as one segment of a path."""
    return quote(name, safe="")


def body_of(model: type[M]) -> Callable[[httpx.Response], M]:
    """Reads a JSON answer as `model`; raises UnexpectedAnswer where it is none."""

    def read(response: httpx.Response) -> M:
        try:
            return model.model_validate_json(response.content)
        except pydantic.ValidationError as error:
            if not_json(response):
                raise UnexpectedAnswer(not_a_service(response)) from error
            raise UnexpectedAnswer(
                f"{response.request.url} answered with what is no {model.__name__}: "
                "is that an Innerloop service, and of a version near this client's?"
            ) from error

    return read


def nothing(response: httpx.Response) -> None:
    """Reads an answer that has no body."""
