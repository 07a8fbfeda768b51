"""Limits and health."""

import dataclasses

import httpx

from ..call import Call, body_of, fetch
from ..errors import UnexpectedAnswer
from ..problems import error_of
from ..schemas.operations import LimitsResponse, ReadinessResponse


def limits() -> Call[LimitsResponse]:
    return fetch("/v1/limits", body_of(LimitsResponse))


def health() -> Call[ReadinessResponse]:
    """Readiness; "not ready" is an answer here, with its reasons, and no error."""
    return dataclasses.replace(fetch("/readyz", _readiness), expected=frozenset({503}))


def _readiness(response: httpx.Response) -> ReadinessResponse:
    try:
        return _read_readiness(response)
    except UnexpectedAnswer:
        if response.is_success:
            raise
        raise error_of(response) from None  # a 503 of something in between, which knows no checks


_read_readiness = body_of(ReadinessResponse)
