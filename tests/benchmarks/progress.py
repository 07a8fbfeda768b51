"""What a suite says while it runs: on stderr, so that stdout is the table alone."""

from collections.abc import Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

T = TypeVar("T")


def say(text: str) -> None:
    Console(stderr=True, highlight=False).log(text)


def follow(what: str, groups: Iterable[list[T]], total: int) -> Iterator[list[T]]:
    """The groups, and a bar of how many of `total` have come in them."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), refresh_per_second=1) as progress:
        task = progress.add_task(what, total=total)
        for group in groups:
            yield group
            progress.advance(task, len(group))
