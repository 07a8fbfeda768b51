import os
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest

from app.cli import child_server
from app.cli.child_server import ChildServer, ServerDied, choose_port, ending_on_signals

READY = """
import http.server, json, sys
class Handler(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Handler.asked += 1
        ready = Handler.asked > 2
        body = json.dumps({"status": "ready" if ready else 503, "detail": "starting", "checks": {}}).encode()
        self.send_response(200 if ready else 503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
print("listening", flush=True)
http.server.HTTPServer(("127.0.0.1", int(sys.argv[5])), Handler).serve_forever()
"""
DEAF = (
    "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
)
SILENT = "import signal; print('silent', flush=True); signal.pause()"
DYING = "import sys; print('no such folder'); sys.exit(3)"


@pytest.fixture
def child(tmp_path):
    made = []

    def make(program):
        command = [sys.executable, "-c", program]
        made.append(ChildServer(tmp_path, choose_port(0), tmp_path / "logs" / "serve.log", command))
        made[-1].start()
        return made[-1]

    yield make
    for server in made:
        server.stop()


def wait_for(server, word):
    while word not in server.log.read_text():
        time.sleep(0.01)


def test_it_is_ready_when_the_service_says_so(child):
    server = child(READY)
    assert server.wait_ready() > 0
    server.check()
    pid = server._running.process.pid
    server.stop()
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    server.stop()


def test_a_server_that_dies_shows_the_end_of_its_log(child):
    with pytest.raises(ServerDied, match="ended with status 3; its log ends with:\n  no such folder"):
        child(DYING).wait_ready()


def test_a_log_is_gone_on_with_and_only_its_own_part_shown(child, tmp_path):
    log = tmp_path / "logs" / "serve.log"
    log.parent.mkdir()
    log.write_text("of the server before\n")
    with pytest.raises(ServerDied, match=r"its log ends with:\n  no such folder$"):
        child(DYING).wait_ready()
    assert log.read_text() == "of the server before\nno such folder\n"


def test_a_server_that_stays_silent_is_given_up(child):
    server = child(SILENT)
    wait_for(server, "silent")
    with pytest.raises(ServerDied, match=r"not ready within 0 s; its log ends with:\n  silent"):
        server.wait_ready(patience_s=0)


def test_a_server_that_does_not_end_is_killed(child, monkeypatch):
    monkeypatch.setattr(child_server, "STOP_PATIENCE_S", 0.05)
    server = child(DEAF)
    wait_for(server, "deaf")
    server.stop()
    with pytest.raises(ServerDied, match="ended with status -9"):
        server.wait()


@pytest.fixture
def interruptible():
    """A process that was started in the background ignores SIGINT, and this one may have been."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_second_interruption_kills(child, interruptible):
    server = child(DEAF)
    wait_for(server, "deaf")
    threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt):
        server.stop()
    with pytest.raises(ServerDied):
        server.check()


def test_a_port_in_use_gives_way_to_one_of_the_next(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        chosen = choose_port(port)
        assert chosen == choose_port(port)
        assert port < chosen < port + child_server.NEIGHBOURS
        monkeypatch.setattr(child_server, "NEIGHBOURS", 1)
        assert choose_port(port) not in (0, port)
    assert choose_port(port) == port


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_signals_leave_by_the_ordinary_way(number):
    before = signal.getsignal(number)
    cleaned = []

    def interrupted():
        with ending_on_signals():
            try:
                signal.raise_signal(number)
            finally:
                cleaned.append(True)

    with pytest.raises(SystemExit) as ended:
        interrupted()
    assert ended.value.code == 128 + number
    assert cleaned
    assert signal.getsignal(number) is before


PARENT = """
import sys, time
from pathlib import Path
from app.cli.child_server import ChildServer
server = ChildServer(Path(sys.argv[1]), 0, Path(sys.argv[1]) / "serve.log", [sys.executable, "-c", sys.argv[2]])
server.start()
print(server._running.process.pid, flush=True)
time.sleep(60)
"""
TETHERED = """
import os, sys, signal
from app.cli.lifeline import Lifeline
Lifeline(int(sys.argv[sys.argv.index("--lifeline") + 1]), 5.0).hold()
print("held", flush=True)
signal.pause()
"""


def test_it_ends_with_the_process_that_started_it(tmp_path):
    command = [sys.executable, "-P", "-c", PARENT, str(tmp_path), TETHERED]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
        child_pid = int(parent.stdout.readline())
        while "held" not in (tmp_path / "serve.log").read_text():
            time.sleep(0.01)
        parent.kill()
    while True:
        try:
            os.kill(child_pid, 0)
        except ProcessLookupError:
            break
        time.sleep(0.01)
