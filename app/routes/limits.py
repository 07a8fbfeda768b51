"""Every published bound, so that a client can stay within them instead of running into them."""

from fastapi import APIRouter
from msgspec import to_builtins
from starlette.responses import Response

from app.dependencies import Services, Settings
from app.operations import Answer, operation
from app.responses import examples
from app.responses.answers import answer
from innerloop.schemas.operations import LimitsResponse

router = APIRouter(prefix="/v1/limits", tags=["Operations"])


@router.get(
    "",
    summary="Get the limits",
    **operation({200: Answer("Every bound.", LimitsResponse, examples.LIMITS)}, ()),
)
async def get_limits(services: Services, settings: Settings) -> Response:
    """How large a body, a support set, a query or a file may be; beyond them is 413 or 422.

    And how much may wait for the engine: beyond one key's share is 429, beyond the whole queue 503.
    """
    dataset = to_builtins(services.datasets.limits)
    return answer(
        LimitsResponse(
            body_bytes=settings.body_bytes,
            dataset_bytes=settings.dataset_bytes,
            artifact_bytes=settings.artifact_bytes,
            queue_depth=services.queue.calls,
            queue_seconds=services.queue.seconds,
            queue_share=services.queue.share,
            **to_builtins(services.limits),
            **{f"dataset_{name}": value for name, value in dataset.items() if name != "upload_bytes"},
        )
    )
