"""The instruments count what they say, in the registry they were given."""

import pytest
from prometheus_client import CollectorRegistry

from services.telemetry.http_metrics import HttpMetrics
from services.telemetry.metrics import EngineMetrics, JobsCollector, render


def test_requests_are_counted_by_route_and_status() -> None:
    registry = CollectorRegistry()
    http = HttpMetrics(registry)
    http.observe("GET", "/v1/jobs/{id}", 200, 0.002)
    http.observe("GET", "/v1/jobs/{id}", 404, 0.001)
    labels = {"method": "GET", "route": "/v1/jobs/{id}"}
    assert registry.get_sample_value("innerloop_http_requests_total", {**labels, "status": "404"}) == 1.0
    assert registry.get_sample_value("innerloop_http_request_seconds_count", labels) == 2.0


def test_durations_are_counted_below_each_bound_that_they_do_not_exceed() -> None:
    registry = CollectorRegistry()
    http = HttpMetrics(registry)
    for seconds in (0.001, 0.002, 0.3, 60.0):
        http.observe("GET", "/", 200, seconds)
    http.in_flight += 1
    labels = {"method": "GET", "route": "/"}
    below = {
        bound: registry.get_sample_value("innerloop_http_request_seconds_bucket", {**labels, "le": bound})
        for bound in ("0.001", "0.0025", "0.5", "10.0", "+Inf")
    }
    assert below == {"0.001": 1.0, "0.0025": 2.0, "0.5": 3.0, "10.0": 3.0, "+Inf": 4.0}
    assert registry.get_sample_value("innerloop_http_request_seconds_sum", labels) == pytest.approx(60.303)
    assert registry.get_sample_value("innerloop_http_requests_in_flight") == 1.0


def test_a_pass_counts_each_call_that_waited() -> None:
    registry = CollectorRegistry()
    EngineMetrics(registry).observe("adapt", [0.001, 0.003, 0.002], 0.01)
    assert registry.get_sample_value("innerloop_engine_batch_size_sum", {"kind": "adapt"}) == 3.0
    assert registry.get_sample_value("innerloop_engine_queue_seconds_count", {"kind": "adapt"}) == 3.0
    assert registry.get_sample_value("innerloop_engine_device_seconds_count", {"kind": "adapt"}) == 1.0


def test_the_queue_is_looked_at_when_asked_and_what_was_dropped_is_counted_by_reason() -> None:
    registry = CollectorRegistry()
    engine, waiting = EngineMetrics(registry), [1, 2]
    engine.watch_queue(lambda: len(waiting), lambda: 0.5 * len(waiting))
    waiting.append(3)
    engine.dropped("deadline", 2)
    assert registry.get_sample_value("innerloop_engine_queued_calls") == 3.0
    assert registry.get_sample_value("innerloop_engine_queued_seconds") == 1.5
    dropped = {
        reason: registry.get_sample_value("innerloop_engine_dropped_total", {"reason": reason})
        for reason in ("full", "share", "deadline", "cancelled")
    }
    assert dropped == {"full": 0.0, "share": 0.0, "deadline": 2.0, "cancelled": 0.0}


def test_jobs_are_asked_for_only_when_rendered() -> None:
    asked = []

    def counts() -> dict[str, int]:
        asked.append(True)
        return {"queued": 2, "running": 1}

    registry = CollectorRegistry()
    JobsCollector(registry, counts)
    assert asked == []
    text = render(registry).decode()
    assert 'innerloop_jobs{status="queued"} 2.0' in text
    assert 'innerloop_jobs{status="running"} 1.0' in text
    assert asked == [True]
