"""Predictions over HTTP: from a stored adaptation, or adapt-and-predict in one call."""

from typing import Any

import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from app.dependencies import services_of, settings_of
from app.idempotency import once
from app.operations import Answer, json_body, operation
from app.requests.bodies import off_loop, parse_body, read_body, sha256_of
from app.requests.connection import while_connected
from app.requests.finite import refuse_infinities
from app.requests.parameters import ADAPTATION_ID, adaptation_id_of
from app.requests.supports import support_of
from app.requests.tensors import read_inputs
from app.responses import examples
from app.responses.answers import JSON
from innerloop.schemas.predictions import AdaptPredictRequest, PredictionsRequest, PredictionsResponse
from services.adaptation.records import AnySupportInput, Inputs, PredictionBatch

router = APIRouter(prefix="/v1", tags=["Predictions"])


@router.post(
    "/adaptations/{adaptation_id}/predictions",
    summary="Query an adaptation",
    **operation(
        {200: Answer("One prediction an input, in order.", PredictionsResponse, examples.PREDICTIONS)},
        (404, 429),
        path=(ADAPTATION_ID,),
        body=json_body(PredictionsRequest, "two numbers", binary=True),
        idempotent=True,
    ),
)
async def predict(request: Request) -> Response:
    """Predict for new inputs with the adapted parameters."""
    services, adaptation_id = services_of(request), adaptation_id_of(request)
    body = await read_body(request, settings_of(request).body_bytes)

    async def work(_token: str | None) -> Response:
        draft, attached = await parse_body(request, body, PredictionsRequest)
        refuse_infinities(draft.options, "/options")
        inputs = await off_loop(len(body), lambda: read_inputs(draft.inputs, "/inputs", attached))
        asking = services.adaptations.predict(
            adaptation_id, inputs, request.state.principal, options=draft.options
        )
        return await _answered(await while_connected(request, asking))

    return await once(request, lambda: sha256_of(body), services.idempotency, work)


@router.post(
    "/predictions",
    summary="Adapt and query in one call",
    **operation(
        {200: Answer("One prediction an input, in order.", PredictionsResponse, examples.ADAPT_PREDICTIONS)},
        (404, 429),
        body=json_body(AdaptPredictRequest, "four points of a line", binary=True),
        idempotent=True,
    ),
)
async def adapt_predict(request: Request) -> Response:
    """Adapt `model`, or go on `from` an adaptation, and predict with the result; nothing is stored.

    `support` null asks a regression model for its own answer, before any adaptation.
    `inputs` have as many columns as the support set, where the version's `learner.takes_fewer_columns`.
    """
    services = services_of(request)
    body = await read_body(request, settings_of(request).body_bytes)

    async def work(_token: str | None) -> Response:
        draft, attached = await parse_body(request, body, AdaptPredictRequest)
        refuse_infinities(draft.options, "/options")

        def read() -> tuple[AnySupportInput | None, Inputs]:
            support = None if draft.support is None else support_of(draft.support, attached)
            return support, read_inputs(draft.inputs, "/inputs", attached)

        support, inputs = await off_loop(len(body), read)
        asking = services.adaptations.adapt_predict(
            model=draft.model,
            start_from=draft.start_from,
            support=support,
            inputs=inputs,
            options=draft.options,
            principal=request.state.principal,
        )
        return await _answered(await while_connected(request, asking))

    return await once(request, lambda: sha256_of(body), services.idempotency, work)


async def _answered(batch: PredictionBatch) -> Response:
    numbers = batch.values if batch.probabilities is None else batch.probabilities
    # As text, with its label, a number takes about 32 bytes.
    return await off_loop(0 if numbers is None else 32 * numbers.size, lambda: _answer(batch))


def _answer(batch: PredictionBatch) -> Response:
    """Straight to JSON: a wire type for every query would cost more than the prediction."""
    document: dict[str, Any] = {
        "object": "predictions",
        "adaptation": batch.adaptation,
        "revision": batch.revision,
        "model": {"name": batch.model, "version": batch.version},
        "predictions": _rows(batch),
    }
    if batch.escalation is not None:
        document["escalation"] = batch.escalation
    return Response(msgspec.json.encode(document), media_type=JSON)


def _rows(batch: PredictionBatch) -> list[dict[str, Any]]:
    if batch.actions is not None:
        return _actions(batch)
    return _classes(batch) if batch.probabilities is not None else _values(batch)


def _actions(batch: PredictionBatch) -> list[dict[str, Any]]:
    """Each action, with what it was drawn from."""
    assert batch.actions is not None
    assert batch.log_probs is not None
    drawn_from = {"probabilities": batch.probabilities, "mean": batch.values, "std": batch.stds}
    columns = {"action": batch.actions, "log_prob": batch.log_probs, **drawn_from}
    lists = {name: column.tolist() for name, column in columns.items() if column is not None}
    return [dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True)]


def _classes(batch: PredictionBatch) -> list[dict[str, Any]]:
    assert batch.probabilities is not None
    assert batch.classes is not None
    names = [str(label) for label in batch.classes]
    winners = batch.probabilities.argmax(axis=1).tolist()
    return [
        {
            "label": batch.classes[winner],
            "probability": row[winner],
            "probabilities": dict(zip(names, row, strict=True)),
        }
        for winner, row in zip(winners, batch.probabilities.tolist(), strict=True)
    ]


def _values(batch: PredictionBatch) -> list[dict[str, Any]]:
    """A number for one output column, else a list."""
    assert batch.values is not None
    single = batch.target_width == 1
    values = (batch.values[:, 0] if single else batch.values).tolist()
    if batch.stds is None:
        return [{"value": value, "std": None} for value in values]
    stds = (batch.stds[:, 0] if single else batch.stds).tolist()
    return [{"value": value, "std": std} for value, std in zip(values, stds, strict=True)]
