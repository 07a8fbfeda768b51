"""The registry: models, versions, aliases, artifacts."""

from pathlib import Path

import httpx

from .. import wire
from ..alias import Alias
from ..call import Call, body_of, fetch, given, post, remove, segment
from ..schemas.listing import ListResponse
from ..schemas.models import AliasResponse, ModelResponse, ModelVersionResponse


def page(limit: int, after: str | None) -> Call[ListResponse[ModelResponse]]:
    return fetch("/v1/models", body_of(ListResponse[ModelResponse]), {"limit": limit, "after": after})


def get(name: str) -> Call[ModelResponse]:
    return fetch(_model(name), body_of(ModelResponse))


def versions(name: str, limit: int, after: str | None) -> Call[ListResponse[ModelVersionResponse]]:
    return fetch(
        f"{_model(name)}/versions",
        body_of(ListResponse[ModelVersionResponse]),
        {"limit": limit, "after": after},
    )


def version(name: str, number: int) -> Call[ModelVersionResponse]:
    return fetch(_version(name, number), body_of(ModelVersionResponse))


def delete_version(name: str, number: int) -> Call[None]:
    return remove(_version(name, number))


def download(name: str, number: int) -> Call[bytes]:
    return fetch(f"{_version(name, number)}/artifact", lambda response: response.content)


def upload(name: str, artifact: bytes | Path, alias: str | None) -> Call[ModelVersionResponse]:
    return post(
        f"{_model(name)}/versions",
        body_of(ModelVersionResponse),
        content=artifact,
        headers={"Content-Type": "application/octet-stream"},
        params={"alias": alias},
    )


def alias(name: str, alias: str) -> Call[Alias]:
    return fetch(_alias(name, alias), _read_alias)


def set_alias(
    name: str, alias: str, number: int, *, if_match: str | None, if_none_match: bool
) -> Call[Alias]:
    body = wire.encode({"version": number})
    conditions = given({"If-Match": if_match, "If-None-Match": "*" if if_none_match else None})
    return Call(
        method="PUT",
        path=_alias(name, alias),
        read=_read_alias,
        headers={**body.headers, **conditions},
        content=body.content,
    )


def delete_alias(name: str, alias: str, *, if_match: str | None) -> Call[None]:
    return remove(_alias(name, alias), given({"If-Match": if_match}))


def _model(name: str) -> str:
    return f"/v1/models/{segment(name)}"


def _version(name: str, number: int) -> str:
    return f"{_model(name)}/versions/{number}"


def _alias(name: str, alias: str) -> str:
    return f"{_model(name)}/aliases/{segment(alias)}"


_read_alias_body = body_of(AliasResponse)


def _read_alias(response: httpx.Response) -> Alias:
    body = _read_alias_body(response)
    return Alias(
        model=body.model,
        name=body.name,
        version=body.version,
        updated_at=body.updated_at,
        etag=response.headers.get("ETag"),
    )
