"""Text encoders tuned to single adaptations: a slice of work at a time, and what is kept of them. Knows no queue.

What tunes an encoder lies beside the head in an adaptation's file; a file without is of the encoder as it is.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from models.algorithms.default_head import DefaultHead
from models.algorithms.escalation import Escalating, Escalation
from models.encoders.text import TextEncoder
from models.encoders.tuning import PREFIX, Tuning
from models.spec import AutoSpec, EncoderSpec
from services.engine.held_out import EscalationReply, HeldOut
from services.engine.layout import Layout, layout_of
from services.engine.messages import AdaptCall, AdaptPredictCall, Support
from services.engine.residents import ResidentModel

_TOO_LONG = (
    "The encoder was left as it is, and tuning it was not tried: with texts this many and this long it would take "
    "longer than a caller waits. Fewer or shorter examples are tried."
)


class Own(NamedTuple):
    """An encoder of one adaptation's own; the features of equal `name` are the same, without one are not kept."""

    name: str | None
    encoder: TextEncoder


def begun(model: ResidentModel, call: AdaptCall | AdaptPredictCall) -> Escalating | None:
    """The work of finding out whether the call's encoder is to be tuned; None where that is not asked for."""
    algorithm, support, encoder = model.spec(call.options).algorithm, call.support, model.encoder
    if not isinstance(algorithm, AutoSpec) or not isinstance(support, Support):
        return None
    names = support.n_ways if model.signature.class_names else 0
    if not isinstance(encoder, TextEncoder) or not algorithm.may_escalate(
        support.size - names, support.n_ways
    ):
        return None
    learner = model.learner()
    if not isinstance(learner, DefaultHead):
        return None
    device = next(iter(model.meta_params.values())).device
    texts = support.inputs.texts()
    return Escalating(
        algorithm,
        learner,
        model.meta_params,
        encoder,
        _tuning(model, encoder),
        encoder.tokens_of(texts, 1.0).to(device),
        torch.from_numpy(support.targets.numpy().copy()).to(device),
        support.n_ways,
        torch.tensor([float(bool(text)) for text in texts], device=device),
    )


def own_encoder(model: ResidentModel, factors: Mapping[str, Tensor], name: str | None) -> Own | None:
    """The encoder that an adaptation's `factors` tune; None where there are none."""
    if not factors or not isinstance(model.encoder, TextEncoder):
        return None
    return Own(name, model.encoder.tuned(_tuning(model, model.encoder).weights(factors)))


def told(outcome: Escalation | None) -> EscalationReply | None:
    """What a caller is told of it."""
    if outcome is None:
        return None
    if outcome.frozen is None or outcome.tuned is None:
        return EscalationReply("frozen", None, None, _TOO_LONG)
    return EscalationReply(
        "lora" if outcome.factors else "frozen", HeldOut(*outcome.frozen), HeldOut(*outcome.tuned)
    )


def joined(layout: Layout, row: Tensor, factors: Mapping[str, Tensor]) -> tuple[Layout, Tensor]:
    """The layout and the row of a head with its encoder's factors beside it."""
    params = {**layout.view(row), **factors}
    both = layout_of(tuple((name, tuple(value.shape)) for name, value in params.items()))
    return both, both.flat(params)


def parted(layout: Layout, rows: Tensor) -> tuple[Layout, Tensor, Sequence[dict[str, Tensor]]]:
    """Heads [M, P] and their layout, and the factors of each of M: none where the encoder is as it was."""
    params = layout.view(rows)
    factors = {name: value for name, value in params.items() if name.startswith(PREFIX)}
    if not factors:
        return layout, rows, [{}] * len(rows)
    head = {name: value for name, value in params.items() if name not in factors}
    alone = layout_of(tuple((name, tuple(value.shape[1:])) for name, value in head.items()))
    places = range(len(rows))
    return (
        alone,
        torch.stack([alone.flat({name: value[m] for name, value in head.items()}) for m in places]),
        [{name: value[m] for name, value in factors.items()} for m in places],
    )


def _tuning(model: ResidentModel, encoder: TextEncoder) -> Tuning:
    """In the version's own size: an option does not change it."""
    network, algorithm = model.manifest.learner.network, model.manifest.learner.algorithm
    assert isinstance(network, EncoderSpec)
    assert isinstance(algorithm, AutoSpec)
    sized = EncoderSpec(encoder=network.encoder, tuning="lora", rank=algorithm.rank, layers=algorithm.layers)
    return Tuning(encoder.module, sized, encoder.weights)
