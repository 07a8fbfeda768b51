"""`innerloop adaptations`: what the service keeps adapted."""

from typing import Annotated

import typer

from app.cli.options import Json, Url, connect
from app.cli.output import print_details, print_json, print_table

app = typer.Typer(no_args_is_help=True, add_completion=False, help="List, show and delete adaptations.")

Adaptation = Annotated[str, typer.Argument(help="adp_…")]


@app.command("list")
def list_adaptations(
    model: Annotated[str | None, typer.Option(help="Only those of this model.")] = None,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List live adaptations, newest first."""
    with connect(url) as client:
        found = list(client.adaptations.list(model))
    if as_json:
        print_json([one.response for one in found])
        return
    rows = [(one.id, one.model, one.task, one.n_support, one.created_at, one.expires_at) for one in found]
    print_table(("id", "model", "task", "examples", "created", "expires"), rows, "no adaptations")


@app.command()
def show(adaptation: Adaptation, url: Url = None, as_json: Json = False) -> None:
    """Show one adaptation."""
    with connect(url) as client:
        found = client.adaptations.get(adaptation).response
    print_json(found) if as_json else print_details(found)


@app.command()
def delete(adaptation: Adaptation, url: Url = None) -> None:
    """Delete an adaptation; it answers no more."""
    with connect(url) as client:
        client.adaptations.delete(adaptation)
    print(f"deleted {adaptation}")
