"""`innerloop predict`: query examples in, predictions out."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app.cli.examples import Examples, parse_values, read_examples
from app.cli.options import Json, Url, connect
from app.cli.output import print_json, print_table
from innerloop import InvalidInput


def predict(
    adaptation: Annotated[str, typer.Argument(help="adp_…, as `innerloop adapt` prints it.")],
    x: Annotated[str | None, typer.Option("--x", help="Inputs: 5,6 or 0,1;2,3 or JSON.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="A csv, json or npz file, an image, or a folder or zip of images."),
    ] = None,
    inputs: Annotated[
        str | None, typer.Option(help="csv: input columns, comma-separated; all others unless given.")
    ] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Predict with an adaptation.

    innerloop predict adp_… --x 5,6

    innerloop predict adp_… --file unknown.png
    """
    from innerloop import ClassPrediction  # here, so that --help need not wait for it

    queries = _queries(x, file, inputs)
    with connect(url) as client:
        predictions = list(client.predict(adaptation, queries.inputs))
    if as_json:
        print_json(predictions)
        return
    classes = bool(predictions) and isinstance(predictions[0], ClassPrediction)
    columns = ("file" if queries.names else "#", *(("label", "probability") if classes else ("value", "std")))
    rows: list[tuple[Any, ...]] = [
        (name, row.label, row.probability) if isinstance(row, ClassPrediction) else (name, row.value, row.std)
        for name, row in zip(queries.names or range(len(predictions)), predictions, strict=True)
    ]
    print_table(columns, rows, "nothing was asked")


def _queries(x: str | None, file: Path | None, inputs: str | None) -> Examples:
    if (x is None) == (file is None):
        raise InvalidInput("give either --x or --file")
    if file is not None:
        return read_examples(file, inputs, None, labelled=False)
    return Examples(parse_values(x or "", "--x"), None)
