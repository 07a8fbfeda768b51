"""What each operation of both clients puts on the wire, and what it makes of the answer."""

import httpx
import pytest

from innerloop import AsyncClient, Client
from tests import answers
from tests.unit.innerloop.calls import BOTH, call

LISTED = {"limit": "100"}

# name: the operation, the answer, then what was sent (method, path, query) and a part of its JSON.
OPERATIONS = {
    "adapt": (
        lambda client: client.adapt("functions", ["a"], ["b"]),
        answers.adaptation(),
        ("POST", "/v1/adaptations", {}),
        {"model": "functions", "support": {"inputs": ["a"], "targets": ["b"]}},
    ),
    "adapt with everything": (
        lambda client: client.adapt(
            "m@3", ["a"], ["b"], options={"inner_steps": 5}, ttl_seconds=60, metadata={"customer": "42"}
        ),
        answers.adaptation(),
        ("POST", "/v1/adaptations", {}),
        {
            "model": "m@3",
            "options": {"inner_steps": 5},
            "ttl_seconds": 60,
            "metadata": {"customer": "42"},
            "support": {"inputs": ["a"], "targets": ["b"]},
        },
    ),
    "adapt with classes": (
        lambda client: client.adapt("m", ["a"], ["b"], classes=("c", "d")),
        answers.adaptation(),
        ("POST", "/v1/adaptations", {}),
        {"model": "m", "support": {"inputs": ["a"], "targets": ["b"], "classes": ["c", "d"]}},
    ),
    "adapt by names alone": (
        lambda client: client.adapt("m", None, None, classes=["c", "d"]),
        answers.adaptation(),
        ("POST", "/v1/adaptations", {}),
        {"model": "m", "support": {"classes": ["c", "d"]}},
    ),
    "adapt_and_predict by names alone": (
        lambda client: client.adapt_and_predict("m", None, None, ["a"], classes=["c", "d"]),
        answers.predictions(adaptation=None, revision=None),
        ("POST", "/v1/predictions", {}),
        {"model": "m", "support": {"classes": ["c", "d"]}, "inputs": ["a"]},
    ),
    "adapt_to_episodes": (
        lambda client: client.adapt_to_episodes(
            "walker", [{"observations": ["a"], "actions": [1], "rewards": [], "terminated": True}]
        ),
        answers.adaptation(),
        ("POST", "/v1/adaptations", {}),
        {
            "model": "walker",
            "support": {
                "episodes": [{"observations": ["a"], "actions": [1], "rewards": [], "terminated": True}]
            },
        },
    ),
    "act": (
        lambda client: client.act("walker@3", ["a"], seed=7),
        answers.predictions(adaptation=None, revision=None),
        ("POST", "/v1/predictions", {}),
        {
            "model": "walker@3",
            "support": {"episodes": []},
            "inputs": ["a"],
            "options": {"mode": "sample", "seed": 7},
        },
    ),
    "predict": (
        lambda client: client.predict("adp_1", ["a"]),
        answers.predictions(),
        ("POST", "/v1/adaptations/adp_1/predictions", {}),
        {"inputs": ["a"]},
    ),
    "adapt_and_predict": (
        lambda client: client.adapt_and_predict("m", ["a"], ["b"], ["c"], options={"inner_steps": 2}),
        answers.predictions(adaptation=None, revision=None),
        ("POST", "/v1/predictions", {}),
        {
            "model": "m",
            "support": {"inputs": ["a"], "targets": ["b"]},
            "inputs": ["c"],
            "options": {"inner_steps": 2},
        },
    ),
    "the base model": (
        lambda client: client.adapt_and_predict("m", None, None, ["c"]),
        answers.predictions(adaptation=None, revision=None),
        ("POST", "/v1/predictions", {}),
        {"model": "m", "support": None, "inputs": ["c"]},
    ),
    "adaptations.get": (
        lambda client: client.adaptations.get("adp_1"),
        answers.adaptation(),
        ("GET", "/v1/adaptations/adp_1", {}),
        None,
    ),
    "adaptations.list": (
        lambda client: client.adaptations.list(model="m"),
        answers.listing(answers.adaptation()),
        ("GET", "/v1/adaptations", {"model": "m", **LISTED}),
        None,
    ),
    "adaptations.delete": (
        lambda client: client.adaptations.delete("adp_1"),
        httpx.Response(204),
        ("DELETE", "/v1/adaptations/adp_1", {}),
        None,
    ),
    "train a recipe": (
        lambda client: client.train(
            "m", recipe="functions", overrides={"training": {"seed": 7}}, alias="champion"
        ),
        answers.job(),
        ("POST", "/v1/jobs", {}),
        {
            "model": "m",
            "recipe": "functions",
            "overrides": {"training": {"seed": 7}},
            "publish": {"alias": "champion"},
        },
    ),
    "train a configuration": (
        lambda client: client.train("m", learner={"a": 1}, tasks={"b": 2}, training={"c": 3}),
        answers.job(),
        ("POST", "/v1/jobs", {}),
        {"model": "m", "learner": {"a": 1}, "tasks": {"b": 2}, "training": {"c": 3}},
    ),
    "jobs.get": (lambda client: client.jobs.get("job_1"), answers.job(), ("GET", "/v1/jobs/job_1", {}), None),
    "jobs.list": (
        lambda client: client.jobs.list(status="running", model="m"),
        answers.listing(answers.job()),
        ("GET", "/v1/jobs", {"status": "running", "model": "m", **LISTED}),
        None,
    ),
    "models.list": (
        lambda client: client.models.list(),
        answers.listing(answers.model()),
        ("GET", "/v1/models", LISTED),
        None,
    ),
    "models.get": (
        lambda client: client.models.get("a/b"),
        answers.model(),
        ("GET", "/v1/models/a%2Fb", {}),
        None,
    ),
    "models.versions": (
        lambda client: client.models.versions("m"),
        answers.listing(answers.version()),
        ("GET", "/v1/models/m/versions", LISTED),
        None,
    ),
    "models.version": (
        lambda client: client.models.version("m", 2),
        answers.version(),
        ("GET", "/v1/models/m/versions/2", {}),
        None,
    ),
    "models.delete": (
        lambda client: client.models.delete("m", 2),
        httpx.Response(204),
        ("DELETE", "/v1/models/m/versions/2", {}),
        None,
    ),
    "models.alias": (
        lambda client: client.models.alias("m", "champion"),
        answers.alias(),
        ("GET", "/v1/models/m/aliases/champion", {}),
        None,
    ),
    "models.set_alias": (
        lambda client: client.models.set_alias("m", "champion", 2),
        answers.alias(),
        ("PUT", "/v1/models/m/aliases/champion", {}),
        {"version": 2},
    ),
    "models.delete_alias": (
        lambda client: client.models.delete_alias("m", "champion"),
        httpx.Response(204),
        ("DELETE", "/v1/models/m/aliases/champion", {}),
        None,
    ),
    "datasets.get": (
        lambda client: client.datasets.get("ds_1"),
        answers.dataset(),
        ("GET", "/v1/datasets/ds_1", {}),
        None,
    ),
    "datasets.list": (
        lambda client: client.datasets.list(),
        answers.listing(answers.dataset()),
        ("GET", "/v1/datasets", LISTED),
        None,
    ),
    "datasets.delete": (
        lambda client: client.datasets.delete("ds_1"),
        httpx.Response(204),
        ("DELETE", "/v1/datasets/ds_1", {}),
        None,
    ),
    "recipes": (
        lambda client: client.recipes(),
        answers.listing(answers.recipe()),
        ("GET", "/v1/recipes", LISTED),
        None,
    ),
}


@BOTH
@pytest.mark.parametrize("name", OPERATIONS)
def test_what_an_operation_sends(name, kind):
    operation, answer, (method, path, query), document = OPERATIONS[name]
    script = answers.Script(answer)
    call(kind, script, operation)
    [request] = script.requests
    assert request.method == method
    assert request.url.raw_path.decode().split("?")[0] == path
    assert dict(request.url.params) == query
    changes = method == "POST" and not path.endswith("/predictions")
    assert ("Idempotency-Key" in request.headers) == changes
    assert script.bodies == [b""] if document is None else script.document() == document


def test_every_operation_exists_in_both_clients():
    def public(kind):
        return {name for name in dir(kind) if not name.startswith("_")}

    assert public(Client) == public(AsyncClient)
    sync, asynchronous = Client("http://service"), AsyncClient("http://service")
    for noun in ("models", "datasets", "jobs", "adaptations"):
        assert public(getattr(sync, noun)) == public(getattr(asynchronous, noun))
