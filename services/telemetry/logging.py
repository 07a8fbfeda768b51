"""One log line an event, on stderr, JSON or plain, with the id of the request being served.

Knows how lines look; not what is logged. Extra fields are given the standard way:
`logger.info("job taken up", extra={"job": job_id})`.
"""

import json
import logging
import sys
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any

from services.telemetry.settings import LogSettings

_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

# What every record has; anything else on it came in through `extra`.
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}

# Libraries that put their own handlers on their own loggers unless they find one there.
_ADOPTED = ("dbos", "uvicorn", "uvicorn.error", "uvicorn.access")


class request_id_bound:  # noqa: N801 - it reads as the others of its kind, and is quicker than a generator
    """Every line logged inside carries `request_id`."""

    def __init__(self, request_id: str) -> None:
        self._given = request_id

    def __enter__(self) -> None:
        self._token = _request_id.set(self._given)

    def __exit__(self, *_: object) -> None:
        _request_id.reset(self._token)


def _extra(record: logging.LogRecord) -> dict[str, Any]:
    fields = {name: value for name, value in vars(record).items() if name not in _STANDARD}
    request_id = _request_id.get()
    return fields if request_id is None else {"request_id": request_id, **fields}


class JsonFormatter(logging.Formatter):
    """One JSON object a line: time, level, process, logger, message, then whatever the caller added."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
            **_extra(record),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class PlainFormatter(logging.Formatter):
    """Text for a person: time, level, process, message, then `name=value` for whatever the caller added."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.fromtimestamp(record.created).strftime("%H:%M:%S.%f")[:-3]
        fields = "".join(f" {name}={value}" for name, value in _extra(record).items())
        line = f"{time} {record.levelname.lower():7} {self._process:6} {record.getMessage()}{fields}"
        if record.exc_info:
            line = f"{line}\n{self.formatException(record.exc_info)}"
        return line


def configure_logging(settings: LogSettings, process: str) -> None:
    """Send every logger's lines to stderr in one form. Called once, by a process's entry point.

    Libraries that chat at INFO (the job engine) are heard from WARNING on.
    """
    formatter = JsonFormatter(process) if settings.log_format == "json" else PlainFormatter(process)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    for name in _ADOPTED:
        library = logging.getLogger(name)
        library.handlers = [handler]
        library.propagate = False
    for name in ("dbos", "alembic", "httpx", "httpcore", "asyncio"):
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
