"""Log lines: their form, their extra fields, and the request they belong to."""

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from services.telemetry.logging import (
    JsonFormatter,
    PlainFormatter,
    configure_logging,
    request_id_bound,
)
from services.telemetry.settings import LogSettings


@pytest.fixture
def untouched_loggers() -> Iterator[None]:
    names = ("", "dbos", "uvicorn", "uvicorn.error", "uvicorn.access")
    loggers = [logging.getLogger(name) for name in names]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    yield
    for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
        logger.handlers, logger.propagate = handlers, propagate
        logger.setLevel(level)


def record(message: str, **extra: object) -> logging.LogRecord:
    return logging.getLogger("test").makeRecord(
        "services.jobs", logging.WARNING, "file.py", 1, message, (), None, extra=dict(extra)
    )


def test_json_line_holds_the_fields_that_were_added() -> None:
    line = json.loads(JsonFormatter("worker").format(record("taken up", job="job_1")))
    assert line["message"] == "taken up"
    assert line["job"] == "job_1"
    assert line["level"] == "warning"
    assert line["process"] == "worker"
    assert "request_id" not in line


def test_lines_inside_a_request_carry_its_id() -> None:
    with request_id_bound("req_7"):
        line = json.loads(JsonFormatter("api").format(record("served")))
        plain = PlainFormatter("api").format(record("served"))
    assert line["request_id"] == "req_7"
    assert "request_id=req_7" in plain
    assert "request_id" not in json.loads(JsonFormatter("api").format(record("served")))


def test_a_message_with_line_breaks_stays_one_json_line() -> None:
    assert "\n" not in JsonFormatter("api").format(record("two\nlines"))


def test_an_exception_is_logged_with_its_traceback() -> None:
    try:
        raise ValueError("broken")
    except ValueError:
        failed = logging.LogRecord("test", logging.ERROR, "file.py", 1, "failed", (), sys.exc_info())
    assert "ValueError: broken" in json.loads(JsonFormatter("api").format(failed))["exception"]
    assert "ValueError: broken" in PlainFormatter("api").format(failed)


@pytest.mark.usefixtures("untouched_loggers")
def test_configured_logging_keeps_the_job_engine_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(LogSettings(log_format="json"), "worker")
    logging.getLogger("dbos").info("launched")
    logging.getLogger("dbos").warning("no database")
    logging.getLogger("services.jobs").info("taken up")
    captured = capsys.readouterr()
    messages = [json.loads(line)["message"] for line in captured.err.splitlines()]
    assert messages == ["no database", "taken up"]
    assert captured.out == ""
