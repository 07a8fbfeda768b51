"""Pages: every row once, newest first, whatever is added meanwhile."""

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from services.errors import Invalid
from services.storage.database import Database
from services.storage.paging import Page, mapped, paginate
from services.storage.tables import ModelRow, ModelVersionRow

START = datetime(2026, 1, 1, tzinfo=UTC)


def _add(database: Database, *moments: tuple[str, int]) -> None:
    with database.write() as session:
        session.add_all(
            ModelRow(name=name, created_at=START + timedelta(microseconds=at), last_version=0)
            for name, at in moments
        )


def _page(database: Database, limit: int, after: str | None) -> Page[str]:
    with database.read() as session:
        page = paginate(session, select(ModelRow), (ModelRow.created_at, ModelRow.name), limit, after)
    return mapped(page, lambda row: row.name)


def test_pages_hold_every_row_once_newest_first(database: Database) -> None:
    # Three rows share one moment: the key decides among them.
    _add(database, ("a", 0), ("b", 1), ("c", 1), ("d", 1), ("e", 2))
    seen: list[str] = []
    cursor = None
    for _ in range(3):
        page = _page(database, 2, cursor)
        seen += page.data
        cursor = page.next
    assert seen == ["e", "d", "c", "b", "a"]
    assert cursor is None


def test_a_last_full_page_has_no_next(database: Database) -> None:
    _add(database, ("a", 0), ("b", 1))
    assert _page(database, 2, None).next is None
    assert _page(database, 1, None).next is not None


def test_new_rows_do_not_shift_the_pages_after(database: Database) -> None:
    _add(database, ("a", 0), ("b", 1), ("c", 2))
    first = _page(database, 2, None)
    _add(database, ("d", 3))
    assert first.data == ["c", "b"]
    assert _page(database, 2, first.next).data == ["a"]


def _cursor(key: str | int, table: str = "models") -> str:
    plain = json.dumps([table, "2026-01-01T00:00:00Z", key])
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


def test_a_cursor_belongs_to_its_list(database: Database) -> None:
    _add(database, ("a", 0), ("b", 1))
    assert _page(database, 1, _cursor("c", ModelRow.__tablename__)).data == ["a"]
    for other in (ModelVersionRow.__tablename__, "", "nope"):
        with pytest.raises(Invalid, match="cursor"):
            _page(database, 1, _cursor("c", other))


def test_a_number_that_no_column_holds_is_no_cursor(database: Database) -> None:
    order = (ModelVersionRow.created_at, ModelVersionRow.version)
    for key in (2**63, -1):
        with database.read() as session, pytest.raises(Invalid, match="cursor"):
            paginate(session, select(ModelVersionRow), order, 2, _cursor(key, "model_versions"))


@pytest.mark.parametrize("limit", [0, -1, 101])
def test_a_limit_has_limits(database: Database, limit: int) -> None:
    with pytest.raises(Invalid, match="limit"):
        _page(database, limit, None)


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "?",
        "é",
        "e30",
        "bnVsbA",
        "WyJub3QgYSBkYXRlIiwgImEiXQ",
        "WyIyMDI2LTAxLTAxVDAwOjAwOjAwWiIsMV0",
        "a" * 5,
        _cursor(10**30),
        _cursor("a\0"),
        _cursor(""),
    ],
)
def test_a_made_up_cursor_is_refused(database: Database, cursor: str) -> None:
    _add(database, ("a", 0))
    with pytest.raises(Invalid, match="cursor"):
        _page(database, 2, cursor)
