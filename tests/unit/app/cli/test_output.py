"""What people read: nothing that has to be copied is cut off, however narrow the terminal."""

import pytest
from rich.console import Console

from app.cli import output


@pytest.fixture
def narrow(monkeypatch, capsys):
    monkeypatch.setattr(output, "_console", lambda: Console(width=60))
    return capsys


def test_the_first_column_is_never_cut(narrow):
    name = "omniglot-within-alphabet-parts"
    output.print_table(("name", "a", "b", "c"), [(name, "words " * 20, "words " * 20, "words " * 20)], "")
    assert name in narrow.readouterr().out


def test_blocks_have_a_heading_and_a_line_a_field_wrapped_to_the_width(narrow):
    blocks = [("one", "what it is " * 9, [("needs", "texts"), ("takes", "")]), ("two", "", [])]
    output.print_blocks(blocks, "none")
    lines = narrow.readouterr().out.splitlines()
    assert lines[0] == "one"
    assert "two" in lines
    assert "  needs  texts" in [line.rstrip() for line in lines]
    assert not any("takes" in line for line in lines)
    assert max(map(len, lines)) <= 60
    output.print_blocks([], "none")
    assert narrow.readouterr().out == "none\n"
