"""Options that several commands share, and the client that they lead to."""

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from innerloop import Client

Url = Annotated[
    str | None, typer.Option("--url", help="The service; else INNERLOOP_URL, else http://127.0.0.1:8000.")
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]


def connect(url: str | None) -> "Client":
    """A client; the key comes from INNERLOOP_API_KEY alone, so that it stays out of process lists."""
    from innerloop import Client

    return Client(url)
