"""What the SDK imports: checked in processes of their own, where nothing else has been imported before."""

import subprocess
import sys
from pathlib import Path

import innerloop

PACKAGE = Path(innerloop.__file__).parent

BLOCKED = """
import sys
class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {blocked}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)
sys.meta_path.insert(0, Blocker())
sys.path.insert(0, {parent!r})
"""

USE = """
import httpx, innerloop
from innerloop import Client, InvalidInput
sent = []
def answer(request):
    sent.append(request.read())
    if request.url.path.endswith("predictions"):
        body = {"adaptation": "adp_1", "revision": 1, "model": {"name": "m", "version": 1},
                "predictions": [{"value": 1.0, "std": None}]}
    else:
        body = {"id": "adp_1", "model": {"name": "m", "version": 1}, "task": "regression", "classes": None,
                "n_support": 2, "revision": 1, "support_loss": 0.0, "created_at": "2026-01-01T00:00:00Z",
                "expires_at": None, "metadata": {}}
    return httpx.Response(200, json=body)
client = Client("http://service", transport=httpx.MockTransport(answer))
adaptation = client.adapt("m", [[1.0, 2.0], [3.0, 4.5]], [1.5, 2.5])
assert sent[0].endswith(bytes.fromhex("0000803f 00000040 00004040 00009040" "0000c03f 00002040")), sent
assert adaptation.predict([[1.0, 2.0]]).values == [1.0]
try:
    client.datasets.upload_arrays("d", [[1.0]], [1])
except InvalidInput as error:
    assert "needs numpy" in str(error)
else:
    raise AssertionError("uploaded arrays without numpy")
import io
from innerloop.progress import PlainLines, display
class Terminal(io.StringIO):
    def isatty(self):
        return True
with display(Terminal()) as show:
    assert isinstance(show, PlainLines)
print("used")
"""

SERVICE = [
    "fastapi",
    "uvicorn",
    "typer",
    "sqlalchemy",
    "msgspec",
    "numpy",
    "torch",
    "PIL",
    "app",
    "services",
    "models",
]
# httpx imports rich for a command line of its own wherever it is installed, so only its absence can be tested.
BLOCKED_MODULES = {*SERVICE, "rich"}


def run(code: str) -> str:
    finished = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert finished.returncode == 0, finished.stderr
    return finished.stdout


def test_it_works_with_httpx_and_pydantic_alone():
    prelude = BLOCKED.format(blocked=BLOCKED_MODULES, parent=str(PACKAGE.parent))
    assert run(prelude + USE) == "used\n"


def test_importing_it_imports_next_to_nothing():
    code = f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import innerloop; print(*sys.modules)"
    loaded = set(run(code).split())
    assert not loaded & {*BLOCKED_MODULES, "httpx", "pydantic"}


def test_its_names_are_there_when_asked_for():
    code = (
        f"import sys; sys.path.insert(0, {str(PACKAGE.parent)!r}); import innerloop\n"
        "for name in innerloop.__all__: getattr(innerloop, name)\n"
        f"print(*set({SERVICE!r}) & set(sys.modules))"
    )
    assert run(code).strip() == ""
    assert set(innerloop.__all__) <= set(dir(innerloop))
    assert not hasattr(innerloop, "nothing_of_the_kind")


def test_it_is_typed():
    assert (PACKAGE / "py.typed").exists()
