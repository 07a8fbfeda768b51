"""The OpenAPI document: what the routes declare, put together with the wire types."""

import json
from collections.abc import Iterable
from typing import Any

import pydantic
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from app.auth import OPEN_PATHS
from app.inference_dialect import speaks_inference
from app.operations import REFERENCE, in_inference_dialect, problem


def install_openapi(app: FastAPI, wire_types: Iterable[type[pydantic.BaseModel]]) -> None:
    """Let the app describe itself with these types among its components."""
    kinds = list(wire_types)

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _document(app, kinds)
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]


def _document(app: FastAPI, kinds: list[type[pydantic.BaseModel]]) -> dict[str, Any]:
    document = get_openapi(
        title=app.title,
        version=app.version,
        summary=app.summary,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
        license_info=app.license_info,
    )
    _, definitions = models_json_schema(
        [(kind, "serialization") for kind in kinds], ref_template=REFERENCE + "{model}"
    )
    components = document.setdefault("components", {})
    components["schemas"] = definitions["$defs"]
    components["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "`innerloop keys create --name …` makes one.",
        }
    }
    for path, methods in document["paths"].items():
        for described in methods.values():
            # FastAPI adds its own form of 422 wherever a route has parameters.
            default = described["responses"].get("422", {}).get("content", {}).get("application/json")
            if default is not None:
                del described["responses"]["422"]
            for answer in described["responses"].values():
                for content in answer.get("content", {}).values():
                    if "$ref" in content["schema"] and isinstance(content["example"], str):
                        content["example"] = json.loads(content["example"])
            if path not in OPEN_PATHS:
                described["security"] = [{}, {"key": []}]
                described["responses"]["401"] = problem(401)
                described["responses"]["403"] = problem(403)
                described["responses"].setdefault("503", problem(503))
            if speaks_inference(path):
                described["responses"] = in_inference_dialect(described["responses"])
    return document
