"""How an operation is declared: its bodies, answers and problems, by hand, for the OpenAPI document.

Routes read raw bytes and answer ready-made responses, so that FastAPI cannot know their types by itself.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pydantic
from starlette.responses import Response

from app.inference_dialect import inference_status
from app.problems import PROBLEM_MEDIA_TYPE, TITLES, problem_type
from innerloop.schemas.inference import InferenceErrorResponse
from innerloop.schemas.problems import ProblemResponse

REFERENCE = "#/components/schemas/"
_DETAILS = {
    400: "the body is not JSON: expected value at line 1 column 2",
    401: "send a key: Authorization: Bearer …",
    403: "the request comes from a web page of another Origin",
    404: "no model 'nope'",
    409: "the job has already succeeded",
    412: "the alias is at revision 4, not 3",
    413: "the body is larger than 16777216 bytes; /v1/limits tells every limit",
    415: "send application/json, or application/octet-stream with Inference-Header-Content-Length",
    422: "a string where a number is expected",
    429: "this key has its share of the engine's queue waiting already",
    503: "the engine does not answer",
}
_MEANINGS = {
    400: "The body cannot be read: not JSON, or a binary frame that contradicts itself.",
    401: "The service has keys, and the request brought none that is known.",
    403: "The service has no keys, and the request came by another name or from a web page elsewhere.",
    404: "Nothing has this name or id, or it has expired or was deleted.",
    409: "The thing's state does not allow this, or the first request with this Idempotency-Key still runs.",
    412: "If-Match or If-None-Match does not hold.",
    413: "The body is larger than the limit; it is refused before it is read whole.",
    415: "A media type or content encoding that this route does not read.",
    422: "Well-formed, but it breaks a rule; `errors` points at every place.",
    429: "This key has more under way than its share of the service; `Retry-After` says when that is done.",
    503: "The engine or the database cannot answer now, or the engine has as much waiting as it takes; "
    "`Retry-After` says when to try again.",
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "1 to 255 printable ASCII characters, quoted or bare. The same request with the same key is "
    "done once: a repeat within 24 hours gets the first answer again, with `Idempotent-Replayed: true`. An answer "
    "of more than 1 MiB is not kept: the repeat is computed again, and makes nothing twice.",
    "schema": {"type": "string", "maxLength": 255},
    "example": "b7c1d0de-5a2f-4f0e-9d63-3d0a5a7a9a11",
}


class Answer(NamedTuple):
    """A successful answer: a wire type with an example, or another media type; `streams` shows the SSE form."""

    description: str
    kind: type[pydantic.BaseModel] | None = None
    example: Any = None
    headers: tuple[str, ...] = ()
    media_types: tuple[str, ...] = ("application/json",)
    streams: str | None = None


_HEADERS = {
    "Location": "Where the new thing is.",
    "ETag": "The revision, for If-Match and If-None-Match.",
    "Idempotent-Replayed": "`true` where this is the stored answer to an earlier request.",
    "Content-Disposition": "A file name.",
    "Inference-Header-Content-Length": "How many bytes are JSON, where binary tensors follow; before compression.",
}


def operation(
    answers: Mapping[int, Answer],
    problems: Iterable[int],
    *,
    path: Iterable[Mapping[str, Any]] = (),
    body: Mapping[str, Any] | None = None,
    headers: Iterable[str] = (),
    idempotent: bool = False,
) -> dict[str, Any]:
    """Keyword arguments for a router's decorator. The first of `answers` is the usual one.

    `path` are the path parameters of a route that reads them by itself, `headers` names request headers that are
    honoured (If-Match, …), `idempotent` adds Idempotency-Key.
    """
    parameters = [*path, *(_header_parameter(name) for name in headers)]
    codes = set(problems)
    if idempotent:
        parameters.append(_IDEMPOTENCY_KEY)
        codes |= {400, 409, 422}
    extra: dict[str, Any] = {"parameters": parameters} if parameters else {}
    if body is not None:
        extra["requestBody"] = body
        codes |= {400, 413, 415, 422}
    responses = {status: _answer(answer, idempotent) for status, answer in answers.items()}
    return {
        "status_code": next(iter(answers)),
        "response_class": Response,
        "response_model": None,
        "responses": {**responses, **{status: problem(status) for status in sorted(codes)}},
        "openapi_extra": extra,
    }


def json_body(kind: type[pydantic.BaseModel], *names: str, binary: bool = False) -> dict[str, Any]:
    """A request body of a wire type, whose own examples are shown by `names`; `binary` adds the frame form."""
    examples = kind.model_config.get("json_schema_extra")
    listed = examples["examples"] if isinstance(examples, dict) else []
    assert isinstance(listed, list)
    content: dict[str, Any] = {
        "application/json": {
            "schema": {"$ref": _ref(kind)},
            "examples": {name: {"value": value} for name, value in zip(names, listed, strict=True)},
        }
    }
    if binary:
        content["application/octet-stream"] = {
            "schema": {
                "type": "string",
                "format": "binary",
                "description": "The same document, then the raw little-endian bytes of its binary tensors in "
                "document order; the header `Inference-Header-Content-Length` gives the document's length.",
            }
        }
    return {"required": True, "content": content}


def file_body(descriptions: Mapping[str, str]) -> dict[str, Any]:
    """A request body that is a file, by media type."""
    content = {
        media_type: {"schema": {"type": "string", "format": "binary", "description": description}}
        for media_type, description in descriptions.items()
    }
    return {"required": True, "content": content}


def problem(status: int) -> dict[str, Any]:
    """How a kind of error is documented."""
    example: dict[str, Any] = {
        "type": problem_type(TITLES[status]),
        "title": TITLES[status],
        "status": status,
        "detail": _DETAILS[status],
        "request_id": "req_01k2m3n4p5q6r7s8t9v0w1x2y3",
    }
    if status == 422:
        example["errors"] = [{"pointer": "/support/targets/3", "detail": _DETAILS[status]}]
    content = {PROBLEM_MEDIA_TYPE: {"schema": {"$ref": _ref(ProblemResponse)}, "example": example}}
    documented: dict[str, Any] = {"description": _MEANINGS[status], "content": content}
    if status in (429, 503):
        documented["headers"] = {
            "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}}
        }
    return documented


def in_inference_dialect(responses: Mapping[str, Any]) -> dict[str, Any]:
    """The same answers as the Open Inference Protocol's clients get them."""
    spoken: dict[str, Any] = {}
    for status, documented in responses.items():
        if int(status) < 400:
            spoken[status] = documented
            continue
        (problem_content,) = documented["content"].values()
        example = {"error": problem_content["example"]["detail"]}
        content = {"application/json": {"schema": {"$ref": _ref(InferenceErrorResponse)}, "example": example}}
        spoken.setdefault(str(inference_status(int(status))), {**documented, "content": content})
    return spoken


