"""How do the scores of many entries move with every tick, without looking at the whole past again?

Running means and deviations after Welford (Note on a method for calculating corrected sums of squares, 1962): they
agree with `returns.sharpe` over the whole series to many more digits than a page shows. Arrays are `[entry]`.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from bitnerve.domain.metrics.returns import YEAR_MS, Floats, Money, money_column
from bitnerve.domain.timeframe import DAY_MS

SPARKLINE_POINTS = 48
SPARKLINE_MS = 7 * DAY_MS
SHARPE_MS_MIN = 7 * DAY_MS
"""Before a week has passed a Sharpe ratio says nothing."""


class Scores:
    """Return, drawdown, Sharpe ratio and sparkline of every entry, kept up to date tick by tick."""

    def __init__(self, *, entry_count: int, step_ms: int) -> None:
        """`step_ms` is the time between two ticks."""
        self._step_ms = step_ms
        self._count = 0
        self._known = np.zeros(entry_count, dtype=np.int64)
        self._mean, self._squares = np.zeros(entry_count), np.zeros(entry_count)
        self._first: Money = np.zeros(entry_count, dtype=np.int64)
        self.equity: Money = np.zeros(entry_count, dtype=np.int64)
        self.peak: Money = np.zeros(entry_count, dtype=np.int64)
        self.drawdown_max: Floats = np.zeros(entry_count)
        self._every = max(1, SPARKLINE_MS // SPARKLINE_POINTS // step_ms)
        self._samples: deque[Money] = deque(maxlen=SPARKLINE_POINTS)

    def add(self, equity: Money) -> None:
        """Take in everybody's equity at the next tick, in money units."""
        equity = money_column(equity)
        if self._count == 0:
            self._first = self.peak = equity
        else:
            earned = np.full(equity.shape, np.nan)
            np.divide(equity - self.equity, self.equity, out=earned, where=self.equity > 0)
            known = np.isfinite(earned)
            self._known += known
            step = np.where(known, earned - self._mean, 0.0)
            self._mean = self._mean + step / np.maximum(self._known, 1)
            self._squares = self._squares + np.where(known, step * (earned - self._mean), 0.0)
        self.equity = equity
        self.peak = np.maximum(self.peak, equity)
        self.drawdown_max = np.maximum(self.drawdown_max, self.drawdown)
        if self._count % self._every == 0:
            self._samples.append(equity)
        self._count += 1

    @property
    def total_return(self) -> Floats:
        """Growth since the first tick, per one."""
        return np.asarray(self.equity / np.maximum(self._first, 1) - 1.0)

    @property
    def drawdown(self) -> Floats:
        """How far everybody stands below their highest equity, per one."""
        return np.asarray(1.0 - self.equity / np.maximum(self.peak, 1))

    @property
    def sharpe(self) -> Floats:
        """Mean ÷ standard deviation of a year; NaN in the first week and where nothing varies."""
        if self._count * self._step_ms < SHARPE_MS_MIN:
            return np.full(self._mean.shape, math.nan)
        deviation = np.sqrt(self._squares / np.maximum(self._known - 1, 1))
        result = np.full(deviation.shape, math.nan)
        np.divide(self._mean, deviation, out=result, where=(deviation > 0.0) & (self._known > 1))
        return np.asarray(result * math.sqrt(YEAR_MS / self._step_ms))

    def sparkline(self) -> Money:
        """Return at most 48 equity values of the last seven days and the newest, `[point, entry]`, oldest first."""
        points = list(self._samples)
        if not points or points[-1] is not self.equity:
            points.append(self.equity)
        return np.stack(points[-SPARKLINE_POINTS:])
