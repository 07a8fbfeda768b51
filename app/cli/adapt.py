"""`innerloop adapt`: labelled examples in, an adaptation out."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.cli.columns import METADATA, ModelColumns, of_model
from app.cli.examples import Examples, is_csv, parse_values, read_examples
from app.cli.options import Json, Url, connect
from app.cli.output import print_details, print_json
from innerloop import InnerloopError, InvalidInput, NotFound

if TYPE_CHECKING:
    from innerloop import Client


def adapt(
    model: Annotated[str, typer.Argument(help="name, name@alias or name@3.")],
    x: Annotated[
        str | None, typer.Option("--x", help="Inputs: 1,2,3,4 or 0,1;2,3 or JSON, texts too.")
    ] = None,
    y: Annotated[str | None, typer.Option("--y", help="Targets or labels: 2,4,6,8 or cat,dog.")] = None,
    file: Annotated[
        Path | None,
        typer.Option("--file", "-f", help="A csv, json or npz file, or a folder or zip of class folders."),
    ] = None,
    inputs: Annotated[
        str | None,
        typer.Option(help="csv: input columns, comma-separated; the model's, else all others, unless given."),
    ] = None,
    target: Annotated[str | None, typer.Option(help="csv: the target column; `target` unless given.")] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            help="Texts: labels that need no example, by what they are called: refund,lost luggage."
        ),
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option("--option", "-o", help="name=value, such as inner_steps=5.")
    ] = None,
    ttl: Annotated[
        float | None, typer.Option(help="Seconds to keep it; until deleted unless given.", min=0)
    ] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Adapt a model to labelled examples; the service keeps the result.

    innerloop adapt functions --x 1,2,3,4 --y 2,4,6,8

    innerloop adapt letters --file my-classes/

    innerloop adapt intents --classes refund,tracking
    """
    options = parse_options(option)
    if file is not None and (x or y):
        raise InvalidInput("give either --file or --x and --y")
    with connect(url) as client:
        columns = of_model(client, model) if is_csv(file) else ModelColumns()
        named = None if classes is None else parse_values(classes, "--classes")
        if named is not None and file is None and x is None and y is None:
            examples = Examples(None, None)
        else:
            examples = _examples(x, y, file, inputs, target, columns)
        # A base for any table has no names of its own, and a query has to have these columns in this order.
        metadata = {METADATA: examples.columns} if columns.most else None
        try:
            made = client.adapt(
                model,
                examples.inputs,
                examples.targets,
                options=options,
                ttl_seconds=ttl,
                metadata=metadata,
                classes=named,
            )
        except NotFound as error:
            raise InnerloopError(f"{error}; {_way_out(model, client)}") from error
    if as_json:
        print_json(made.response)
        return
    print_details(
        [
            ("adaptation", made.id),
            ("model", str(made.model)),
            ("task", made.task),
            ("classes", made.classes),
            ("examples", made.n_support),
            ("support loss", made.support_loss),
            ("expires", made.expires_at or "when deleted"),
        ]
    )
    for warning in made.response.warnings:
        print(f"\n{warning}")
    if made.response.escalation is not None:
        print(f"\n{made.response.escalation}")
    print(f"\nNow query it: innerloop predict {made.id} {'--x …' if x else '--file …'}")


def _way_out(model: str, client: "Client") -> str:
    """What makes a model that is not there: a fresh service has none."""
    name = model.partition("@")[0]
    if name in {recipe.name for recipe in client.recipes()}:
        return f"train it: innerloop train {name} --alias champion"
    return f"`innerloop models list` shows what is there, `innerloop train RECIPE --model {name}` makes one"


def parse_options(given: list[str] | None) -> dict[str, Any] | None:
    """`name=value` pairs, the values as JSON where they are JSON."""
    if not given:
        return None
    options = {}
    for pair in given:
        name, equals, value = pair.partition("=")
        if not equals or not name:
            raise InvalidInput(f"--option {pair}: write name=value")
        options[name] = json_or_text(value)
    return options


def json_or_text(value: str) -> Any:
    """`5` is a number, `true` a truth value, `[1]` a list, and anything that is no JSON is itself."""
    try:
        return json.loads(value)
    except ValueError:
        return value


def _examples(
    x: str | None,
    y: str | None,
    file: Path | None,
    inputs: str | None,
    target: str | None,
    columns: ModelColumns,
) -> Examples:
    if file is not None:
        return read_examples(file, inputs, target, columns, labelled=True)
    if not x or not y:
        raise InvalidInput("give --x and --y, or --file")
    return Examples(parse_values(x, "--x"), parse_values(y, "--y"))
