"""Keys: none needed while there are none; once there is one, every route but health asks for it."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi.routing import APIRoute

from app.routes import ROUTERS
from tests.contract.adaptations import LINE
from tests.contract.conftest import Service, serving, settings, storage_at
from tests.contract.shapes import check_inference_error, check_problem

PATHS = sorted({route.path for router in ROUTERS for route in router.routes if isinstance(route, APIRoute)})
OPEN = {"/livez", "/readyz", "/v2/health/live", "/v2/health/ready"}


@pytest.fixture
def keyed(own_service: Service) -> Iterator[tuple[httpx.Client, str]]:
    """A client without a key of a service that has one, and that key."""
    own_service.publish_models()
    _, secret = own_service.services.access.create_key("ci")
    with httpx.Client(base_url=own_service.url, timeout=30) as client:
        yield client, secret


def bearer(secret: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {secret}"}


def test_every_route_but_health_asks_for_a_key(keyed: tuple[httpx.Client, str]) -> None:
    client, secret = keyed
    assert len(PATHS) > 20
    for path in [*PATHS, "/docs", "/openapi.json", "/v1/nope", "/v2/nope", "/"]:
        answer = client.get(path)
        if path in OPEN:
            assert answer.status_code != 401
        else:
            (check_inference_error if path.startswith("/v2") else check_problem)(answer, 401)
            assert answer.headers["www-authenticate"].startswith("Bearer")
    for authorization in ("", "Bearer", f"Basic {secret}", "Bearer nope", f"Bearer {secret}x"):
        check_problem(client.get("/v1/models", headers={"Authorization": authorization}), 401)
    for authorization in (f"Bearer {secret}", f"bearer {secret}"):
        assert client.get("/v1/models", headers={"Authorization": authorization}).status_code == 200


def test_a_body_is_not_read_without_a_key(keyed: tuple[httpx.Client, str]) -> None:
    client, secret = keyed
    body = {"model": "line", "support": LINE}
    check_problem(client.post("/v1/adaptations", content=b"{"), 401)
    assert client.post("/v1/adaptations", json=body, headers=bearer(secret)).status_code == 201


def test_a_revoked_key_is_refused_at_once_and_the_door_stays_shut(
    keyed: tuple[httpx.Client, str], own_service: Service
) -> None:
    client, secret = keyed
    (key,) = own_service.services.access.keys()
    assert client.get("/v1/models", headers=bearer(secret)).status_code == 200
    own_service.services.access.revoke(key.id)
    check_problem(client.get("/v1/models", headers=bearer(secret)), 401)
    check_problem(client.get("/v1/models"), 401)


def test_idempotency_keys_of_two_callers_do_not_meet(
    keyed: tuple[httpx.Client, str], own_service: Service
) -> None:
    client, first = keyed
    _, second = own_service.services.access.create_key("other")
    body = {"model": "line", "support": LINE}
    made = [
        client.post(
            "/v1/adaptations", json=body, headers={**bearer(secret), "Idempotency-Key": "same"}
        ).json()["id"]
        for secret in (first, second)
    ]
    assert made[0] != made[1]


def test_a_key_from_the_settings_is_accepted_besides_stored_ones(migrated: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(migrated, tmp_path / "data")
    with serving(storage_at(folder), settings(api_key="from-settings")) as service:
        _, stored = service.services.access.create_key("ci")
        with httpx.Client(base_url=service.url) as client:
            check_problem(client.get("/v1/models"), 401)
            for secret in ("from-settings", stored):
                assert client.get("/v1/models", headers=bearer(secret)).status_code == 200


def test_without_keys_nobody_is_asked(http: httpx.Client) -> None:
    assert http.get("/v1/models", headers=bearer("whatever")).status_code == 200


def test_an_empty_key_in_the_settings_locks_nobody_out(migrated: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(migrated, tmp_path / "data")
    with serving(storage_at(folder), settings(api_key="")) as service:
        assert httpx.get(f"{service.url}/v1/models").status_code == 200


FOREIGN = [{"Host": "rebound.example"}, {"Origin": "https://example.com"}, {"Origin": "null"}]


@pytest.mark.parametrize("headers", FOREIGN)
def test_without_keys_no_page_from_elsewhere_is_served(http: httpx.Client, headers: dict[str, str]) -> None:
    check_problem(http.get("/v1/models", headers=headers), 403)
    check_problem(http.post("/v1/jobs/job_1/cancel", headers={**headers, **bearer("whatever")}), 403)
    for path in OPEN:
        assert http.get(path, headers=headers).status_code != 403
    port = http.base_url.port
    for own in ({"Host": f"localhost:{port}"}, {"Origin": f"http://127.0.0.1:{port}"}):
        assert http.get("/v1/models", headers=own).status_code == 200


@pytest.mark.parametrize("headers", FOREIGN)
def test_with_a_key_it_matters_only_who_calls(
    keyed: tuple[httpx.Client, str], headers: dict[str, str]
) -> None:
    client, secret = keyed
    assert client.get("/v1/models", headers={**headers, **bearer(secret)}).status_code == 200
    check_problem(client.get("/v1/models", headers=headers), 401)
