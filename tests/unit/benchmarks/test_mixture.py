"""The mixtures that suites ask for: drawn alike from equal seeds, no two alike, none lost in another order."""

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from tests.benchmarks.load import post
from tests.benchmarks.mixture import CURVES, POINTS, Mixture, commonest
from tests.benchmarks.tiers import zipf

ADAPTED = [(model, f"adp_{place}") for place, model in enumerate((*CURVES, *POINTS))]


def test_equal_seeds_draw_equal_requests_and_no_two_are_alike() -> None:
    requests = Mixture(1).draw(300, ADAPTED)
    assert requests == Mixture(1).draw(300, ADAPTED)
    assert requests != Mixture(2).draw(300, ADAPTED)
    assert len(set(requests)) == 300
    paths = Counter(request.split(b" ")[1].rsplit(b"/", 1)[-1] for request in requests)
    assert paths.keys() == {b"adaptations", b"predictions"}


def test_every_request_is_in_the_other_order_once_and_runs_are_of_one_kind() -> None:
    mixture = Mixture(1)
    requests = mixture.draw(400, ADAPTED)
    order = mixture.shuffled(requests)
    assert sorted(order) == list(range(400))
    assert order != mixture.shuffled(requests)
    kinds = [json.loads(requests[place].partition(b"\r\n\r\n")[2]).get("model") for place in order]
    neighbours = sum(one == other for one, other in pairwise(kinds))
    assert neighbours > 200


def test_the_commonest_kinds_are_whole_and_large() -> None:
    requests = Mixture(1).draw(400, ADAPTED)
    few, more = commonest(requests, 2), commonest(requests, 5)
    assert 10 < len(few) < len(more)
    assert more[: len(few)] == few
    whole = [request for request in requests if b"POST /v1/adaptations HTTP" in request]
    assert sorted(commonest(requests, 1000)) == sorted(whole)


def test_supports_are_of_the_model_they_are_for() -> None:
    mixture = Mixture(3)
    for _ in range(50):
        model, request = mixture.adaptation()
        support = json.loads(request.partition(b"\r\n\r\n")[2])["support"]
        assert len(support["inputs"]) == len(support["targets"])
        assert np.shape(support["inputs"])[1] == (1 if model in CURVES else 3)
        assert isinstance(support["targets"][0], float if model in CURVES else str)


def test_zipf_traffic_asks_for_the_first_rank_most_and_for_many() -> None:
    requests = [post("/", b"%d" % number) for number in range(100)]
    traffic = Counter(zipf(requests, 20_000, seed=0))
    counts = [count for _, count in traffic.most_common()]
    harmonic = sum(1 / rank for rank in range(1, 101))
    assert counts[0] == pytest.approx(20_000 / harmonic, rel=0.1)
    assert len(counts) > 90
