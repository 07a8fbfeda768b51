import re

import pytest
from PIL import Image

from app.cli import child_server
from app.cli.demo_picture import draw
from app.cli.four_points import TASKS, Point, Result, Sketch
from app.cli.main import main
from tests import answers

N_ASKED = 2 + 111
N_SKETCHED = 101


def told(values, stds):
    """Predictions for the two queries, and anything for the grid."""
    rows = [{"value": value, "std": std} for value, std in zip(values, stds, strict=True)]
    rows += [{"value": 0.0, "std": 1.0}] * (N_ASKED - len(rows))
    return answers.predictions(*rows)


@pytest.fixture
def starter(service):
    """A service that trains the starter and adapts it well."""
    sketch = answers.predictions(*[{"value": 0.0, "std": 1.0}] * N_SKETCHED)
    service.answers |= {
        "GET /readyz": {"status": "ready", "checks": {}},
        "POST /v1/jobs": (202, answers.job(status="queued")),
        "GET /v1/jobs/job_1": answers.succeeded(),
        "POST /v1/predictions": [told([0.1, 0.2], [5.0, 6.0]), sketch],
        "POST /v1/adaptations": (201, answers.adaptation(model={"name": "functions", "version": 1})),
        "POST /v1/adaptations/adp_1/predictions": told([9.9, 12.2], [0.1, 0.2]),
    }
    return service


@pytest.fixture
def children(starter, monkeypatch):
    """Stands in for the child process: the fake service is what was 'started'."""
    made = []

    class Child:
        def __init__(self, data_dir, port, log):
            self.url, self.port, self.log, self.data_dir = starter.url, port, log, data_dir
            self.events = []
            made.append(self)

        def start(self):
            self.events.append("start")

        def wait_ready(self):
            return 1.5

        def check(self):
            self.events.append("check")

        def wait(self):
            self.events.append("wait")
            raise KeyboardInterrupt

        def stop(self):
            self.events.append("stop")

    monkeypatch.setattr(child_server, "ChildServer", Child)
    return made