def _answer(answer: Answer, idempotent: bool) -> dict[str, Any]:
    names = [*answer.headers, *(["Idempotent-Replayed"] if idempotent else [])]
    documented: dict[str, Any] = {"description": answer.description}
    if names:
        documented["headers"] = {
            name: {"description": _HEADERS[name], "schema": {"type": "string"}} for name in names
        }
    if answer.kind is not None:
        # As text until the document is made: FastAPI drops every null on the way.
        content = {"schema": {"$ref": _ref(answer.kind)}, "example": json.dumps(answer.example)}
        documented["content"] = dict.fromkeys(answer.media_types, content)
    elif answer.example is not None:
        content = {"schema": {"type": "string"}, "example": answer.example}
        documented["content"] = dict.fromkeys(answer.media_types, content)
    if answer.streams is not None:
        documented["content"]["text/event-stream"] = {
            "schema": {"type": "string"},
            "example": answer.streams,
        }
    return documented


def _header_parameter(name: str) -> dict[str, Any]:
    meanings = {
        "If-Match": (
            "The ETag that the change is based on; 412 where it is no longer the present one.",
            '"3"',
        ),
        "If-None-Match": (
            "An ETag that is known already (GET: 304), or `*` (PUT: only where it is new).",
            '"3"',
        ),
        "Last-Event-ID": ("The last event that was seen: its id or its sequence.", "17"),
    }
    description, example = meanings[name]
    return {
        "name": name,
        "in": "header",
        "description": description,
        "schema": {"type": "string"},
        "example": example,
    }


def _ref(kind: type[pydantic.BaseModel]) -> str:
    return REFERENCE + "".join(character if character.isalnum() else "_" for character in kind.__name__)
