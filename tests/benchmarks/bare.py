"""The least that an endpoint can do: validate the same raw body and answer at once. Run as a module on a port.

    python -P -m tests.benchmarks.bare PORT

FastAPI, pydantic on the body's bytes, uvicorn with uvloop and httptools: no model, no engine, nothing kept. What
ours is measured against where the question is what the framework alone would cost.
"""

import sys
from typing import Any

import pydantic
import uvicorn
from fastapi import FastAPI, Request
from starlette.responses import Response

_ADAPTATION = b'{"object":"adaptation","id":"adp_1","status":"ready","support_loss":0.1,"revision":1}'
_PREDICTIONS = b'{"object":"predictions","adaptation":"adp_1","predictions":[{"value":0.5,"std":null}]}'


class Support(pydantic.BaseModel):
    inputs: list[list[float]]
    targets: list[float]


class AdaptationBody(pydantic.BaseModel):
    model: str
    support: Support
    options: dict[str, int] = {}
    ttl_seconds: float | None = None
    metadata: dict[str, Any] = {}


class PredictionsBody(pydantic.BaseModel):
    inputs: list[list[float]]


def create_app() -> FastAPI:
    app = FastAPI()

    @app.post("/v1/adaptations")
    async def adapt(request: Request) -> Response:
        AdaptationBody.model_validate_json(await request.body())
        return Response(_ADAPTATION, 201, media_type="application/json")

    @app.post("/v1/adaptations/{adaptation}/predictions")
    async def predict(request: Request, adaptation: str) -> Response:
        PredictionsBody.model_validate_json(await request.body())
        return Response(_PREDICTIONS, media_type="application/json")

    return app


def serve(app: FastAPI, port: int) -> None:
    """As ours is served: on uvloop and httptools, without a log of requests."""
    uvicorn.run(
        app, port=port, loop="uvloop", http="httptools", ws="none", access_log=False, log_level="warning"
    )


if __name__ == "__main__":
    serve(create_app(), int(sys.argv[1]))
