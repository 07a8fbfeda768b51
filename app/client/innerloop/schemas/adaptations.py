"""Adaptations: a model, a support set, and what came of it."""

from datetime import datetime
from typing import Annotated, Any, Literal

import pydantic

from .base import RequestBody, ResponseBody
from .tensors import TensorValue

Label = str | int


# One pixel each: a file is sent as it is, whatever its size.
_BLACK_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
_WHITE_PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGP4DwABAQEAsTj2FAAAAABJRU5ErkJggg=="


class EpisodeBody(RequestBody):
    """One run in an environment: an observation, an action and a reward for each of its steps.

    `actions` and their `log_probs` (optional) are those that were sampled, before any clipping to the space.
    """

    observations: TensorValue
    actions: TensorValue
    rewards: TensorValue
    terminated: bool = False
    log_probs: TensorValue | None = None


class SupportBody(RequestBody):
    """Labelled examples, `targets[i]` belonging to `inputs[i]`; for a policy `episodes` in their place.

    `classes` are strings, further labels that may have no example: for a version whose signature has `class_names`,
    which reads what they say. With them a support set may have no example at all.
    """

    inputs: TensorValue = None
    targets: TensorValue = None
    classes: TensorValue = None
    episodes: list[EpisodeBody] | None = None


class AdaptationRequest(RequestBody):
    """Exactly one of `model` and `from` (an adaptation to take the next inner steps from)."""

    model_config = pydantic.ConfigDict(
        extra="forbid",
        frozen=True,
        populate_by_name=True,
        json_schema_extra={
            "examples": [
                {
                    "model": "functions@champion",
                    "support": {"inputs": [1, 2, 3, 4], "targets": [2, 4, 6, 8]},
                    "ttl_seconds": 86400,
                    "metadata": {"customer": "42"},
                },
                {
                    "model": "letters",
                    "support": {
                        "inputs": [{"b64": _BLACK_PNG}, {"b64": _WHITE_PNG}],
                        "targets": ["black", "white"],
                    },
                },
            ]
        },
    )

    model: Annotated[str | None, pydantic.Field(description="`name`, `name@alias` or `name@3`.")] = None
    start_from: Annotated[str | None, pydantic.Field(alias="from", description="`adp_…`.")] = None
    support: SupportBody
    options: Annotated[
        dict[str, Any], pydantic.Field(description="What the version's `learner.adjustable` lists.")
    ] = {}
    ttl_seconds: Annotated[
        float | None,
        pydantic.Field(ge=1, le=10 * 365 * 86400, description="Kept until deleted when null or absent."),
    ] = None
    metadata: dict[str, Any] = {}


class VersionReference(ResponseBody):
    name: str
    version: int

    def __str__(self) -> str:
        return f"{self.name}@{self.version}"


class HeldOutScores(ResponseBody):
    """Of examples by what was fitted to the others: mean log-likelihood in nats, and the share that is right."""

    log_likelihood: float
    accuracy: float


class Escalation(ResponseBody):
    """Whether the encoder was tuned to the support set (`lora`), and the cross-validated scores that decided it.

    Where tuning was not tried the scores are null, and `reason` says why.
    """

    encoder: Literal["frozen", "lora"]
    frozen: HeldOutScores | None
    lora: HeldOutScores | None
    reason: str | None = None

    def __str__(self) -> str:
        if self.frozen is None or self.lora is None:
            return self.reason or "not tried"
        chosen = "tuned to the examples" if self.encoder == "lora" else "left as it is"
        scores = ", ".join(
            f"{name} {one.accuracy:.0%} right (log-likelihood {one.log_likelihood:.2f})"
            for name, one in (("tuned", self.lora), ("as it is", self.frozen))
        )
        return f"encoder {chosen}; of what was held out: {scores}"


class AdaptationResponse(ResponseBody):
    """`support_loss` is the mean loss on the support set after adapting: squared error or cross-entropy (nats).

    `n_support` counts examples, or a policy's episodes; `n_columns` the columns of its table, which queries have
    too, where the model takes fewer than its signature's (else null). `warnings` are told once, in the answer to
    the adaptation; `escalation`, where the option `escalate` was set and the support set is one for it, is kept.
    """

    object: Literal["adaptation"] = "adaptation"
    id: str
    model: VersionReference
    status: Literal["ready"] = "ready"
    task: str
    classes: list[Label] | None
    n_support: int
    n_columns: int | None = None
    revision: int
    support_loss: float
    options: dict[str, Any] = {}
    created_at: datetime
    expires_at: datetime | None
    metadata: dict[str, Any]
    warnings: list[str] = []
    escalation: Escalation | None = None
