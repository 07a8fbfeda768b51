"""Adaptations over HTTP: make one from a support set, look at it, list, delete."""

from typing import Any

import anyio.to_thread
import msgspec
from fastapi import APIRouter, Request
from starlette.responses import Response

from app.dependencies import After, Limit, Services, services_of, settings_of
from app.idempotency import once
from app.operations import Answer, json_body, operation
from app.requests.bodies import off_loop, parse_body, read_body, sha256_of
from app.requests.conditions import etag_of, expected_revision
from app.requests.connection import while_connected
from app.requests.finite import refuse_infinities
from app.requests.parameters import AdaptationId, ReferenceFilter
from app.requests.supports import support_of
from app.responses import examples
from app.responses.answers import JSON, answer_tagged, listed
from innerloop.schemas.adaptations import AdaptationRequest, AdaptationResponse
from innerloop.schemas.listing import ListResponse
from services.adaptation.records import Adaptation
from services.errors import Invalid

router = APIRouter(prefix="/v1/adaptations", tags=["Adaptations"])


@router.post(
    "",
    summary="Adapt a model to a support set",
    **operation(
        {
            201: Answer(
                "The adaptation; it is stored.", AdaptationResponse, examples.ADAPTATION, ("Location", "ETag")
            )
        },
        (404, 429),
        body=json_body(AdaptationRequest, "four points of a line", "images by class", binary=True),
        idempotent=True,
    ),
)
async def create_adaptation(request: Request) -> Response:
    """Adapt `model` to labelled examples, or go on `from` an adaptation with new ones.

    A 201 means that the adaptation survives the loss of any one process. `options` holds what the version's
    `learner.adjustable` lists; `ttl_seconds` null keeps the adaptation until it is deleted.
    Where the version's `learner.takes_fewer_columns`, a table may have any number of columns up to its signature's;
    the adaptation's `n_columns` says how many its queries have.
    """
    services = services_of(request)
    body = await read_body(request, settings_of(request).body_bytes)

    async def work(token: str | None) -> Response:
        draft, attached = await parse_body(request, body, AdaptationRequest)
        if (draft.model is None) == (draft.start_from is None):
            raise Invalid.at("/model", "give exactly one of `model` and `from`")
        refuse_infinities(draft.options, "/options")
        refuse_infinities(draft.metadata, "/metadata")
        making = services.adaptations.create(
            model=draft.model,
            start_from=draft.start_from,
            support=await off_loop(len(body), lambda: support_of(draft.support, attached)),
            options=draft.options,
            ttl_seconds=draft.ttl_seconds,
            metadata=draft.metadata,
            token=token,
            principal=request.state.principal,
        )
        made = await while_connected(request, making)
        headers = {"Location": f"/v1/adaptations/{made.id}", "ETag": etag_of(made.revision)}
        return Response(msgspec.json.encode(_document(made)), 201, headers, JSON)

    return await once(request, lambda: sha256_of(body), services.idempotency, work)


@router.get(
    "",
    summary="List adaptations",
    **operation(
        {
            200: Answer(
                "A page, newest first.",
                ListResponse[AdaptationResponse],
                examples.one_page(examples.ADAPTATION),
            )
        },
        (404, 422),
    ),
)
async def list_adaptations(
    services: Services, model: ReferenceFilter = None, limit: Limit = 20, after: After = None
) -> Response:
    """Adaptations that have not expired, of one model where named."""
    return listed(await services.adaptations.list(model, limit, after), _wire)


@router.get(
    "/{adaptation_id}",
    summary="Get an adaptation",
    **operation(
        {
            200: Answer("The adaptation.", AdaptationResponse, examples.ADAPTATION, ("ETag",)),
            304: Answer("It is as If-None-Match says."),
        },
        (404,),
        headers=("If-None-Match",),
    ),
)
async def get_adaptation(request: Request, adaptation_id: AdaptationId, services: Services) -> Response:
    """One adaptation; 404 once it has expired."""
    found = await anyio.to_thread.run_sync(services.adaptations.get, adaptation_id)
    return answer_tagged(request, _wire(found), etag_of(found.revision))


@router.delete(
    "/{adaptation_id}",
    summary="Delete an adaptation",
    **operation({204: Answer("It is gone.")}, (404, 412), headers=("If-Match",)),
)
async def delete_adaptation(request: Request, adaptation_id: AdaptationId, services: Services) -> Response:
    """Forget an adaptation and its parameters."""

    def delete() -> None:
        revision = expected_revision(request, lambda: services.adaptations.get(adaptation_id).revision)
        services.adaptations.delete(adaptation_id, if_match=revision)

    await anyio.to_thread.run_sync(delete)
    return Response(status_code=204)


def _wire(made: Adaptation) -> AdaptationResponse:
    return AdaptationResponse.model_validate(_document(made))


def _document(made: Adaptation) -> dict[str, Any]:
    """What the wire type says, as it is answered thousands of times a second."""
    return {
        "object": "adaptation",
        "id": made.id,
        "model": {"name": made.model, "version": made.version},
        "status": "ready",
        "task": made.task,
        "classes": made.classes,
        "n_support": made.n_support,
        "n_columns": made.n_columns,
        "revision": made.revision,
        "support_loss": made.support_loss,
        "options": made.options,
        "created_at": made.created_at,
        "expires_at": made.expires_at,
        "metadata": made.metadata,
        "warnings": made.warnings,
        "escalation": made.escalation,
    }
