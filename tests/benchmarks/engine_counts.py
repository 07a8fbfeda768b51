"""What the engine counted between two looks at its metrics. Knows the names of its instruments."""

from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

Series = tuple[str, frozenset[tuple[str, str]]]
Counts = Counter[Series]

PLANS = "innerloop_engine_plans_total"
HITS = "innerloop_engine_adapted_hits_total"
CALLS = "innerloop_engine_batch_size_sum"
PASSES = "innerloop_engine_batch_size_count"


def counts_of(text: str) -> Counts:
    """Every sample, by its name and labels."""
    found: Counts = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name, frozenset(sample.labels.items())] = sample.value  # type: ignore[assignment]
    return found


def between(before: Counts, after: Counts, name: str, by: str, **labels: str) -> dict[str, float]:
    """What was added to a metric by the values of one label, where anything was; of series that have `labels`."""
    added: dict[str, float] = {}
    for series, value in after.items():
        having = dict(series[1])
        if series[0] == name and labels.items() <= having.items() and value > before[series]:
            added[having[by]] = added.get(having[by], 0.0) + value - before[series]
    return added


def mix(shares: dict[str, float]) -> str:
    """`compiled 97 %, together 3 %`."""
    total = sum(shares.values())
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return ", ".join(f"{name} {value / total:.0%}" for name, value in ordered) if total else "none"
