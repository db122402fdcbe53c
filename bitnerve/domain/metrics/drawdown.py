"""How far below its highest point does a series stand, how far at worst, and for how long?

Give it `returns.growth`, not raw equity, when there were transfers: a deposit must not heal a loss.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from bitnerve.domain.metrics.returns import Floats, Money, money_column


@dataclass(frozen=True, slots=True)
class Drawdown:
    """The worst and the present drawdown of a series; shares of the peak, lengths in steps."""

    worst: float
    current: float
    peak_index: int
    """Where the worst drawdown began."""
    trough_index: int
    duration_max: int
    """The longest stretch between a peak and the point that reaches it again, or the end."""
    duration_current: int


def drawdown_series(values: Money) -> Floats:
    """Return (peak so far − value) ÷ peak so far at each point, NaN while no peak is above zero."""
    values = money_column(values)
    peak = np.maximum.accumulate(values)
    series = np.full(values.shape, np.nan)
    np.divide(peak - values, peak, out=series, where=peak > 0)
    return series


def measure_drawdown(values: Money) -> Drawdown:
    """Return the drawdown of a series, NaN and 0 for an empty one or one that never rises above zero."""
    values = money_column(values)
    series = drawdown_series(values)
    if not np.isfinite(series).any():
        return Drawdown(math.nan, math.nan, 0, 0, 0, 0)
    index = np.arange(values.size)
    at_peak = values == np.maximum.accumulate(values)
    last_peak = np.maximum.accumulate(np.where(at_peak, index, 0))
    trough = int(np.nanargmax(series))
    return Drawdown(
        worst=float(series[trough]),
        current=float(series[-1]),
        peak_index=int(last_peak[trough]),
        trough_index=trough,
        duration_max=int((index - last_peak).max()),
        duration_current=int(index[-1] - last_peak[-1]),
    )
