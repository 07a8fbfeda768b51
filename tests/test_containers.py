"""Dockerfile, compose file and code stay in step: what one names, the other has. Builds nothing."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.cli.main import COMMANDS, load
from tests.settings import variables

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
OURS = {name: service for name, service in COMPOSE["services"].items() if "build" in service}

# Each stage's own lines, and those of the stages below it.
STAGES = {
    name: (parent, body)
    for parent, name, body in re.findall(r"^FROM (\S+) AS (\S+)\n(.*?)(?=^FROM |\Z)", DOCKERFILE, re.M | re.S)
}


def lines_of(stage: str) -> str:
    """The instructions of a stage after those of every stage that it builds on."""
    parent, body = STAGES[stage]
    return (lines_of(parent) if parent in STAGES else "") + body


def resolve(command: list[str]) -> None:
    """Fails unless the command line has this command, sub-command and options."""
    program, name, *rest = command
    assert program == "innerloop"
    assert name in COMMANDS
    found = load(name)
    for word in rest:
        if word in getattr(found, "commands", {}):
            found = found.commands[word]
    options = {option for parameter in found.params for option in parameter.opts}
    words = {word for word in rest if word.startswith("--")}
    assert words <= options
    assert not hasattr(found, "commands"), f"{command} names no command"


@pytest.mark.parametrize("service", OURS)
def test_compose_builds_a_stage_and_runs_a_command(service: str) -> None:
    built = OURS[service]
    assert built["build"]["target"] in STAGES
    resolve(built["command"])
    if "healthcheck" in built:
        resolve(built["healthcheck"]["test"][1:])


@pytest.mark.parametrize("stage", ["api", "engine", "worker"])
def test_an_image_is_not_root_has_a_health_check_and_a_command(stage: str) -> None:
    lines = lines_of(stage)
    assert re.findall(r"^USER (\S+)", lines, re.M)[-1:] == ["innerloop"]
    for instruction in ("HEALTHCHECK", "CMD"):
        found = re.findall(rf"^{instruction}.*?(\[.*\])$", lines, re.M)
        resolve(yaml.safe_load(found[-1]))


def test_the_api_image_has_no_torch() -> None:
    sources = re.findall(r"^COPY --from=(\S+)", lines_of("api"), re.M)
    extras = [re.findall(r'"\.\[(.+?)\]"', lines_of(source))[-1] for source in sources]
    assert extras == ["service"]


def test_what_is_copied_exists_and_is_not_ignored() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        source
        for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.M)
        for source in shlex.split(line)[:-1]
    ]
    assert copied
    for source in copied:
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in allowed, source


def test_every_variable_is_one_that_the_service_reads() -> None:
    named = {name for service in OURS.values() for name in service.get("environment", {})}
    named |= set(re.findall(r"\b(INNERLOOP_[A-Z_]+)=", DOCKERFILE))
    assert named >= {"INNERLOOP_DATABASE_URL", "INNERLOOP_ENGINE_ADDRESS", "INNERLOOP_API_KEY"}
    assert named <= set(variables())


def test_ports_agree() -> None:
    (published,) = OURS["api"]["ports"]
    exposed = re.findall(r"^EXPOSE (\d+)", lines_of("api"), re.M)
    assert published.endswith(f":{exposed[-1]}")
    assert OURS["api"]["command"][-1] == exposed[-1]
    engine = OURS["engine"]["environment"]["INNERLOOP_ENGINE_ADDRESS"]
    asked = OURS["api"]["environment"]["INNERLOOP_ENGINE_ADDRESS"]
    port = re.findall(r"^EXPOSE (\d+)", lines_of("engine"), re.M)[-1]
    assert (engine, asked) == (f"tcp://0.0.0.0:{port}", f"tcp://engine:{port}")


def test_what_a_service_depends_on_and_mounts_is_declared() -> None:
    for service in COMPOSE["services"].values():
        assert set(service.get("depends_on", {})) <= set(COMPOSE["services"])
        for mount in service.get("volumes", []):
            assert mount.split(":")[0] in COMPOSE["volumes"]
    for name, wait in OURS["api"]["depends_on"].items():
        if wait["condition"] == "service_healthy":
            assert "healthcheck" in COMPOSE["services"][name]


def test_gpus_are_reserved_in_the_gpu_profile_alone() -> None:
    for name, service in OURS.items():
        reserved = "deploy" in service
        assert reserved == (service.get("profiles") == ["gpu"]), name
    assert {name for name, service in OURS.items() if "deploy" in service} == {"engine-gpu", "worker-gpu"}
