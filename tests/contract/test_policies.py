"""Policies over HTTP: episodes in, actions out, to the letter of the contract."""

import math
from typing import Any

import httpx
import numpy as np
import pytest

from innerloop.schemas.adaptations import AdaptationResponse
from innerloop.schemas.predictions import PredictionsResponse
from tests.contract.adaptations import binary, framed
from tests.contract.shapes import check_problem

WIDTHS = {"steering": 2, "choosing": 3}
HERE = {"steering": [[0.1, -0.2], [0.0, 0.3]], "choosing": [[1, 0, 0], [0, 0, 1]]}
policies = pytest.mark.parametrize("model", ["steering", "choosing"])


def act(http: httpx.Client, path: str, body: dict[str, Any]) -> list[dict[str, Any]]:
    answer = http.post(path, json=body)
    assert answer.status_code == 200, answer.text
    PredictionsResponse.model_validate_json(answer.content)
    return list(answer.json()["predictions"])


def act_base(http: httpx.Client, model: str, inputs: Any, **options: Any) -> list[dict[str, Any]]:
    body = {"model": model, "support": {"episodes": []}, "inputs": inputs, "options": options}
    return act(http, "/v1/predictions", body)


def act_adapted(http: httpx.Client, adaptation: str, inputs: Any, **options: Any) -> list[dict[str, Any]]:
    return act(http, f"/v1/adaptations/{adaptation}/predictions", {"inputs": inputs, "options": options})


def episode(http: httpx.Client, model: str, steps: int, seed: int) -> dict[str, Any]:
    """Steps of the base policy on random observations; what is rewarded is the first action."""
    seen = np.random.default_rng(seed).normal(size=(steps, WIDTHS[model])).tolist()
    done = act_base(http, model, seen, mode="sample", seed=seed)
    actions = [step["action"] for step in done]
    first = [action[0] if model == "steering" else float(action == 0) for action in actions]
    log_probs = [step["log_prob"] for step in done]
    return {"observations": seen, "actions": actions, "rewards": first, "log_probs": log_probs}


def adapt(http: httpx.Client, episodes: list[dict[str, Any]], **start: Any) -> dict[str, Any]:
    answer = http.post("/v1/adaptations", json={**start, "support": {"episodes": episodes}})
    assert answer.status_code == 201, answer.text
    AdaptationResponse.model_validate_json(answer.content)
    return dict(answer.json())


def test_a_version_states_its_spaces(http: httpx.Client) -> None:
    steering, choosing = (http.get(f"/v1/models/{name}/versions/1").json() for name in WIDTHS)
    assert steering["task"] == choosing["task"] == "policy"
    assert steering["signature"] == {
        "observations": {"datatype": "FP32", "shape": [-1, 2]},
        "actions": {"space": "box", "shape": [2], "low": -0.1, "high": 0.1},
    }
    assert choosing["signature"]["actions"] == {"space": "discrete", "n": 4}


def test_a_box_action_has_the_log_density_that_it_was_drawn_with(http: httpx.Client) -> None:
    for row in act_base(http, "steering", HERE["steering"], mode="sample", seed=7):
        action, mean, std = (np.array(row[name]) for name in ("action", "mean", "std"))
        density = -0.5 * ((action - mean) / std) ** 2 - np.log(std) - 0.5 * math.log(2 * math.pi)
        assert row["log_prob"] == pytest.approx(density.sum(), abs=1e-9)
        assert set(row) == {"action", "log_prob", "mean", "std"}


def test_a_discrete_action_has_the_log_probability_that_it_was_drawn_with(http: httpx.Client) -> None:
    for row in act_base(http, "choosing", HERE["choosing"], mode="sample", seed=7):
        assert row["log_prob"] == pytest.approx(math.log(row["probabilities"][row["action"]]), abs=1e-9)
        assert sum(row["probabilities"]) == pytest.approx(1.0, abs=1e-5)
        assert set(row) == {"action", "log_prob", "probabilities"}


def test_actions_are_drawn_as_often_as_they_are_likely(http: httpx.Client) -> None:
    rows = [row for seed in range(32) for row in act_base(http, "choosing", [[1, 0, 0]] * 64, seed=seed)]
    counts = np.bincount([row["action"] for row in rows], minlength=4) / len(rows)
    # Four standard errors of 2,048 draws.
    assert np.abs(counts - rows[0]["probabilities"]).max() < 4 * 0.5 / math.sqrt(len(rows))


