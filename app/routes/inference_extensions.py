"""The extensions of the Open Inference Protocol that this service does not have, so that asking says why."""

from fastapi import APIRouter
from starlette.exceptions import HTTPException

router = APIRouter(prefix="/v2", include_in_schema=False)

_ADAPTATIONS = "adaptations are made, listed and deleted at /v1/adaptations"
_MISSING = {
    "/models": f"models cannot be listed here: {_ADAPTATIONS}",
    "/models/stats": "statistics are not kept by model; /metrics has the service's",
    "/models/{name}/stats": "statistics are not kept by model; /metrics has the service's",
    "/models/{name}/versions/{version}/stats": "statistics are not kept by model; /metrics has the service's",
    "/models/{name}/config": "an adaptation has no model configuration; its metadata says what it takes",
    "/models/{name}/versions/{version}/config": "an adaptation has no model configuration",
    "/models/{name}/trace/setting": "tracing is not supported",
    "/trace/setting": "tracing is not supported",
    "/logging": "logging is set up by environment variables",
    "/repository/{rest:path}": f"models cannot be loaded or unloaded here: {_ADAPTATIONS}",
    "/systemsharedmemory/{rest:path}": "shared memory is not supported",
    "/cudasharedmemory/{rest:path}": "shared memory is not supported",
}


def _declare(path: str, detail: str) -> None:
    async def missing() -> None:
        raise HTTPException(501, detail)

    router.add_api_route(path, missing, methods=["GET", "POST"])


for _path, _detail in _MISSING.items():
    _declare(_path, _detail)
