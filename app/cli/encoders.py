"""`innerloop encoders`: pretrained encoders in the service's folder, fetched from the hub and looked at.

Only this command reaches the hub; the service itself loads what is in the folder, and callers name nothing else.
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from app.cli.configuration import configured
from app.cli.output import print_details, print_table
from app.cli.processes import DataDir
from innerloop import InvalidInput
from models.encoders.folder import EncoderError, EncoderFiles, is_encoder_name, read_folder
from models.encoders.shelf import EncoderShelf
from services.storage.settings import StorageSettings

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    help="Pretrained encoders of texts and images that models can be trained on.",
)

# What loading reads; never a pickle, never Python.
_FILES = ["*.safetensors", "*.json", "*.txt", "*.model"]


@app.command("list")
def list_encoders(data_dir: DataDir = None) -> None:
    """List the encoders that there are, and what is wrong with those that are not taken."""
    folder = _folder(data_dir)
    shelf = EncoderShelf(folder)
    rows: list[tuple[object, ...]] = []
    for name in shelf.names():
        try:
            files = shelf.files(name)
        except EncoderError as error:
            rows.append((name, "", "", str(error)))
        else:
            rows.append((name, files.modality, files.width, ""))
    print_table(("name", "of", "features", "not taken"), rows, f"no encoders in {folder}")


@app.command()
def pull(
    name: Annotated[str, typer.Argument(help="owner/name on the hub, or a folder on this machine.")],
    revision: Annotated[str | None, typer.Option(help="Of the hub's; its newest unless given.")] = None,
    rename: Annotated[str | None, typer.Option("--as", help="What it is called here.")] = None,
    data_dir: DataDir = None,
) -> None:
    """Copy an encoder into the service's folder: from a folder of this machine, else from the hub.

    innerloop encoders pull sentence-transformers/all-MiniLM-L6-v2
    """
    called = rename or (Path(name).name if Path(name).is_dir() else name)
    if not is_encoder_name(called):
        raise InvalidInput("an encoder is called `name` or `owner/name`: letters, digits, '.', '_' and '-'")
    target = _folder(data_dir) / called
    if target.exists():
        raise InvalidInput(f"{target} is there already; versions may rest on it, so it is not replaced")
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=target.parent, prefix=".pull-") as scratch:
        fetched = Path(scratch) / "encoder"
        _fetch(name, revision, fetched)
        try:
            files = read_folder(fetched)
        except EncoderError as error:
            raise InvalidInput(f"{name} is not taken: {error}") from error
        shutil.rmtree(fetched / ".cache", ignore_errors=True)
        fetched.rename(target)
    _describe(called, target, files)


def _fetch(name: str, revision: str | None, target: Path) -> None:
    if Path(name).is_dir():
        shutil.copytree(name, target)
        return
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError

    try:
        snapshot_download(name, revision=revision, local_dir=target, allow_patterns=_FILES)
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise InvalidInput(
            f"{name} could not be fetched from the hub: {' '.join(str(error).split())} Without a way to it, fetch "
            "the encoder elsewhere and pull its folder: innerloop encoders pull FOLDER --as NAME"
        ) from error


def _describe(name: str, target: Path, files: EncoderFiles) -> None:
    length = [("tokens", files.tokens)] if files.modality == "text" else [("side", files.side)]
    print_details(
        [
            ("encoder", name),
            ("of", files.modality),
            ("features", files.width),
            *length,
            ("folder", str(target)),
        ]
    )


def _folder(data_dir: Path | None) -> Path:
    return configured(StorageSettings, data_dir=data_dir).encoders_path
