"""What the engine counted is read from its metrics as it writes them."""

from prometheus_client import CollectorRegistry

from services.telemetry.metrics import EngineMetrics
from tests.benchmarks.engine_counts import CALLS, HITS, PASSES, PLANS, between, counts_of, mix


def test_what_was_counted_between_two_looks() -> None:
    metrics = EngineMetrics(CollectorRegistry())
    metrics.count_plan("adapt", "together")
    metrics.count_hit("store")
    before = counts_of(metrics.text().decode())
    for program, plan in (("adapt", "compiled"), ("adapt", "compiled"), ("predict", "each")):
        metrics.count_plan(program, plan)
    metrics.count_hit("host")
    metrics.observe("adapt", [0.1, 0.2, 0.3], 0.5)
    after = counts_of(metrics.text().decode())
    assert between(before, after, PLANS, "plan", program="adapt") == {"compiled": 2}
    assert between(before, after, PLANS, "plan") == {"compiled": 2, "each": 1}
    assert between(before, after, HITS, "tier") == {"host": 1}
    assert between(before, after, CALLS, "kind") == {"adapt": 3}
    assert between(before, after, PASSES, "kind") == {"adapt": 1}


def test_a_mix_is_told_largest_first() -> None:
    assert mix({"together": 1, "compiled": 3}) == "compiled 75%, together 25%"
    assert mix({}) == "none"