@policies
def test_a_seed_repeats_a_draw_and_greedy_needs_none(http: httpx.Client, model: str) -> None:
    draws = [act_base(http, model, HERE[model] * 8, mode="sample", seed=seed) for seed in (1, 1, 2)]
    assert draws[0] == draws[1]
    assert draws[0] != draws[2]
    greedy = act_base(http, model, HERE[model], mode="greedy")
    assert greedy == act_base(http, model, HERE[model], mode="greedy", seed=3)
    for row in greedy:
        likeliest = row["mean"] if model == "steering" else int(np.argmax(row["probabilities"]))
        assert row["action"] == likeliest


@policies
def test_adapting_makes_rewarded_actions_likelier_and_goes_on(http: httpx.Client, model: str) -> None:
    episodes = [episode(http, model, steps, seed) for seed, steps in enumerate((30, 7, 30, 20))]
    made = adapt(http, episodes, model=model)
    assert (made["task"], made["classes"], made["n_support"], made["warnings"]) == ("policy", None, 4, [])

    def preference(rows: list[dict[str, Any]]) -> float:
        firsts = [row["mean"][0] if model == "steering" else row["probabilities"][0] for row in rows]
        return float(np.mean(firsts))

    again = adapt(http, episodes, **{"from": made["id"]})
    ways = [
        act_base(http, model, HERE[model], mode="greedy"),
        *(act_adapted(http, one["id"], HERE[model], mode="greedy") for one in (made, again)),
    ]
    before, after, further = map(preference, ways)
    assert before < after < further


def test_adapting_in_the_query_is_adapting_before_it(http: httpx.Client) -> None:
    episodes = [episode(http, "steering", 20, seed) for seed in range(3)]
    made = adapt(http, episodes, model="steering")
    body = {
        "model": "steering",
        "support": {"episodes": episodes},
        "inputs": HERE["steering"],
        "options": {"mode": "sample", "seed": 5},
    }
    at_once = act(http, "/v1/predictions", body)
    later = act_adapted(http, made["id"], HERE["steering"], mode="sample", seed=5)
    for one, other in zip(at_once, later, strict=True):
        assert one["action"] == pytest.approx(other["action"], abs=1e-6)


def test_episodes_may_come_as_binary_tensors(http: httpx.Client) -> None:
    plain = episode(http, "steering", 12, 0)
    arrays = {name: np.array(values, np.float32) for name, values in plain.items()}
    document = {
        "model": "steering",
        "support": {"episodes": [{name: binary(array, "FP32") for name, array in arrays.items()}]},
    }
    answer = http.post("/v1/adaptations", **framed(document, *arrays.values()))
    assert answer.status_code == 201, answer.text
    assert answer.json()["support_loss"] == pytest.approx(
        adapt(http, [plain], model="steering")["support_loss"], rel=1e-4, abs=1e-6
    )


def test_log_probs_of_another_policy_are_clipped_and_said(http: httpx.Client) -> None:
    strange = episode(http, "steering", 12, 0)
    strange["log_probs"] = [value - 30.0 for value in strange["log_probs"]]
    made = adapt(http, [strange], model="steering")
    assert len(made["warnings"]) == 1
    assert "importance ratios were clipped" in made["warnings"][0]
    assert all(
        math.isfinite(value)
        for row in act_adapted(http, made["id"], HERE["steering"])
        for value in (*row["mean"], row["log_prob"])
    )


GOOD = {"observations": [[0, 0], [1, 1]], "actions": [[0, 0], [0.1, 0]], "rewards": [0.0, 1.0]}
CHOICE = {"observations": [[0, 0, 1]], "actions": [1], "rewards": [0.0]}


