"""`innerloop train`: meta-train a base model, from a recipe or a configuration file."""

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.adapt import json_or_text
from app.cli.jobs import wait_for
from app.cli.options import Json, Url, connect
from app.cli.output import print_json
from innerloop import InvalidInput

if TYPE_CHECKING:
    from innerloop import Job


def train(
    recipe: Annotated[str | None, typer.Argument(help="A recipe, as `innerloop recipes` lists them.")] = None,
    model: Annotated[
        str | None, typer.Option(help="What to call the model; the recipe's name unless given.")
    ] = None,
    alias: Annotated[str | None, typer.Option(help="Move this alias to the new version.")] = None,
    changes: Annotated[
        list[str] | None, typer.Option("--set", help="A value to change: training.iterations=2000.")
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(
            help="A job as a json or toml file: what POST /v1/jobs takes.", exists=True, dir_okay=False
        ),
    ] = None,
    detach: Annotated[
        bool, typer.Option("--detach", help="Submit and return; the job goes on in the service.")
    ] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Meta-train a base model as a background job of the service, with a live progress bar.

    innerloop train functions --alias champion --set training.iterations=2000
    """
    draft = job_draft(recipe, model, alias, changes or [], config)
    with connect(url) as client:
        job = client.train(**draft)
        if not detach:
            wait_for(job)
    if as_json:
        print_json(job.response)
    elif detach:
        print(f"{job.id} {job.status}; watch it with: innerloop jobs watch {job.id}")
    else:
        print(_summary(job))


def job_draft(
    recipe: str | None, model: str | None, alias: str | None, changes: list[str], config: Path | None
) -> dict[str, Any]:
    """The arguments of `Client.train`: those of the file, with what the command line says in their place.

    Raises InvalidInput where there is neither recipe nor configuration, or a change that cannot be read.
    """
    file = dict(_read(config)) if config else {}
    publish = file.pop("publish", {})
    if file.pop("type", "meta_training") != "meta_training":
        raise InvalidInput(f"{config}: this trains; a version is tested by `innerloop evaluate`")
    known = {"model", "recipe", "overrides", "learner", "tasks", "training"}
    if unknown := sorted(set(file) - known):
        raise InvalidInput(f"{config}: unknown {', '.join(unknown)}; a job has {', '.join(sorted(known))}")
    recipe = recipe or file.get("recipe")
    if recipe is None and "learner" not in file:
        raise InvalidInput(
            "give a recipe (see `innerloop recipes`), or --config with learner, tasks and training"
        )
    named = model or file.get("model") or recipe
    if named is None:
        raise InvalidInput("give the model a name with --model")
    draft = {**file, "model": named, "recipe": recipe, "alias": alias or publish.get("alias")}
    if changes:
        base = draft.get("overrides") or {} if recipe else draft
        for change in changes:
            _set(base, change)
        if recipe:
            draft["overrides"] = base
    return draft


def _read(path: Path) -> dict[str, Any]:
    try:
        if path.suffix.lower() == ".toml":
            return tomllib.loads(path.read_text(encoding="utf-8"))
        document = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InvalidInput(f"{path.name} cannot be read: {error}") from error
    if not isinstance(document, dict):
        raise InvalidInput(f"{path.name} has to be an object")
    return document


def _set(document: dict[str, Any], change: str) -> None:
    path, equals, value = change.partition("=")
    *parents, last = path.split(".")
    if not equals or not last or not parents:
        raise InvalidInput(f"--set {change}: write section.name=value, such as training.iterations=2000")
    for parent in parents:
        document = document.setdefault(parent, {})
        if not isinstance(document, dict):
            raise InvalidInput(f"--set {change}: {parent} holds no names")
    document[last] = json_or_text(value)


def _summary(job: "Job") -> str:
    assert job.result is not None
    reference = f"{job.result.model}@{job.result.version}"
    started, finished = job.response.started_at, job.response.finished_at
    took = f" in {(finished - started).total_seconds():.0f} s" if started and finished else ""
    return f"{reference} is ready{took}; adapt it with: innerloop adapt {reference} {_examples(job)}"


def _examples(job: "Job") -> str:
    """How examples are given: a curve's points are typed in, images and tables are in files."""
    return "--file …" if job.config.get("tasks", {}).get("dataset") else "--x … --y …"
