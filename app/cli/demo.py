"""`innerloop demo`: start the service, train the starter, adapt it to four points, show what changed."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from app.cli.child_server import ChildServer
    from app.cli.four_points import Result
    from innerloop import Client

PICTURE = Path("demo.png")
MISSED = 1
"""The exit status where a prediction is too far off."""
_REFUSED = (
    "The service asks for a key, so the demonstration is left out; with INNERLOOP_API_KEY set it is shown."
)


def demo(
    keep_serving: Annotated[
        bool,
        typer.Option("--keep-serving", help="Go on serving until Ctrl-C, with the data kept in --data-dir."),
    ] = False,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where data is kept: ./data with --keep-serving, else a folder that is removed."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(help="8000 unless given; where it is in use, one of the next is taken.", min=1),
    ] = None,
) -> None:
    """Start a service, meta-train the starter model, adapt it to four points over HTTP, show what changed.

    Ends with 0 where the predictions at 5 and 6 are right, with 1 where one misses.
    """
    from app.cli.child_server import ChildServer, choose_port, ending_on_signals
    from app.cli.configuration import configured
    from app.settings import HttpSettings
    from services.storage.settings import StorageSettings

    wanted = configured(HttpSettings, port=port).port
    kept = configured(StorageSettings, data_dir=data_dir).data_dir
    with ExitStack() as stack:
        stack.enter_context(ending_on_signals())
        folder = kept if keep_serving or data_dir else stack.enter_context(_throw_away())
        server = ChildServer(folder, choose_port(wanted), folder / "serve.log")
        stack.callback(_stop, server)
        if wanted not in (0, server.port):
            _say(f"Port {wanted} is in use; taking {server.port}.")
        _say(f"Starting the service at {server.url} …")
        server.start()
        _say(f"Ready after {server.wait_ready():.1f} s. Its log: {server.log}")
        result = _demonstrate(server, may_be_refused=keep_serving)
        if keep_serving:
            if result is not None:
                _next_steps(server.url, result.adaptation)
            _keep_serving(server, result)
        else:
            _next_steps(f"http://127.0.0.1:{wanted or server.port}", None)
    if result is not None and not result.hit:
        _say("A prediction missed.")
        raise typer.Exit(MISSED)


def _demonstrate(server: "ChildServer", *, may_be_refused: bool) -> "Result | None":
    """What came of it; None where the service asks for a key that is not given, and that may be."""
    from app.cli import four_points
    from innerloop import AuthenticationError, Client, InnerloopError

    with Client(server.url) as client:
        try:
            _have_starter(client)
            result = four_points.adapt(client)
        except AuthenticationError:
            if not may_be_refused:
                raise
            _say(f"\n{_REFUSED}\n")
            return None
        except InnerloopError:
            server.check()  # a dead server is the better explanation
            raise
    _report(result)
    _draw(result)
    return result


def _have_starter(client: "Client") -> None:
    """Train the starter, unless that was done before."""
    from app.cli import four_points
    from innerloop.progress import display

    reference = f"{four_points.MODEL}@{four_points.ALIAS}"
    if four_points.trained(client):
        _say(f"\nThe starter model {reference} is here already; it is used as it is.")
        _say(f"To train it again: innerloop train {four_points.RECIPE} --alias {four_points.ALIAS}\n")
        return
    _say(f"\nMeta-training the starter model {reference} as a background job …")
    with display(sys.stdout) as show:
        job = four_points.train(client, show)
    started, finished = job.response.started_at, job.response.finished_at
    if started and finished:
        _say(f"Trained in {(finished - started).total_seconds():.0f} s.\n")


def _report(result: "Result") -> None:
    from app.cli.output import print_table

    _say(f"Four points of y = 2x adapted {result.model}. Predictions before and after, ± std:")
    rows = [
        (
            f"{point.x:g}",
            f"{point.truth:g}",
            f"{point.before:.2f} ± {point.before_std:.2f}",
            f"{point.after:.2f} ± {point.after_std:.2f}",
            f"{point.error:.3f}",
            "yes" if point.within_two_std else "no",
        )
        for point in result.points
    ]
    print_table(("x", "truth", "before", "after", "error", "truth within 2 std"), rows, "")


def _draw(result: "Result") -> None:
    from app.cli.demo_picture import draw

    try:
        draw(result, PICTURE)
    except ImportError:
        _say("No picture: it needs matplotlib (the extra `plots`).")
    else:
        _say(f"The curves are in {PICTURE.absolute()}")


def _next_steps(url: str, adaptation: str | None) -> None:
    """What to type next; `adaptation` is one that is still there to be asked."""
    from innerloop.address import DEFAULT_URL

    key = ' -H "Authorization: Bearer $INNERLOOP_API_KEY"' if os.environ.get("INNERLOOP_API_KEY") else ""
    headers = f"-H 'Content-Type: application/json'{key}"
    if adaptation is None:
        _say(
            "\nThe service stops now. `make run` shows the same and keeps one up; with it, try more yourself."
        )
    else:
        _say("\nTry it yourself, in another terminal.")
        if url != DEFAULT_URL:
            _say(f"The port is not the usual one, so tell the client:\n\n  export INNERLOOP_URL={url}")
        _say(
            f"""
With curl, the adaptation from above:

  curl {url}/v1/adaptations/{adaptation}/predictions {headers} \\
    -d '{{"inputs": [5, 6, 7]}}'"""
        )
    _say(
        f"""
With curl, other points, adapted to and queried in one call:

  curl {url}/v1/predictions {headers} \\
    -d '{{"model": "functions", "support": {{"inputs": [1, 2, 3, 4], "targets": [1, 4, 9, 16]}}, "inputs": [5, 6]}}'

With Python ({_interpreter()}):

  from innerloop import Client
  client = Client("{url}")
  adaptation = client.adapt("functions", [1, 2, 3, 4], [1, 4, 9, 16])
  print(adaptation.predict([5, 6]).values)
"""
    )


def _interpreter() -> Path:
    """The Python that has `innerloop`; as short as can be."""
    python = Path(sys.executable)
    return python.relative_to(Path.cwd()) if python.is_relative_to(Path.cwd()) else python


def _keep_serving(server: "ChildServer", result: "Result | None") -> None:
    note = "" if result is None or result.hit else " (although a prediction missed)"
    try:
        _say(f"Serving at {server.url}{note}, documentation at {server.url}/docs. Ctrl-C ends it.")
        server.wait()
    except KeyboardInterrupt:
        return


def _stop(server: "ChildServer") -> None:
    _say("Stopping the service …")
    server.stop()


@contextmanager
def _throw_away() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="innerloop-demo-") as folder:
        yield Path(folder)


def _say(line: str) -> None:
    print(line, flush=True)
