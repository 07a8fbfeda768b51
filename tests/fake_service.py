"""A service of prepared answers behind a real port, for tests of what talks HTTP by itself."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple
from urllib.parse import urlsplit


class Seen(NamedTuple):
    """One request as it came; `document` is the JSON of its body without the tensors behind it, if it has any."""

    method: str
    path: str
    query: str
    document: Any
    body: bytes


@dataclass
class FakeService:
    """`answers` maps "METHOD /path" to (status, JSON or bytes), or to a list of those, given in turn."""

    url: str
    answers: dict[str, Any] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)

    def answer(self, seen: Seen) -> tuple[int, Any]:
        self.seen.append(seen)
        found = self.answers.get(f"{seen.method} {seen.path}")
        if isinstance(found, list):
            found = found.pop(0) if len(found) > 1 else found[0]
        if found is None:
            return 404, {"title": "Not found", "status": 404, "detail": f"no answer for {seen.path}"}
        return found if isinstance(found, tuple) else (200, found)


@contextmanager
def fake_service() -> Iterator[FakeService]:
    """Serve on a free port of this machine for as long as the block lasts."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.service = FakeService(f"http://127.0.0.1:{server.server_address[1]}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server.service  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        length = int(self.headers.get("Inference-Header-Content-Length") or len(body))
        is_json = self.headers.get("Content-Type") == "application/json" or length < len(body)
        document = json.loads(body[:length]) if body and is_json else None
        status, answer = self.server.service.answer(  # type: ignore[attr-defined]
            Seen(self.command, parts.path, parts.query, document, body)
        )
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_DELETE = do_GET  # noqa: N815 - the names that http.server looks for

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Tests print nothing."""
