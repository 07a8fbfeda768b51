"""The service that people write: a copy of the network and SGD for each request. Run as a module on a port.

    python -P -m tests.benchmarks.plain PORT ARTIFACT

FastAPI with pydantic bodies, handlers in its thread pool, `copy.deepcopy` and `torch.optim.SGD`, adapted networks
in a dictionary: lost with the process, and growing until then. ARTIFACT is the version's file of ours, so that both
adapt the same weights and their answers can be held against each other.
"""

import copy
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pydantic
import torch
from fastapi import FastAPI, HTTPException
from safetensors.torch import load
from torch import nn

from tests.benchmarks.bare import serve

INNER_LR = 0.01


class Support(pydantic.BaseModel):
    inputs: list[list[float]]
    targets: list[float]


class AdaptationBody(pydantic.BaseModel):
    model: str
    support: Support
    options: dict[str, int] = {}


class PredictionsBody(pydantic.BaseModel):
    inputs: list[list[float]]


def network_of(artifact: bytes) -> nn.Sequential:
    """The sinusoid network of an artifact of ours: hidden layers with ReLU, and a linear head."""
    weights = load(artifact)
    layers: list[nn.Module] = []
    names = sorted({name.rpartition(".")[0] for name in weights if name.startswith("backbone.")})
    for name in [*names, "head"]:
        linear = nn.Linear(weights[f"{name}.weight"].shape[1], weights[f"{name}.weight"].shape[0])
        linear.load_state_dict({"weight": weights[f"{name}.weight"], "bias": weights[f"{name}.bias"]})
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def create_app(network: nn.Module) -> FastAPI:
    app = FastAPI()
    adapted: dict[str, nn.Module] = {}

    @app.post("/v1/adaptations", status_code=201)
    def adapt(body: AdaptationBody) -> dict[str, Any]:
        inputs = torch.tensor(body.support.inputs)
        targets = torch.tensor(body.support.targets).unsqueeze(-1)
        mine = copy.deepcopy(network)
        optimizer = torch.optim.SGD(mine.parameters(), lr=INNER_LR)
        for _ in range(body.options.get("inner_steps", 1)):
            optimizer.zero_grad()
            loss = nn.functional.mse_loss(mine(inputs), targets)
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            support_loss = nn.functional.mse_loss(mine(inputs), targets).item()
        name = f"adp_{uuid4().hex}"
        adapted[name] = mine
        return {"object": "adaptation", "id": name, "status": "ready", "support_loss": support_loss}

    @app.post("/v1/adaptations/{adaptation}/predictions")
    def predict(adaptation: str, body: PredictionsBody) -> dict[str, Any]:
        mine = adapted.get(adaptation)
        if mine is None:
            raise HTTPException(404)
        with torch.no_grad():
            values = mine(torch.tensor(body.inputs)).squeeze(-1).tolist()
        answers = [{"value": value, "std": None} for value in values]
        return {"object": "predictions", "adaptation": adaptation, "predictions": answers}

    return app


if __name__ == "__main__":
    # Requests are the parallel work here: more threads inside each would only be in one another's way.
    torch.set_num_threads(1)
    serve(create_app(network_of(Path(sys.argv[2]).read_bytes())), int(sys.argv[1]))
