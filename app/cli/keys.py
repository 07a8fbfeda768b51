"""`innerloop keys`: made, listed and revoked in the database directly; no running service is needed."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from app.cli.processes import DataDir

if TYPE_CHECKING:
    from services.access.service import AccessService

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="API keys. Once there is one, every call but health needs one.",
)


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What or who the key is for.")], data_dir: DataDir = None
) -> None:
    """Make a key and show it, once."""
    if _folder_to_make(data_dir):
        typer.echo(f"There is no service {_place(data_dir)} yet; the key is for one that will be.", err=True)
    with _access(data_dir) as access:
        key, secret = access.create_key(name)
    typer.echo(f"{key.id} ({key.name}), for the service {_place(data_dir)}; it is shown only now:", err=True)
    typer.echo(secret)


@app.command("list")
def list_keys(data_dir: DataDir = None) -> None:
    """List every key, revoked ones too."""
    _need_data(data_dir)
    with _access(data_dir) as access:
        keys = access.keys()
    if not keys:
        typer.echo("no keys")
    for key in keys:
        state = f"revoked {key.revoked_at:%Y-%m-%d}" if key.revoked_at else "valid"
        typer.echo(f"{key.id}  {key.created_at:%Y-%m-%d}  {state:18}  {key.name}")


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="The key's id, as `list` shows it.")],
    data_dir: DataDir = None,
) -> None:
    """End a key; calls with it are refused from now on."""
    _need_data(data_dir)
    with _access(data_dir) as access:
        key = access.revoke(key_id)
    typer.echo(f"{key.id} ({key.name}) is revoked")


def _place(data_dir: DataDir) -> str:
    """Which service these settings name: the one on a folder, or on a database somewhere."""
    from app.cli.configuration import configured
    from services.storage.settings import StorageSettings

    storage = configured(StorageSettings, data_dir=data_dir)
    return "on its database" if storage.database_url else f"in {storage.data_dir.absolute()}"


def _folder_to_make(data_dir: DataDir) -> bool:
    """Whether these settings name a folder that no service has used yet."""
    from app.cli.configuration import configured
    from services.storage.settings import StorageSettings

    storage = configured(StorageSettings, data_dir=data_dir)
    return storage.database_url is None and not Path(storage.tables_url.removeprefix("sqlite:///")).exists()


def _need_data(data_dir: DataDir) -> None:
    if _folder_to_make(data_dir):
        typer.echo(f"innerloop: no Innerloop data {_place(data_dir)}; use --data-dir", err=True)
        raise typer.Exit(1)


@contextmanager
def _access(data_dir: DataDir) -> Iterator["AccessService"]:
    """The keys of the service that these settings name; its tables are made where they are missing."""
    from app.cli.configuration import configured
    from services.access.service import AccessService
    from services.clock import SystemClock
    from services.errors import ServiceError
    from services.storage.database import Database
    from services.storage.migrations import migrate
    from services.storage.settings import StorageSettings

    storage = configured(StorageSettings, data_dir=data_dir)
    migrate(storage)
    database = Database(storage.tables_url)
    try:
        yield AccessService(database, SystemClock())
    except ServiceError as error:
        typer.echo(f"innerloop: {error.detail}", err=True)
        raise typer.Exit(1) from error
    finally:
        database.close()
