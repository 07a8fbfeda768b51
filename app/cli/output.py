"""What commands print: tables and details for people, JSON for machines."""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Column, Table
from rich.text import Text

_PIPE_WIDTH = 160


def print_json(value: Any) -> None:
    """A response, or a list of them, as one JSON document."""
    json.dump(_plain(value), sys.stdout, indent=2, ensure_ascii=False)
    print()


def print_json_line(value: Any) -> None:
    """A response on one line, at once: for streams."""
    print(json.dumps(_plain(value), ensure_ascii=False), flush=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str) -> None:
    """Rows under their columns, or `empty` where there are none. Cells are shown as they are, never as markup."""
    rows = list(rows)
    # What tells a row apart is there to be copied: it is never cut.
    widest = max((len(text(row[0])) for row in rows), default=0)
    first = Column(header=columns[0], no_wrap=True, min_width=widest)
    table = Table(first, *columns[1:], box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*(Text(text(cell)) for cell in row))
    if table.row_count:
        _console().print(table)
    else:
        print(empty)


def print_blocks(blocks: Iterable[tuple[str, str, Iterable[tuple[str, str]]]], empty: str) -> None:
    """Under each heading what it is and its fields that say something, wrapped; or `empty` where there are none."""
    console, any_yet = _console(), False
    for heading, description, fields in blocks:
        if any_yet:
            console.print()
        any_yet = True
        console.print(Text(heading, style="bold"))
        console.print(Padding(Text(description), (0, 0, 0, 2)))
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        for name, value in fields:
            if value:
                table.add_row(Text(name, style="dim"), Text(value))
        if table.row_count:
            console.print(Padding(table, (0, 0, 0, 2)))
    if not any_yet:
        print(empty)


def print_details(pairs: Iterable[tuple[str, object]]) -> None:
    """One thing, a line a field; the fields of a field by their dotted names."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for name, value in _flat(pairs):
        table.add_row(Text(name, style="bold"), Text(text(value)))
    _console().print(table)


def text(value: object) -> str:
    """A cell: times in UTC to the second, numbers short, pairs as name=value, nothing as a dash."""
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, datetime):
        return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return " ".join(f"{name}={_inner(item)}" for name, item in value.items()) or "-"
    if isinstance(value, list):
        return ", ".join(text(item) for item in value)
    return str(value)


def _flat(pairs: Iterable[tuple[str, object]]) -> Iterator[tuple[str, object]]:
    for name, value in pairs:
        inner = value.model_dump() if hasattr(value, "model_dump") else value
        if isinstance(inner, dict) and inner:
            yield from _flat((f"{name}.{key}", item) for key, item in inner.items())
        else:
            yield name, inner


def _inner(value: object) -> str:
    return f"({text(value)})" if isinstance(value, dict) else text(value)


def _console() -> Console:
    console = Console()
    # Into a pipe there is no width to fit into, and a wrapped id is no id.
    return console if console.is_terminal else Console(width=max(console.width, _PIPE_WIDTH))


def _plain(value: Any) -> Any:
    if hasattr(value, "model_dump"):  # pydantic itself would be imported for every --help
        return value.model_dump(mode="json")
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value
