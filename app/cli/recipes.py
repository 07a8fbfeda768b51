"""`innerloop recipes`: the built-in training configurations."""

from typing import Annotated

import typer

from app.cli.options import Json, Url, connect
from app.cli.output import print_blocks, print_json
from innerloop import InvalidInput

_UNSEEN = "not measured"


def recipes(
    name: Annotated[str | None, typer.Argument(help="Show this one's whole configuration.")] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List the built-in recipes, or print the whole configuration of one as JSON."""
    with connect(url) as client:
        found = list(client.recipes())
    if name is not None:
        named = [recipe for recipe in found if recipe.name == name]
        if not named:
            raise InvalidInput(f"no recipe {name!r}; there are {', '.join(recipe.name for recipe in found)}")
        print_json(named[0] if as_json else named[0].config)
    elif as_json:
        print_json(found)
    else:
        blocks = [
            (
                recipe.name,
                recipe.description,
                [
                    ("needs", recipe.needs or ""),
                    ("reaches", recipe.reaches or _UNSEEN),
                    ("2 cores", recipe.takes.cpu or _UNSEEN),
                    ("GPU", recipe.takes.gpu or _UNSEEN),
                ],
            )
            for recipe in found
        ]
        print_blocks(blocks, "no recipes")
        print("\nTrain one: innerloop train NAME (with data: --set tasks.dataset=ds_…)")
