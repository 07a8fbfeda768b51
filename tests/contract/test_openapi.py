"""The OpenAPI document is complete: every operation explains itself, with examples that its own schema accepts."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from app.auth import OPEN_PATHS
from app.main import WIRE_TYPES

CONTRACT = {
    ("post", "/v1/adaptations"): {"201", "400", "404", "409", "413", "415", "422", "429", "503"},
    ("get", "/v1/adaptations"): {"200", "422"},
    ("get", "/v1/adaptations/{adaptation_id}"): {"200", "304", "404"},
    ("delete", "/v1/adaptations/{adaptation_id}"): {"204", "404", "412"},
    ("post", "/v1/adaptations/{adaptation_id}/predictions"): {
        "200",
        "400",
        "404",
        "413",
        "415",
        "422",
        "429",
        "503",
    },
    ("post", "/v1/predictions"): {"200", "400", "404", "413", "415", "422", "429", "503"},
    ("get", "/v2"): {"200"},
    ("get", "/v2/health/live"): {"200"},
    ("get", "/v2/health/ready"): {"200", "503"},
    ("get", "/v2/models/{adaptation_id}"): {"200", "404"},
    ("get", "/v2/models/{adaptation_id}/ready"): {"200", "404", "503"},
    ("post", "/v2/models/{adaptation_id}/infer"): {"200", "400", "404", "409", "413", "415", "429", "503"},
    ("get", "/v2/models/{adaptation_id}/versions/{revision}"): {"200", "404"},
    ("get", "/v2/models/{adaptation_id}/versions/{revision}/ready"): {"200", "404", "503"},
    ("post", "/v2/models/{adaptation_id}/versions/{revision}/infer"): {
        "200",
        "400",
        "404",
        "409",
        "413",
        "415",
        "429",
        "503",
    },
    ("get", "/v1/models"): {"200"},
    ("get", "/v1/models/{name}"): {"200", "404"},
    ("get", "/v1/models/{name}/versions"): {"200", "404"},
    ("post", "/v1/models/{name}/versions"): {"201", "413", "415", "422"},
    ("get", "/v1/models/{name}/versions/{version}"): {"200", "404"},
    ("delete", "/v1/models/{name}/versions/{version}"): {"204", "404", "409"},
    ("get", "/v1/models/{name}/versions/{version}/artifact"): {"200", "404"},
    ("get", "/v1/models/{name}/aliases/{alias}"): {"200", "404"},
    ("put", "/v1/models/{name}/aliases/{alias}"): {"200", "404", "412", "422"},
    ("delete", "/v1/models/{name}/aliases/{alias}"): {"204", "404", "412"},
    ("post", "/v1/jobs"): {"202", "400", "409", "415", "422", "503"},
    ("get", "/v1/jobs"): {"200", "422"},
    ("get", "/v1/jobs/{job_id}"): {"200", "404"},
    ("post", "/v1/jobs/{job_id}/cancel"): {"200", "404", "409"},
    ("post", "/v1/jobs/{job_id}/pause"): {"200", "404", "409"},
    ("post", "/v1/jobs/{job_id}/resume"): {"200", "404", "409"},
    ("get", "/v1/jobs/{job_id}/events"): {"200", "204", "404", "422"},
    ("get", "/v1/jobs/{job_id}/checkpoints"): {"200", "404"},
    ("get", "/v1/recipes"): {"200"},
    ("post", "/v1/datasets"): {"200", "201", "413", "415", "422"},
    ("get", "/v1/datasets"): {"200", "422"},
    ("get", "/v1/datasets/{dataset_id}"): {"200", "304", "404"},
    ("delete", "/v1/datasets/{dataset_id}"): {"204", "404", "409"},
    ("get", "/v1/limits"): {"200"},
    ("get", "/livez"): {"200"},
    ("get", "/readyz"): {"200", "503"},
    ("get", "/metrics"): {"200"},
}


@pytest.fixture(scope="module")
def document(service: Any) -> dict[str, Any]:
    return dict(httpx.get(f"{service.url}/openapi.json").json())


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def test_every_operation_of_the_contract_is_there_with_its_statuses(document: dict[str, Any]) -> None:
    found = {(method, path): set(operation["responses"]) for method, path, operation in operations(document)}
    assert found.keys() == CONTRACT.keys()
    for place, statuses in CONTRACT.items():
        assert statuses <= found[place], place
        if place[1] not in OPEN_PATHS:
            assert {"401", "503"} <= found[place], place


def test_every_operation_explains_itself(document: dict[str, Any]) -> None:
    names = {tag["name"] for tag in document["tags"]}
    for method, path, operation in operations(document):
        place = f"{method} {path}"
        assert operation["summary"], place
        assert len(operation["description"]) > 20, place
        assert set(operation["tags"]) <= names, place
        for parameter in operation.get("parameters", ()):
            assert parameter.get("description") or parameter["schema"].get("description"), (place, parameter)
        for status, answer in operation["responses"].items():
            assert answer["description"], (place, status)
            for media_type, content in answer.get("content", {}).items():
                assert "example" in content, (place, status, media_type)
                if status >= "400":
                    inference = path.startswith("/v2")
                    assert status != "422" or not inference, place
                    expected = "application/json" if inference else "application/problem+json"
                    assert media_type == expected, (place, status)
        body = operation.get("requestBody")
        if body is not None:
            for media_type, content in body["content"].items():
                explained = content.get("examples") or content["schema"].get("description")
                assert explained, (place, media_type)


def test_operations_have_short_names_of_their_own(document: dict[str, Any]) -> None:
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(set(names)) == len(names)
    assert "create_adaptation" in names
    assert max(map(len, names)) < 32


def test_every_example_is_accepted_by_its_own_type(document: dict[str, Any]) -> None:
    kinds = {name_of(kind): kind for kind in WIRE_TYPES}
    checked = 0
    for _, _, operation in operations(document):
        contents = [answer.get("content", {}) for answer in operation["responses"].values()]
        for content in (one for listed in contents for one in listed.values()):
            if "$ref" in content["schema"]:
                kinds[content["schema"]["$ref"].rsplit("/", 1)[1]].model_validate(content["example"])
                checked += 1
        for content in operation.get("requestBody", {}).get("content", {}).values():
            for example in content.get("examples", {}).values():
                kind = kinds[content["schema"]["$ref"].rsplit("/", 1)[1]]
                kind.model_validate(example["value"], strict=True)
                checked += 1
    assert checked > 35


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    def references(value: Any) -> Iterator[str]:
        if isinstance(value, dict):
            if isinstance(value.get("$ref"), str):
                yield value["$ref"]
            value = list(value.values())
        for inner in value if isinstance(value, list) else ():
            yield from references(inner)

    found = set(references(document))
    schemas = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert found
    assert found <= schemas


def name_of(kind: type) -> str:
    return "".join(character if character.isalnum() else "_" for character in kind.__name__)
