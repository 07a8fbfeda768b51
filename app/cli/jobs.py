"""`innerloop jobs`: background work, looked at and acted upon."""

from typing import TYPE_CHECKING, Annotated, Literal

import typer

from app.cli.options import Json, Url, connect
from app.cli.output import print_details, print_json, print_json_line, print_table, text
from innerloop.schemas.jobs import JobEventResponse, JobStatus

if TYPE_CHECKING:
    from innerloop import Job

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="List, watch, cancel, pause and resume jobs."
)

JobId = Annotated[str, typer.Argument(metavar="JOB", help="job_…")]


@app.command("list")
def list_jobs(
    status: Annotated[JobStatus | None, typer.Option(help="Only those that stand so.")] = None,
    model: Annotated[str | None, typer.Option(help="Only those for this model.")] = None,
    limit: Annotated[int, typer.Option(help="The most to list.", min=1)] = 50,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """List jobs, newest first."""
    with connect(url) as client:
        found = [job for _, job in zip(range(limit), client.jobs.list(status, model), strict=False)]
    if as_json:
        print_json([job.response for job in found])
        return
    rows = [
        (
            job.id,
            job.response.type.removeprefix("meta_"),
            job.model,
            job.status,
            f"{job.progress.fraction:.0%}",
            _result(job),
            job.response.created_at,
        )
        for job in found
    ]
    print_table(("id", "type", "model", "status", "done", "result", "created"), rows, "no jobs")


@app.command()
def show(job: JobId, url: Url = None, as_json: Json = False) -> None:
    """Show one job with its whole configuration."""
    with connect(url) as client:
        found = client.jobs.get(job).response
    print_json(found) if as_json else print_details(found)


@app.command()
def watch(job: JobId, url: Url = None, as_json: Json = False) -> None:
    """Wait for a job with a live progress bar; ends in an error where the job did."""
    with connect(url) as client:
        finished = wait_for(client.jobs.get(job))
    print_json(finished.response) if as_json else print(
        f"{finished.id} {finished.status}: {_result(finished)}"
    )


@app.command()
def cancel(job: JobId, url: Url = None, as_json: Json = False) -> None:
    """End a job for good, wherever it stands."""
    _act(job, "cancel", url, as_json)


@app.command()
def pause(job: JobId, url: Url = None, as_json: Json = False) -> None:
    """Stop a job for now; what it has learned is kept in a checkpoint."""
    _act(job, "pause", url, as_json)


@app.command()
def resume(job: JobId, url: Url = None, as_json: Json = False) -> None:
    """Let a paused job go on from its checkpoint."""
    _act(job, "resume", url, as_json)


@app.command()
def events(
    job: JobId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the job has ended.")] = False,
    url: Url = None,
    as_json: Json = False,
) -> None:
    """Print what happened to a job, oldest first; with --json, one line an event."""
    with connect(url) as client:
        found = client.jobs.get(job)
        for event in found.events() if follow else found.past_events():
            print_json_line(event) if as_json else print(_event_line(event), flush=True)


def wait_for(job: "Job") -> "Job":
    """Wait with a progress bar. Ctrl-C ends the waiting, not the job, and says so."""
    try:
        return job.wait(progress=True)
    except KeyboardInterrupt:
        print(f"\n{job.id} goes on; watch it again with: innerloop jobs watch {job.id}")
        raise typer.Exit(130) from None


def _act(job: str, action: Literal["cancel", "pause", "resume"], url: str | None, as_json: bool) -> None:
    with connect(url) as client:
        found: Job = getattr(client.jobs.get(job), action)()
    print_json(found.response) if as_json else print(f"{found.id} {found.status}")


def _result(job: "Job") -> str:
    if job.error is not None:
        return job.error.message
    return f"{job.result.model}@{job.result.version}" if job.result else "-"


def _event_line(event: JobEventResponse) -> str:
    # A status event carries the whole job; a person wants to read one word of it.
    data = {"status": event.data.get("status")} if event.type == "status" else event.data
    pairs = " ".join(f"{name}={text(value)}" for name, value in data.items())
    return f"{text(event.created_at)} {event.type:<10} {pairs}"