@pytest.mark.parametrize(
    ("model", "change", "pointer"),
    [
        ("steering", {"observations": [], "actions": [], "rewards": []}, "/0/observations"),
        ("steering", {"actions": [[0, 0]]}, "/0/actions"),
        ("steering", {"actions": [[0], [1]]}, "/0/actions"),
        ("steering", {"actions": ["left", "right"]}, "/0/actions"),
        ("steering", {"rewards": [0.0]}, "/0/rewards"),
        ("steering", {"rewards": ["much", "little"]}, "/0/rewards"),
        ("steering", {"rewards": [0.0, 1e39]}, "/0/rewards/1"),
        ("steering", {"rewards": [[0.0, 1.0], [1.0, 1.0]]}, "/0/rewards"),
        ("steering", {"observations": [[0], [1]]}, "/0/observations"),
        ("steering", {"log_probs": [0.0]}, "/0/log_probs"),
        ("steering", {"terminated": "no"}, "/0/terminated"),
        ("steering", {"reward": [0.0, 1.0]}, "/0/reward"),
        ("choosing", {"actions": [4]}, "/0/actions/0"),
        ("choosing", {"actions": [-1]}, "/0/actions/0"),
        ("choosing", {"actions": [0.5]}, "/0/actions"),
        ("choosing", {"actions": ["up"]}, "/0/actions"),
    ],
)
def test_a_faulty_episode_is_refused_at_its_fault(
    http: httpx.Client, model: str, change: dict[str, Any], pointer: str
) -> None:
    broken = {**(GOOD if model == "steering" else CHOICE), **change}
    answer = http.post("/v1/adaptations", json={"model": model, "support": {"episodes": [broken]}})
    problem = check_problem(answer, 422)
    assert problem["errors"][0]["pointer"] == f"/support/episodes{pointer}"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"model": "steering", "support": {"episodes": []}}, "/support/episodes"),
        ({"model": "line", "support": {"episodes": [GOOD]}}, "/support/episodes"),
        ({"model": "steering", "support": {"inputs": [[0, 0]], "targets": [[0, 0]]}}, "/support/episodes"),
        ({"model": "steering", "support": {"episodes": [GOOD], "inputs": [1]}}, "/support/inputs"),
        ({"model": "steering", "support": {}}, "/support/inputs"),
        ({"model": "steering", "support": {"episodes": [GOOD] * 65}}, "/support/episodes"),
    ],
)
def test_a_support_that_does_not_fit_the_model_is_refused(
    http: httpx.Client, body: dict[str, Any], pointer: str
) -> None:
    problem = check_problem(http.post("/v1/adaptations", json=body), 422)
    assert problem["errors"][0]["pointer"] == pointer


@pytest.mark.parametrize(
    ("model", "options", "pointer"),
    [
        ("steering", {"mode": "best"}, "/options/mode"),
        ("steering", {"seed": -1}, "/options/seed"),
        ("steering", {"seed": 1.5}, "/options/seed"),
        ("steering", {"temperature": 1}, "/options/temperature"),
        ("steering", {"a/b~c": 1}, "/options/a~1b~0c"),
    ],
)
def test_a_way_to_act_that_there_is_not_is_refused(
    http: httpx.Client, model: str, options: dict[str, Any], pointer: str
) -> None:
    made = adapt(http, [GOOD], model=model)
    body = {"inputs": HERE[model], "options": options}
    problem = check_problem(http.post(f"/v1/adaptations/{made['id']}/predictions", json=body), 422)
    assert problem["errors"][0]["pointer"] == pointer


def test_models_that_do_not_act_take_no_such_options(http: httpx.Client) -> None:
    line = {"inputs": [1, 2], "targets": [1, 2]}
    made = http.post("/v1/adaptations", json={"model": "line", "support": line}).json()
    body = {"inputs": [1], "options": {"mode": "greedy"}}
    problem = check_problem(http.post(f"/v1/adaptations/{made['id']}/predictions", json=body), 422)
    assert problem["errors"][0]["pointer"] == "/options/mode"


@pytest.mark.parametrize(("model", "names"), [("steering", ["mean", "std"]), ("choosing", ["probabilities"])])
def test_protocol_clients_get_the_likeliest_action(http: httpx.Client, model: str, names: list[str]) -> None:
    made = adapt(http, [GOOD if model == "steering" else CHOICE], model=model)
    promised = http.get(f"/v2/models/{made['id']}").json()["outputs"]
    assert [output["name"] for output in promised] == ["action", *names]
    tensor = {"name": "inputs", "datatype": "FP32", "shape": [2, WIDTHS[model]], "data": HERE[model]}
    answer = http.post(f"/v2/models/{made['id']}/infer", json={"inputs": [tensor]})
    assert answer.status_code == 200, answer.text
    outputs = {output["name"]: output for output in answer.json()["outputs"]}
    greedy = act_adapted(http, made["id"], HERE[model], mode="greedy")
    actions = np.reshape([row["action"] for row in greedy], -1)
    assert outputs["action"]["data"] == pytest.approx(actions.tolist(), abs=1e-6)
    assert [outputs[one["name"]]["datatype"] for one in promised] == [one["datatype"] for one in promised]
