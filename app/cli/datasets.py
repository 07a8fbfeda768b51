"""`innerloop datasets`: labelled data to meta-train on."""

import csv
from pathlib import Path
from typing import Annotated

import typer

from app.cli.image_files import zipped
from app.cli.options import Json, Url, connect
from app.cli.output import print_details, print_json, print_table
from innerloop import InvalidInput

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Upload, list and delete labelled data.")

_TABLES = (".csv", ".parquet")

DatasetId = Annotated[str, typer.Argument(metavar="DATASET", help="ds_…")]


@app.command()
def upload(
    file: Annotated[
        Path,
        typer.Argument(
            help="A zip or folder of images (a folder a class), or an npz, parquet or csv file.", exists=True
        ),
    ],
    name: Annotated[str | None, typer.Option(help="What to call it; the file's name unless given.")] = None,
    inputs: Annotated[str | None, typer.Option(help="Tables: input columns, comma-separated.")] = None,
    target: Annotated[str | None, typer.Option(help="Tables: the target column.")] = None,
    task: Annotated[str | None, typer.Option(help="Tables: the column that names a row's task.")] = None,
    categorical: Annotated[
        str | None, typer.Option(help="Tables: the inputs whose values are kinds, comma-separated.")
    ] = None,
    order: Annotated[str | None, typer.Option(help="Tables: the column that puts rows into order.")] = None,
    media_type: Annotated[
        str | None, typer.Option("--type", help="The media type, where the suffix does not tell it.")
    ] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Upload a dataset; the same bytes again give the one that is there.

    innerloop datasets upload letters/

    innerloop datasets upload people.csv --target income --task person
    """
    if target is None and file.suffix.lower() in _TABLES:
        raise InvalidInput(f"{file.name} is a table: name the column to predict with --target{_header(file)}")
    content: bytes | Path = file
    if file.is_dir():
        content, name, media_type = zipped(file), name or file.resolve().name, "application/zip"
    with connect(url) as client:
        made = client.datasets.upload(
            content,
            name,
            media_type=media_type,
            inputs=inputs,
            target=target,
            task=task,
            categorical=categorical,
            order=order,
        )
    if as_json:
        print_json(made)
        return
    print_details(made)
    print(f"\nNow train on it: innerloop train RECIPE --model {made.name} --set tasks.dataset={made.id}")


@app.command("list")
def list_datasets(url: Url = None, as_json: Json = False) -> None:
    """List datasets, newest first."""
    with connect(url) as client:
        found = list(client.datasets.list())
    if as_json:
        print_json(found)
        return
    rows = [
        (one.id, one.name, one.kind, one.n_examples, one.n_classes, one.n_tasks, one.created_at)
        for one in found
    ]
    print_table(("id", "name", "kind", "examples", "classes", "tasks", "created"), rows, "no datasets")


@app.command()
def show(dataset: DatasetId, url: Url = None, as_json: Json = False) -> None:
    """Show one dataset."""
    with connect(url) as client:
        found = client.datasets.get(dataset)
    print_json(found) if as_json else print_details(found)


@app.command()
def delete(dataset: DatasetId, url: Url = None) -> None:
    """Delete a dataset that no job needs."""
    with connect(url) as client:
        client.datasets.delete(dataset)
    print(f"deleted {dataset}")


def _header(file: Path) -> str:
    """The columns of a csv file, to choose from; nothing of other files, or where there are none."""
    if file.suffix.lower() != ".csv":
        return ""
    with file.open(newline="", encoding="utf-8-sig", errors="replace") as lines:
        columns = next(csv.reader(lines), [])
    return f"; it has {', '.join(columns)}" if columns else ""
