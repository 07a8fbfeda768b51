"""Whether answers are as sure as they ought to be, over many episodes. Knows outputs and targets; no learner.

Classification: the expected calibration error of Guo et al. 2017 (On Calibration of Modern Neural Networks) in
bins of equal width. Regression with a std: the shares of targets within central intervals, as Kuleshov et al. 2018
(Accurate Uncertainties for Deep Learning Using Calibrated Regression) plot them, under a normal distribution.
"""

import math
from typing import Any

import torch
from torch import Tensor

from models.episode import QuerySet
from models.functional import Params

BINS = 15
LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99)


class Calibration:
    """Counts over every query example that it is shown, whichever episode it is of."""

    def __init__(self) -> None:
        self._kind = ""
        self._expected = torch.zeros(BINS, dtype=torch.float64)
        self._right = torch.zeros(BINS, dtype=torch.float64)
        self._count = torch.zeros(BINS, dtype=torch.float64)
        self._within = torch.zeros(len(LEVELS), dtype=torch.float64)
        self._numbers = 0

    def add(self, outputs: Params, query: QuerySet) -> None:
        """Take in the answers of M episodes: `logits` [M, Q, N], or `mean` and `std` [M, Q, T]."""
        real_MQ = query.mask > 0
        if "logits" in outputs:
            self._kind = "confidence"
            logits_MQN, labels_MQ = outputs["logits"].double(), query.targets
            sure_MQ, said_MQ = logits_MQN.softmax(-1).max(-1)
            real_MQ = real_MQ & sure_MQ.isfinite()
            self._count_answers(sure_MQ[real_MQ].cpu(), (said_MQ == labels_MQ)[real_MQ].cpu())
        elif "std" in outputs:
            self._kind = "intervals"
            deviations_MQT = (query.targets - outputs["mean"]) / outputs["std"]
            self._count_deviations(deviations_MQT[real_MQ].double().abs().cpu())

    def _count_answers(self, sure: Tensor, right: Tensor) -> None:
        bins = (sure * BINS).long().clamp(max=BINS - 1)
        self._expected.index_add_(0, bins, sure)
        self._right.index_add_(0, bins, right.double())
        self._count.index_add_(0, bins, torch.ones_like(sure))

    def _count_deviations(self, deviations: Tensor) -> None:
        # A share of p of a normal distribution lies within sqrt(2) erfinv(p) standard deviations.
        reach = math.sqrt(2) * torch.erfinv(torch.tensor(LEVELS, dtype=torch.float64))
        self._within += (deviations.flatten().unsqueeze(-1) <= reach).sum(0)
        self._numbers += deviations.numel()

    def report(self) -> dict[str, Any] | None:
        """`error`, `kind` and `bins` of `expected`, `observed` and `count`; None where nothing told how sure it is.

        `confidence`: mean confidence and share of right answers in each bin that has any, and the error is the
        mean distance of the two over answers. `intervals`: nominal and observed shares of targets within central
        intervals, and the error is the mean distance over the levels.
        """
        if self._kind == "confidence" and self._count.any():
            used = self._count > 0
            count, total = self._count[used], self._count.sum()
            expected, observed = self._expected[used] / count, self._right[used] / count
            error = ((expected - observed).abs() * count).sum() / total
        elif self._kind == "intervals":
            expected = torch.tensor(LEVELS, dtype=torch.float64)
            count, observed = torch.full_like(expected, self._numbers), self._within / self._numbers
            error = (expected - observed).abs().mean()
        else:
            return None
        bins = [
            {"expected": sure, "observed": seen, "count": int(number)}
            for sure, seen, number in zip(expected.tolist(), observed.tolist(), count.tolist(), strict=True)
        ]
        return {"kind": self._kind, "error": error.item(), "bins": bins}
