"""What did an account earn, whatever was paid into it or taken out?

Equity is `[point]` at equal steps, in money units or as floats. A transfer stands at the point whose equity
first holds it: deposits above zero, withdrawals below. Rates are per one, not percent; a year has 365 days,
for crypto never closes.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from bitnerve.domain.timeframe import DAY_MS

Floats = npt.NDArray[np.float64]
Money = npt.NDArray[Any]
"""Money units (`int64`, or objects in plain-Python mode) or floats."""

YEAR_MS = 365 * DAY_MS


def total_return(equity: Money) -> float:
    """Return (last − first) ÷ first, transfers included; NaN without a first value above zero."""
    if len(equity) == 0 or not equity[0] > 0:
        return math.nan
    first, last = money_column(equity)[[0, -1]].tolist()
    return float((last - first) / first)


def growth(equity: Money, transfers: Money | None = None) -> Floats:
    """Return what one unit invested at the first point is worth at each point, whatever was transferred.

    The series is cut at every transfer and the parts are chained (time-weighted return, GIPS), so a transfer
    adds exactly nothing. Whoever stands at or below zero when a part begins has lost everything, for good.
    """
    equity = money_column(equity)
    worth = np.zeros(equity.size)
    moves = np.zeros(equity.size, dtype=equity.dtype) if transfers is None else money_column(transfers)
    cuts = [*(np.flatnonzero(moves[1:]) + 1).tolist(), equity.size]
    base, start = 1.0, 0
    for cut in cuts:
        if start == cut or not equity[start] > 0:
            break
        worth[start:cut] = base * np.maximum(equity[start:cut] / equity[start], 0.0)
        if cut < equity.size:
            base = base * max(float((equity[cut] - moves[cut]) / equity[start]), 0.0)
            start = cut
    return worth


def time_weighted_return(equity: Money, transfers: Money | None = None) -> float:
    """Return the growth of one unit minus one; NaN for an empty series."""
    return float(growth(equity, transfers)[-1] - 1.0) if len(equity) else math.nan


def step_returns(equity: Money, transfers: Money | None = None) -> Floats:
    """Return what each step earned, `[point − 1]`, without transfers; NaN from a point at or below zero."""
    equity = money_column(equity)
    gain = equity[1:] - equity[:-1]
    if transfers is not None:
        gain = gain - money_column(transfers)[1:]
    returns = np.full(gain.shape, np.nan)
    np.divide(gain, equity[:-1], out=returns, where=equity[:-1] > 0)
    return returns


def volatility(returns: Floats, *, step_ms: int) -> float:
    """Return the standard deviation of a year (divisor: count − 1); NaN below two returns."""
    return _moments(returns)[1] * math.sqrt(YEAR_MS / step_ms)


def sharpe(returns: Floats, *, step_ms: int) -> float:
    """Return mean ÷ standard deviation of a year over a risk-free rate of zero; NaN where nothing varies.

    Source: Sharpe, The Sharpe Ratio (1994); steps count as independent, see `uncertainty` for what that
    hides.
    """
    mean, deviation = _moments(returns)
    return mean / deviation * math.sqrt(YEAR_MS / step_ms) if deviation > 0.0 else math.nan


def money_column(values: Money) -> Money:
    """Return a column as `int64`, or as `float64` when it holds floats."""
    column = np.asarray(values)
    return column.astype(np.float64 if column.dtype.kind == "f" else np.int64, copy=False)


def _moments(returns: Floats) -> tuple[float, float]:
    """Return the mean and standard deviation of the returns that are known.

    `fsum` rounds once, so the result does not depend on order, machine or numpy; deviations from the first
    value make a constant's spread exactly zero.
    """
    known = returns[np.isfinite(returns)]
    if known.size < 2:
        return (float(known[0]) if known.size else math.nan), math.nan
    shifted = known - known[0]
    offset = math.fsum(shifted.tolist()) / known.size
    squares = math.fsum(((shifted - offset) ** 2).tolist())
    return float(known[0]) + offset, math.sqrt(squares / (known.size - 1))
