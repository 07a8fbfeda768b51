"""What a suite says while it runs: on stderr, so that stdout is the table alone."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")


def say(text: str) -> None:
    Console(stderr=True, highlight=False).log(text)


def follow(what: str, items: Iterable[T], total: int, advance: int = 1) -> Iterator[T]:
    """The items, and a bar of how many of `total` are done; each is worth `advance`."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=1) as progress:
        task = progress.add_task(what, total=total)
        for item in items:
            yield item
            progress.advance(task, advance)
