"""The api process and the supervisor stay light: torch is reachable from neither."""

import subprocess
import sys

import pytest


def imported(modules: str, among: tuple[str, ...]) -> str:
    """Which of some packages a fresh interpreter has after importing these modules."""
    code = f"import sys, {modules}; print(*(name for name in {among} if name in sys.modules))"
    ended = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True
    )
    return ended.stdout.strip()


@pytest.mark.parametrize("module", ["app.serving", "app.cli.check", "services.jobs.carrier"])
def test_the_api_is_without_torch(module: str) -> None:
    assert imported(module, ("torch",)) == ""


def test_the_supervisor_needs_no_framework() -> None:
    modules = "app.cli.serve, app.settings, services.storage.settings, services.telemetry.logging"
    assert imported(modules, ("torch", "fastapi", "sqlalchemy", "numpy", "dbos", "uvicorn")) == ""
