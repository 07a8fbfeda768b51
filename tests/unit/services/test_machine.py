"""The memory that counts is the container's, where there is one."""

from pathlib import Path

import pytest

from services.machine import memory_bytes


@pytest.mark.parametrize(("written", "least"), [("1048576\n", True), ("max\n", False), (None, False)])
def test_a_containers_limit_counts_where_there_is_one(
    tmp_path: Path, written: str | None, least: bool
) -> None:
    limit = tmp_path / "memory.max"
    if written is not None:
        limit.write_text(written)
    assert (memory_bytes((limit,)) == 1 << 20) == least
    assert memory_bytes((limit,)) > 0
