"""Server-sent events: bytes in, job events out, and whether the stream is over. No input or output here."""

import json
import re
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pydantic

from .schemas.jobs import TERMINAL, JobEventResponse

# Not str.splitlines: that also splits at U+2028 and others, which may stand inside an event's data.
_LINE_END = re.compile(rb"\r\n|\n|\r")


class ServerSentEvent(NamedTuple):
    """One dispatched event; `id` is the last one that the stream gave."""

    event: str
    data: str
    id: str | None


@dataclass
class Parser:
    """Reads one connection's bytes, cut anywhere, as the HTML standard interprets an event stream."""

    last_id: str | None = None
    _rest: bytes = b""
    _event: str = ""
    _data: list[str] = field(default_factory=list)

    def feed(self, chunk: bytes) -> list[ServerSentEvent]:
        """The events that these bytes complete."""
        self._rest += chunk
        # A trailing \r may be half of a \r\n, so that line is not over yet.
        held = b"\r" if self._rest.endswith(b"\r") else b""
        *lines, rest = _LINE_END.split(self._rest.removesuffix(held))
        self._rest = rest + held
        completed = (self._line(line.decode("utf-8", "replace")) for line in lines)
        return [event for event in completed if event is not None]

    def _line(self, line: str) -> ServerSentEvent | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._event = value
        elif name == "id" and "\0" not in value:
            self.last_id = value or None
        return None  # comments (an empty name), `retry` and unknown fields change nothing here

    def _dispatch(self) -> ServerSentEvent | None:
        event, data = self._event or "message", self._data
        self._event, self._data = "", []
        return ServerSentEvent(event, "\n".join(data), self.last_id) if data else None


@dataclass
class JobStream:
    """One job's events over as many connections as it takes; `last_id` is where the next one goes on."""

    last_id: str | None = None
    finished: bool = False
    _parser: Parser = field(default_factory=Parser)

    def connected(self, status: int) -> None:
        """Start of a connection: half an event from the one before is forgotten. 204 says that nothing follows."""
        self._parser = Parser(self.last_id)
        self.finished = status == 204

    def feed(self, chunk: bytes) -> list[JobEventResponse]:
        """The job events that these bytes complete."""
        events = []
        for event in self._parser.feed(chunk):
            self.last_id = event.id
            read = _job_event(event)
            if read is not None:
                events.append(read)
                self.finished = self.finished or _is_terminal(read)
        return events


def _job_event(event: ServerSentEvent) -> JobEventResponse | None:
    """None for events of a kind that this version does not know, so that newer services may add some."""
    try:
        return JobEventResponse.model_validate(json.loads(event.data))
    except (ValueError, pydantic.ValidationError):
        return None


def _is_terminal(event: JobEventResponse) -> bool:
    return event.type == "status" and _status(event.data) in TERMINAL


def _status(data: dict[str, Any]) -> object:
    job = data.get("job")
    return data.get("status") or (job.get("status") if isinstance(job, dict) else None)
