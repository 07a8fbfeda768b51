"""The `innerloop` command: its commands by name, each imported only when it is run.

`--help` must be quick, so nothing here imports an HTTP client, numpy, torch or a database.
"""

import importlib
import sys
from typing import Annotated, Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup


class Entry(NamedTuple):
    """Where a command lives; `attribute` is a function, or a Typer app with commands of its own."""

    module: str
    attribute: str
    panel: str
    help: str


_RUN, _USE, _PROCESS = "Run the service", "Use a service", "Single processes, for clusters"

COMMANDS = {
    "serve": Entry("serve", "serve", _RUN, "Start api, engine and worker on this machine."),
    "demo": Entry("demo", "demo", _RUN, "Train a starter model, adapt it to four points, show what changed."),
    "keys": Entry("keys", "app", _RUN, "Create, list and revoke the keys that callers send."),
    "encoders": Entry("encoders", "app", _RUN, "Fetch and list pretrained encoders of texts and images."),
    "train": Entry("train", "train", _USE, "Meta-train a base model as a background job."),
    "evaluate": Entry("evaluate", "evaluate", _USE, "Test a version on tasks that it was not trained on."),
    "jobs": Entry("jobs", "app", _USE, "List, watch, cancel, pause and resume jobs."),
    "models": Entry("models", "app", _USE, "List models and versions, move aliases, download and upload."),
    "adapt": Entry("adapt", "adapt", _USE, "Adapt a model to labelled examples."),
    "predict": Entry("predict", "predict", _USE, "Predict with an adaptation."),
    "adaptations": Entry("adaptations", "app", _USE, "List, show and delete adaptations."),
    "datasets": Entry("datasets", "app", _USE, "Upload, list and delete labelled data."),
    "recipes": Entry("recipes", "recipes", _USE, "Show the built-in training configurations."),
    "api": Entry("processes", "api", _PROCESS, "Start the HTTP process alone."),
    "engine": Entry("processes", "engine", _PROCESS, "Start the process that owns the device alone."),
    "worker": Entry("processes", "worker", _PROCESS, "Start the process that runs jobs alone."),
    "check": Entry("check", "check", _PROCESS, "Ask whether a process of this machine works."),
    "migrate": Entry("processes", "migrate", _PROCESS, "Bring the database up to date."),
}


class LazyCommands(TyperGroup):
    """Lists every command from the table; imports one when it is run."""

    def __init__(self, *, commands: Any = None, **settings: Any) -> None:
        del commands  # typer hands over those registered on the app: there are none
        listed: Any = {
            name: TyperCommand(name, help=entry.help, rich_help_panel=entry.panel, callback=None)
            for name, entry in COMMANDS.items()
        }
        super().__init__(commands=listed, **settings)

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        if command is not None and command.name in COMMANDS:
            command = load(command.name)
        return name, command, rest


def load(name: str) -> Any:
    """The command itself, with the options that its function declares."""
    entry = COMMANDS[name]
    found = getattr(importlib.import_module(f"app.cli.{entry.module}"), entry.attribute)
    if not isinstance(found, typer.Typer):
        single = typer.Typer(add_completion=False)
        single.command(name)(found)
        found = single
    command = typer.main.get_command(found)
    command.name = name
    return command


def application() -> typer.Typer:
    """The whole command line."""
    app = typer.Typer(
        cls=LazyCommands,
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )

    @app.callback()
    def innerloop(version: Annotated[bool, _VERSION] = False) -> None:
        """Few-shot adaptation over HTTP: meta-train a base model, adapt it to a few examples, query it."""
        del version  # it has printed and ended by now

    return app


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(version("innerloop"))
        raise typer.Exit


_VERSION = typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")


_SAID_IN_PYTHON = {"base_url=": "--url", "media_type=": "--type", "pass api_key= or set": "set"}
"""What the SDK's messages call arguments of Python, by what the command line calls the same."""


def main(arguments: list[str] | None = None) -> None:
    """Run a command. What goes wrong on purpose ends in one line on stderr and exit status 1."""
    try:
        application()(args=arguments, prog_name="innerloop")
    except Exception as error:
        # Imported late: most runs, and every --help, have no error to tell apart.
        from innerloop.errors import InnerloopError

        if not isinstance(error, InnerloopError | OSError):
            raise
        message = str(error)
        for argument, option in _SAID_IN_PYTHON.items():
            message = message.replace(argument, option)
        print(f"innerloop: {message}", file=sys.stderr)
        sys.exit(1)
