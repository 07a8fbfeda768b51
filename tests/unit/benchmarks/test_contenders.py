"""The services that ours is measured against do what they are said to do."""

import asyncio
from typing import Any

import httpx
import pydantic
import pytest
import torch
from fastapi import FastAPI

from models.build import build_learner
from models.episode import SupportSet
from models.spec import MamlSpec, MlpSpec
from services.storage.manifest import decode_artifact
from tests.benchmarks import bare, plain
from tests.small_models import LINE, artifact

SUPPORT = {"inputs": [[1.0], [2.0], [-1.0]], "targets": [2.0, 4.0, -2.0]}


def ask(app: FastAPI, path: str, body: Any) -> httpx.Response:
    async def scenario() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://app") as client:
            return await client.post(path, json=body)

    return asyncio.run(scenario())


def test_the_plain_service_adapts_as_our_learner_does() -> None:
    file = artifact(MamlSpec(inner_lr=plain.INNER_LR, inner_steps=5), LINE, MlpSpec(hidden=(8, 6)))
    app = plain.create_app(plain.network_of(file))
    body = {"model": "m", "support": SUPPORT, "options": {"inner_steps": 5}}
    made = ask(app, "/v1/adaptations", body)
    assert made.status_code == 201
    query = {"inputs": [[0.5], [3.0]]}
    answer = ask(app, f"/v1/adaptations/{made.json()['id']}/predictions", query).json()
    theirs = [one["value"] for one in answer["predictions"]]

    manifest, arrays = decode_artifact(file)
    learner = build_learner(manifest.learner, manifest.signature)
    params = {name: torch.from_numpy(array.copy()) for name, array in arrays.items()}
    targets = torch.tensor(SUPPORT["targets"])[:, None]
    support = SupportSet(torch.tensor(SUPPORT["inputs"]), targets, torch.ones(3), torch.zeros(0))
    ours = learner.predict(params, learner.adapt(params, support), torch.tensor(query["inputs"]))["mean"]
    assert theirs == pytest.approx(ours.squeeze(-1).tolist(), abs=1e-6)
    assert ask(app, "/v1/adaptations/other/predictions", query).status_code == 404


def test_the_bare_endpoint_reads_its_body() -> None:
    app = bare.create_app()
    assert ask(app, "/v1/adaptations", {"model": "m", "support": SUPPORT}).status_code == 201
    assert ask(app, "/v1/adaptations/a/predictions", {"inputs": [[1.0]]}).status_code == 200
    for path in ("/v1/adaptations", "/v1/adaptations/a/predictions"):
        with pytest.raises(pydantic.ValidationError):
            ask(app, path, {"inputs": "none"})