@pytest.fixture
def demo(children, capsys, tmp_path, monkeypatch):
    """Runs `innerloop demo` in a folder of its own; gives exit status and output."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        with pytest.raises(SystemExit) as ended:
            main(["demo", *arguments])
        printed = capsys.readouterr()
        return ended.value.code, printed.out + printed.err

    return run


def test_it_trains_adapts_shows_and_ends(demo, starter, children, tmp_path):
    status, printed = demo()
    assert status == 0
    for said in ("100/100 100%", "0.10 ± 5.00", "9.90 ± 0.10", "12.20 ± 0.20", "0.200", "Client", "curl"):
        assert said in printed
    assert "The service stops now. `make run`" in printed
    assert "adp_1" not in printed
    assert re.search(r"Ready after 1\.5 s", printed)
    assert starter.url in printed
    [draft] = [seen.document for seen in starter.seen if seen.path == "/v1/jobs"]
    assert draft == {"model": "functions", "recipe": "functions", "publish": {"alias": "champion"}}
    base, *others = [seen.document for seen in starter.seen if seen.path == "/v1/predictions"]
    assert base["support"] is None
    assert [other["support"]["inputs"]["shape"] for other in others] == [[4, 1], [5, 1], [8, 1]]
    with Image.open(tmp_path / "demo.png") as picture:
        assert picture.width > 1000
    [child] = children
    assert child.events == ["start", "stop"]
    assert not child.data_dir.exists()


@pytest.mark.parametrize(
    ("values", "stds"),
    [([9.9, 12.31], [1.0, 1.0]), ([9.69, 12.0], [1.0, 1.0]), ([9.9, 12.0], [0.04, 1.0])],
    ids=["too high", "too low", "too sure"],
)
def test_a_miss_is_a_failure(demo, starter, children, values, stds):
    starter.answers["POST /v1/adaptations/adp_1/predictions"] = told(values, stds)
    status, printed = demo()
    assert status == 1
    assert "A prediction missed." in printed
    assert children[0].events == ["start", "stop"]


def test_a_failed_training_ends_the_server_too(demo, starter, children):
    starter.answers["GET /v1/jobs/job_1"] = answers.failed()
    status, printed = demo()
    assert status == 1
    assert "innerloop: job_1 failed: the loss is not finite" in printed
    assert children[0].events == ["start", "check", "stop"]


def test_it_may_keep_serving_what_it_has(demo, starter, children, tmp_path):
    starter.answers["GET /v1/models/functions/aliases/champion"] = answers.alias()
    starter.answers["GET /v1/models/functions/versions/2"] = answers.version()
    status, printed = demo("--keep-serving")
    assert status == 0
    assert "functions@champion is here already" in printed
    assert "innerloop train functions --alias champion" in printed
    assert not [seen for seen in starter.seen if seen.path == "/v1/jobs"]
    assert (tmp_path / "demo.png").exists()
    assert children[0].events == ["start", "wait", "stop"]
    assert children[0].data_dir.name == "data"
    assert f"export INNERLOOP_URL={starter.url}\n" in printed
    assert f"curl {starter.url}/v1/adaptations/adp_1/predictions" in printed
    assert "stops now" not in printed


def test_the_settings_of_the_service_are_its_own(demo, starter, children, tmp_path, monkeypatch):
    port = starter.url.rpartition(":")[2]
    monkeypatch.setenv("INNERLOOP_PORT", port)
    monkeypatch.setenv("INNERLOOP_DATA_DIR", str(tmp_path / "kept"))
    status, printed = demo("--keep-serving")
    assert status == 0
    assert f"Port {port} is in use; taking " in printed
    assert children[0].data_dir == tmp_path / "kept"


def test_what_is_thrown_away_is_not_kept_anywhere(demo, starter, children, tmp_path, monkeypatch):
    monkeypatch.setenv("INNERLOOP_DATA_DIR", str(tmp_path / "kept"))
    assert demo()[0] == 0
    assert children[0].data_dir != tmp_path / "kept"
    assert not children[0].data_dir.exists()


def test_a_faulty_port_is_refused_before_anything_starts(demo, children, monkeypatch):
    monkeypatch.setenv("INNERLOOP_PORT", "many")
    status, printed = demo()
    assert status == 78
    assert "INNERLOOP_PORT" in printed
    assert not children


def test_a_service_that_asks_for_a_key_is_served_all_the_same(demo, starter, children):
    starter.answers["GET /v1/models/functions/aliases/champion"] = (401, {"detail": "send a key"})
    status, printed = demo("--keep-serving")
    assert status == 0
    assert "INNERLOOP_API_KEY" in printed
    assert f"Serving at {starter.url}, " in printed
    assert children[0].events == ["start", "wait", "stop"]


def test_without_a_key_there_is_nothing_to_show(demo, starter, children):
    starter.answers["GET /v1/models/functions/aliases/champion"] = (401, {"detail": "send a key"})
    status, printed = demo()
    assert status == 1
    assert "innerloop: 401 send a key; set INNERLOOP_API_KEY" in printed
    assert children[0].events == ["start", "stop"]


def test_another_port_is_said(demo, starter):
    port = starter.url.rpartition(":")[2]
    status, printed = demo("--port", port)
    assert status == 0
    assert f"Port {port} is in use; taking " in printed


@pytest.mark.parametrize("tasks", [TASKS, ()], ids=["other tasks too", "four points alone"])
def test_the_picture_is_drawn(tmp_path, tasks):
    points = [Point(x / 10, x / 5, 0.0, 50.0, x / 5, 0.5) for x in range(-20, 90)]
    grid = tuple(x / 10 for x in range(-50, 50))
    sketches = [Sketch(task, grid, [task.curve(x) for x in grid], [1.0] * len(grid)) for task in tasks]
    path = tmp_path / "demo.png"
    draw(Result("adp_1", "functions@1", points[-2:], points, sketches), path)
    with Image.open(path) as picture:
        assert len(picture.convert("RGB").resize((50, 20)).getcolors(1000)) > 20
