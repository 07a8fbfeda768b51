"""`innerloop models`: the registry."""

from pathlib import Path
from typing import Annotated

import typer

from app.cli.options import Json, Url, connect
from app.cli.output import print_details, print_json, print_table
from innerloop import InvalidInput

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="List models and versions, move aliases, download and upload.",
)

Name = Annotated[str, typer.Argument(metavar="MODEL", help="The model's name.")]
Version = Annotated[int, typer.Argument(help="The version's number.", min=1)]
AliasName = Annotated[str, typer.Argument(metavar="ALIAS", help="Such as champion.")]


@app.command("list")
def list_models(url: Url = None, as_json: Json = False) -> None:
    """List models, newest first."""
    with connect(url) as client:
        found = list(client.models.list())
    if as_json:
        print_json(found)
        return
    rows = [(one.name, one.latest_version, _aliases(one.aliases), one.created_at) for one in found]
    print_table(("name", "latest", "aliases", "created"), rows, "no models")


@app.command()
def show(
    model: Annotated[str, typer.Argument(help="name, name@alias or name@3.")],
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Show the version that a reference stands for."""
    name, _, reference = model.partition("@")
    with connect(url) as client:
        if reference.isdecimal():
            version = int(reference)
        else:
            found = client.models.get(name)
            version = _resolve(found.aliases, found.latest_version, reference, model)
        shown = client.models.version(name, version)
    print_json(shown) if as_json else print_details(shown)


@app.command()
def versions(model: Name, url: Url = None, as_json: Json = False) -> None:
    """List a model's versions, newest first."""
    with connect(url) as client:
        found = list(client.models.versions(model))
    if as_json:
        print_json(found)
        return
    rows = [
        (
            one.version,
            one.aliases,
            one.task,
            one.learner.algorithm.get("name"),
            one.metrics.get("meta_test"),
            one.artifact.bytes,
            one.created_at,
        )
        for one in found
    ]
    columns = ("version", "aliases", "task", "learner", "meta-test", "bytes", "created")
    print_table(columns, rows, "no versions")


@app.command()
def alias(
    model: Name,
    alias: AliasName,
    version: Annotated[int | None, typer.Argument(help="The version's number.", min=1)] = None,
    delete: Annotated[bool, typer.Option("--delete", help="Remove the alias; the version stays.")] = False,
    url: Url = None,
) -> None:
    """Point an alias at a version, or remove it.

    innerloop models alias functions champion 3
    """
    if delete == (version is not None):
        raise InvalidInput("give either a version or --delete")
    with connect(url) as client:
        if version is None:
            client.models.delete_alias(model, alias)
            print(f"{model}@{alias} is gone")
        else:
            moved = client.models.set_alias(model, alias, version)
            print(f"{moved.model}@{moved.name} is version {moved.version}")


@app.command()
def download(
    model: Name,
    version: Version,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Where to; MODEL-N.safetensors unless given.")
    ] = None,
    url: Url = None,
) -> None:
    """Download a version as one safetensors file."""
    path = output or Path(f"{model}-{version}.safetensors")
    with connect(url) as client:
        size = len(client.models.download(model, version, path))
    print(f"{path} ({size} bytes)")


@app.command()
def upload(
    model: Name,
    file: Annotated[Path, typer.Argument(help="A file that `download` made.", exists=True, dir_okay=False)],
    alias: Annotated[str | None, typer.Option(help="An alias to move to the new version.")] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Register a downloaded file as the next version of a model."""
    with connect(url) as client:
        made = client.models.upload(model, file, alias=alias)
    print_json(made) if as_json else print(f"{made.model}@{made.version}")


@app.command()
def delete(model: Name, version: Version, url: Url = None) -> None:
    """Delete a version that no alias and no live adaptation points at."""
    with connect(url) as client:
        client.models.delete(model, version)
    print(f"deleted {model}@{version}")


def _aliases(aliases: dict[str, int]) -> str:
    return ", ".join(f"{name}={version}" for name, version in aliases.items())


def _resolve(aliases: dict[str, int], latest: int | None, alias: str, model: str) -> int:
    """As the service resolves a reference: the alias, else `champion`, else the newest version."""
    version = aliases.get(alias) if alias else aliases.get("champion", latest)
    if version is None:
        raise InvalidInput(f"{model} stands for no version; aliases: {_aliases(aliases) or 'none'}")
    return version
