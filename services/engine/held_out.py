"""What an engine tells of examples that were predicted by what was fitted to the others. Plain values."""

from typing import Literal

import msgspec


class HeldOut(msgspec.Struct, frozen=True):
    """Of examples by what was fitted to the others: mean log-likelihood in nats, and the share that is right."""

    log_likelihood: float
    accuracy: float


class EscalationReply(msgspec.Struct, frozen=True):
    """Whether an encoder was tuned to the support set, and by which cross-validated scores that was decided.

    Where it was not tried there are no scores, and `reason` says why.
    """

    encoder: Literal["frozen", "lora"]
    frozen: HeldOut | None
    lora: HeldOut | None
    reason: str | None = None
