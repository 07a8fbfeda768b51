"""`innerloop predict`: query examples in, predictions out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.columns import ModelColumns, of_adaptation
from app.cli.examples import Examples, is_csv, parse_values, read_examples
from app.cli.options import Json, Url, connect
from app.cli.output import print_json, print_table
from innerloop import InvalidInput

# What is shown of each kind of prediction, by name: importing the kinds themselves would slow --help down.
_FIELDS = {
    "RegressionPrediction": ("value", "std"),
    "ClassPrediction": ("label", "probability"),
    "ActionPrediction": ("action", "log_prob"),
}

_SHOWN = 48  # characters of a text


def predict(
    adaptation: Annotated[str, typer.Argument(help="adp_…, as `innerloop adapt` prints it.")],
    x: Annotated[
        str | None,
        typer.Option("--x", help='Inputs: 5,6 or 0,1;2,3 or JSON, such as ["a text, with commas"].'),
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="A csv, json or npz file, an image, or a folder or zip of images."),
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(help="csv: input columns, comma-separated; the model's, else all others, unless given."),
    ] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Predict with an adaptation.

    innerloop predict adp_… --x 5,6

    innerloop predict adp_… --file unknown.png
    """
    if (x is None) == (file is None):
        raise InvalidInput("give either --x or --file")
    with connect(url) as client:
        columns = of_adaptation(client, adaptation) if is_csv(file) else ModelColumns()
        queries = _queries(x, file, inputs, columns)
        predictions = list(client.predict(adaptation, queries.inputs))
    if as_json:
        print_json(predictions)
        return
    fields = _FIELDS[type(predictions[0]).__name__ if predictions else "RegressionPrediction"]
    header, names = _named(queries, len(predictions))
    rows: list[tuple[Any, ...]] = [
        (name, *(getattr(row, field) for field in fields))
        for name, row in zip(names, predictions, strict=True)
    ]
    print_table((header, *fields), rows, "nothing was asked")


def _named(queries: Examples, count: int) -> tuple[str, Sequence[object]]:
    """What tells rows apart: files, the beginnings of texts (a comma may have made two of one), or numbers."""
    if queries.names:
        return "file", queries.names
    if isinstance(queries.inputs, list) and all(isinstance(given, str) for given in queries.inputs):
        shown = [given if len(given) <= _SHOWN else f"{given[: _SHOWN - 1]}…" for given in queries.inputs]
        return "text", shown
    return "#", range(count)


def _queries(x: str | None, file: Path | None, inputs: str | None, columns: ModelColumns) -> Examples:
    if file is not None:
        return read_examples(file, inputs, None, columns, labelled=False)
    return Examples(parse_values(x or "", "--x"), None)
