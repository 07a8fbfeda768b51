"""What the engine replied, as the adaptation service tells it. Pure."""

from collections.abc import Mapping
from typing import Any

import msgspec

from services.adaptation.actions import ActionOptions, action_options, with_actions
from services.adaptation.records import Classes, LiveAdaptation, PredictionBatch
from services.adaptation.versions import ServedVersion
from services.engine.messages import AdaptReply, PredictReply

_MUCH_CLIPPED = 0.01  # share of a support's steps


def batch_of(
    reply: PredictReply,
    version: ServedVersion,
    classes: Classes | None,
    acting: ActionOptions | None,
    made: LiveAdaptation | None = None,
) -> PredictionBatch:
    """A reply with what it is about; `made` is the adaptation that was queried, if one is stored."""
    batch = PredictionBatch(
        adaptation=None if made is None else made.id,
        revision=None if made is None else made.revision,
        model=version.model,
        version=version.version,
        task=version.signature.task,
        classes=classes,
        target_width=version.signature.target_width,
        values=None if reply.mean is None else reply.mean.numpy(),
        stds=None if reply.std is None else reply.std.numpy(),
        probabilities=None if reply.probabilities is None else reply.probabilities.numpy(),
        escalation=None if reply.escalation is None else msgspec.to_builtins(reply.escalation),
    )
    return batch if acting is None else with_actions(batch, acting)


def acting_of(
    version: ServedVersion, options: Mapping[str, Any]
) -> tuple[ActionOptions | None, Mapping[str, Any]]:
    """How a policy is to act, None for other models, and the options that are about something else."""
    return action_options(options) if version.signature.actions is not None else (None, options)


def warnings_of(reply: AdaptReply) -> tuple[str, ...]:
    """What whoever adapts has to know of it."""
    if reply.clipped < _MUCH_CLIPPED:
        return ()
    return (
        f"{reply.clipped:.0%} of the steps were much likelier, or much less likely, under the policy that sampled "
        "them than under the one that adapts: their importance ratios were clipped, so the step is only roughly "
        "right. Send episodes that the policy itself sampled, with its own log_probs.",
    )
