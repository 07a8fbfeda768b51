"""Adapting and predicting."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from .. import wire
from ..call import Call, body_of, fetch, post, remove, segment
from ..episodes import pack_episodes
from ..errors import InvalidInput
from ..predictions import Predictions
from ..schemas.adaptations import AdaptationResponse
from ..schemas.listing import ListResponse
from ..schemas.predictions import PredictionsResponse
from ..tensors import pack_inputs, pack_targets

Mode = Literal["sample", "greedy"]


def create(
    inputs: Any,
    targets: Any,
    *,
    model: str | None = None,
    start_from: str | None = None,
    options: Mapping[str, Any] | None = None,
    ttl_seconds: float | None = None,
    metadata: Mapping[str, Any] | None = None,
    classes: Iterable[str] | None = None,
    binary: bool = True,
) -> Call[AdaptationResponse]:
    """Adapt `model`, or go on from the adaptation `start_from`."""
    support = _support(inputs, targets, binary, classes)
    return _create(support, model, start_from, options, ttl_seconds, metadata)


def create_policy(
    episodes: Iterable[Mapping[str, Any]],
    *,
    model: str | None = None,
    start_from: str | None = None,
    options: Mapping[str, Any] | None = None,
    ttl_seconds: float | None = None,
    metadata: Mapping[str, Any] | None = None,
    binary: bool = True,
) -> Call[AdaptationResponse]:
    """The same for a policy, from episodes of interaction."""
    support = {"episodes": pack_episodes(episodes, binary=binary)}
    return _create(support, model, start_from, options, ttl_seconds, metadata)


def _create(
    support: Mapping[str, Any],
    model: str | None,
    start_from: str | None,
    options: Mapping[str, Any] | None,
    ttl_seconds: float | None,
    metadata: Mapping[str, Any] | None,
) -> Call[AdaptationResponse]:
    document = {
        "model": model,
        "from": start_from,
        "options": options,
        "ttl_seconds": ttl_seconds,
        "metadata": metadata,
        "support": support,
    }
    body = wire.encode(_given(document))
    return post("/v1/adaptations", body_of(AdaptationResponse), content=body.content, headers=body.headers)


def get(adaptation: str) -> Call[AdaptationResponse]:
    return fetch(f"/v1/adaptations/{segment(adaptation)}", body_of(AdaptationResponse))


def page(model: str | None, limit: int, after: str | None) -> Call[ListResponse[AdaptationResponse]]:
    return fetch(
        "/v1/adaptations",
        body_of(ListResponse[AdaptationResponse]),
        {"model": model, "limit": limit, "after": after},
    )


def delete(adaptation: str) -> Call[None]:
    return remove(f"/v1/adaptations/{segment(adaptation)}")


def predict(adaptation: str, inputs: Any, *, binary: bool = True) -> Call[Predictions]:
    return _query(adaptation, {"inputs": pack_inputs(inputs, "inputs", binary=binary)})


def act(
    adaptation: str, observations: Any, mode: Mode, seed: int | None, *, binary: bool = True
) -> Call[Predictions]:
    """Ask an adapted policy what to do."""
    inputs = pack_inputs(observations, "observations", binary=binary)
    return _query(adaptation, {"inputs": inputs, "options": _acting(mode, seed)})


def act_unadapted(
    model: str, observations: Any, mode: Mode, seed: int | None, *, binary: bool = True
) -> Call[Predictions]:
    """Ask a policy what to do before it is adapted."""
    document: dict[str, Any] = {
        "model": model,
        "support": {"episodes": []},
        "inputs": pack_inputs(observations, "observations", binary=binary),
        "options": _acting(mode, seed),
    }
    body = wire.encode(document)
    return post("/v1/predictions", _predictions, content=body.content, headers=body.headers, changes=False)


def _acting(mode: Mode, seed: int | None) -> dict[str, Any]:
    return _given({"mode": mode, "seed": seed})


def _query(adaptation: str, document: Mapping[str, Any]) -> Call[Predictions]:
    body = wire.encode(document)
    return post(
        f"/v1/adaptations/{segment(adaptation)}/predictions",
        _predictions,
        content=body.content,
        headers=body.headers,
        changes=False,
    )


def adapt_and_predict(
    inputs: Any,
    targets: Any,
    queries: Any,
    *,
    model: str | None = None,
    start_from: str | None = None,
    options: Mapping[str, Any] | None = None,
    classes: Iterable[str] | None = None,
    binary: bool = True,
) -> Call[Predictions]:
    """From `model`, or from the adaptation `start_from`; nothing is stored.

    `inputs` and `targets` both None: the base model's own answer, before any adaptation, or with `classes` by what
    these are called.
    """
    if (inputs is None) != (targets is None):
        raise InvalidInput(
            "inputs and targets belong together: give both, or neither for the base model's answer"
        )
    document = {
        "model": model,
        "from": start_from,
        "options": options,
        "inputs": pack_inputs(queries, "queries", binary=binary),
    }
    support = None if inputs is None and classes is None else _support(inputs, targets, binary, classes)
    body = wire.encode({**_given(document), "support": support})
    return post("/v1/predictions", _predictions, content=body.content, headers=body.headers, changes=False)


def _support(inputs: Any, targets: Any, binary: bool, classes: Iterable[str] | None) -> dict[str, Any]:
    named = {} if classes is None else {"classes": _labels(classes)}
    if named and inputs is None and targets is None:
        return named
    return {
        "inputs": pack_inputs(inputs, "inputs", binary=binary),
        "targets": pack_targets(targets, "targets", binary=binary),
        **named,
    }


def _labels(classes: Iterable[str]) -> list[str]:
    if isinstance(classes, str | Mapping) or not isinstance(classes, Iterable):
        raise InvalidInput("classes is no list of labels: give one, such as ['refund', 'lost luggage']")
    labels = list(classes)
    for label in labels:
        if not isinstance(label, str):
            raise InvalidInput(f"classes holds {label!r}: only a string says what a class is called")
    return labels


def _given(document: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in document.items() if value is not None}


_read_predictions = body_of(PredictionsResponse)


def _predictions(response: Any) -> Predictions:
    return Predictions(_read_predictions(response))
