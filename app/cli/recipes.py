"""`innerloop recipes`: the built-in training configurations."""

from typing import Annotated

import typer

from app.cli.options import Json, Url, connect
from app.cli.output import print_json, print_table
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
        rows = [
            (
                recipe.name,
                recipe.description,
                recipe.needs,
                recipe.reaches or _UNSEEN,
                recipe.takes.cpu or _UNSEEN,
                recipe.takes.gpu or _UNSEEN,
            )
            for recipe in found
        ]
        print_table(("name", "description", "needs", "reaches", "2 cores", "GPU"), rows, "no recipes")
