"""Growth is told from the middle of many looks, not from one."""

import os
import subprocess
import sys

import pytest

from tests.benchmarks.process_tree import children_of, command_of, family_of, resident_bytes
from tests.benchmarks.soak import growth, mixture


def test_growth_is_between_the_middles_of_the_first_and_the_last_tenth() -> None:
    looks = [100.0, 100.0, 500.0, *[100.0] * 24, 103.0, 103.0, 900.0]
    assert growth(looks) == pytest.approx(3.0)
    assert growth([100.0] * 30) == 0
    assert growth([100.0, 90.0]) == pytest.approx(-10.0)


def test_the_mixture_asks_all_kinds_of_questions() -> None:
    requests = mixture([f"adp_{place}" for place in range(100)])
    assert len(requests) > 120
    heads = {request.split(b" HTTP")[0] for request in requests}
    assert {b"POST /v1/predictions", b"GET /metrics", b"GET /v1/adaptations/adp_10"} <= heads


def test_this_process_is_found_in_the_kernels_books() -> None:
    own = os.getpid()
    assert own in children_of(os.getppid())
    assert any("python" in word for word in command_of(own))
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as idle:
        assert idle.pid in children_of(own)
        assert family_of(idle.pid) == {"serve": idle.pid}
        idle.communicate(b"\n")
    assert resident_bytes() == pytest.approx(resident_bytes(own), rel=0.2)
    assert resident_bytes() > 1 << 20
    assert command_of(1 << 30) == []
