"""A prior-fitted transformer behind the api: tables of fewer columns than it has, and what no table may be."""

import httpx
import pytest

from models.spec import (
    NetworkSpec,
    PriorFittedSpec,
    RowTransformerSpec,
    Signature,
    TableTransformerSpec,
    TensorSpec,
)
from tests import small_models
from tests.contract.conftest import Service
from tests.contract.shapes import check_problem

COLUMNS = 4
NETWORKS = (
    TableTransformerSpec(width=8, layers=1, heads=2, rows=8),
    RowTransformerSpec(width=8, layers=1, heads=2, rows=8),
)
INPUTS = TensorSpec(datatype="FP32", shape=(-1, COLUMNS))
NUMBER = TensorSpec(datatype="FP32", shape=(-1, 1))
ROWS = [[0.1, 5000, 1], [0.2, 5100, 1], [0.8, 4900, 1], [0.9, 4800, 1]]


@pytest.fixture(params=NETWORKS, ids=["cells", "rows"])
def http(request: pytest.FixtureRequest, own_service: Service) -> httpx.Client:
    network: NetworkSpec = request.param
    registry = own_service.services.registry
    for name, targets, ways in (("classes", small_models.LABELS, 5), ("numbers", NUMBER, None)):
        signature = Signature(inputs=INPUTS, targets=targets)
        file = small_models.artifact(PriorFittedSpec(), signature, network, max_ways=ways)
        registry.publish(name, file)
    return httpx.Client(base_url=own_service.url, timeout=30)


def adapt(http: httpx.Client, model: str, inputs: object, targets: object) -> httpx.Response:
    support = {"inputs": inputs, "targets": targets}
    return http.post("/v1/adaptations", json={"model": model, "support": support})


def test_tables_are_adapted_to_and_asked_or_refused(http: httpx.Client) -> None:
    with http:
        made = adapt(http, "classes", ROWS, ["a", "a", "b", "b"])
        assert made.status_code == 201, made.text
        found = http.post(
            f"/v1/adaptations/{made.json()['id']}/predictions", json={"inputs": ROWS[:2]}
        ).json()
        for one in found["predictions"]:
            assert sum(one["probabilities"].values()) == pytest.approx(1, abs=1e-5)
            assert set(one["probabilities"]) == {"a", "b"}

        made = adapt(http, "numbers", ROWS * 4, [1.0, 2.0, 3.0, 4.0] * 4)
        assert made.status_code == 201, made.text
        found = http.post(
            f"/v1/adaptations/{made.json()['id']}/predictions", json={"inputs": ROWS[:1]}
        ).json()
        assert found["predictions"][0]["std"] > 0

        check_problem(adapt(http, "classes", ROWS, ["a"] * 4), 422, "/support/targets")
        many = adapt(http, "classes", ROWS * 2, [f"class {place}" for place in range(8)])
        assert "5 at most" in check_problem(many, 422, "/support/targets")["detail"]
        check_problem(adapt(http, "classes", [[1] * 5] * 4, ["a", "a", "b", "b"]), 422, "/support/inputs")
        gap = adapt(http, "numbers", [[1, None, 3], *ROWS[1:]], [1, 2, 3, 4])
        assert gap.status_code == 422, gap.text
