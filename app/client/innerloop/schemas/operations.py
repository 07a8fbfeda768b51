"""Health and limits: what an operator and a careful client ask first."""

from typing import Any, Literal

import pydantic

from .base import ResponseBody


class CheckResponse(ResponseBody):
    """One thing that has to work; `detail` says why it does not."""

    ok: bool
    detail: str | None = None


class ReadinessResponse(ResponseBody):
    """A 503 carries the same `checks` in a problem, whose own `status` is the number."""

    status: Literal["ready", "unready"]
    checks: dict[str, CheckResponse]

    @pydantic.model_validator(mode="before")
    @classmethod
    def _of_problem(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("status") == 503:
            return {**data, "status": "unready"}
        return data


class LivenessResponse(ResponseBody):
    status: Literal["alive"] = "alive"


class LimitsResponse(ResponseBody):
    """Every bound that the service refuses beyond; bytes and counts.

    `queue_depth` calls may wait for the engine, needing `queue_seconds` of its time by its own estimate; one key
    fills at most the part `queue_share` of that (429 beyond it, 503 beyond the whole).
    """

    model_config = pydantic.ConfigDict(extra="allow", frozen=True)

    object: Literal["limits"] = "limits"
    body_bytes: int
    dataset_bytes: int
    artifact_bytes: int
    support_examples: int
    query_examples: int
    ways: int
    input_width: int
    queue_depth: int
    queue_seconds: float | None = None
    queue_share: float | None = None
