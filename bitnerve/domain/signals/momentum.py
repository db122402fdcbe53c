"""How strongly does Bitcoin rise, up to 100, or fall, down to 0?

The score is 50 + 50 × the weighted mean of components between −1 and 1:

| component | weight | what it is |
|---|---|---|
| returns | .10 .15 .15 .10 | log return over 1 h, 4 h, 24 h, 3 d in standard deviations of such a window |
| trend | .25 | distance of the price from its means of 4 h, 24 h, 3 d, each in its own standard deviations |
| breadth | .15 | (alts above − alts below their price of 24 h ago) ÷ alts |
| volume | .10 | (turnover of rising − of falling bars) ÷ turnover over 24 h, times 5 |

Standard deviations come from the volatility realized over 3 days, which makes calm and wild markets
comparable; two of them are a full component. A component without data leaves the mean with its weight.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bitnerve.domain.signals.indicators import (
    Floats,
    log_returns,
    ratio,
    realized_volatility,
    rolling_mean,
    rolling_sum,
)


@dataclass(frozen=True, slots=True)
class MomentumRules:
    """Windows in bars (the defaults are of 5 minutes) and weights, which need not sum to one."""

    return_windows: tuple[int, ...] = (12, 48, 288, 864)
    return_weights: tuple[float, ...] = (0.10, 0.15, 0.15, 0.10)
    trend_windows: tuple[int, ...] = (48, 288, 864)
    trend_weight: float = 0.25
    breadth_window: int = 288
    breadth_weight: float = 0.15
    breadth_minimum: int = 5
    """Alts that must be known at both ends, or there is no breadth."""
    volume_window: int = 288
    volume_weight: float = 0.10
    volume_gain: float = 5.0
    """Signed volume rarely leaves ±0.2, so it is stretched to use the scale that the others use."""
    volatility_window: int = 864
    saturation: float = 2.0
    """Standard deviations that make a full component."""
    present_rate: float = 0.9
    """Share of a window's bars that must be present."""

    @property
    def bars_needed(self) -> int:
        """The number of bars from which the newest score can be made."""
        windows = (*self.return_windows, *self.trend_windows, self.breadth_window, self.volume_window)
        return max(*windows, self.volatility_window) + 1


RULES = MomentumRules()


class Momentum(NamedTuple):
    """The score of each bar and what it was made of, NaN where not known."""

    score: Floats
    """0 to 100, `[bar]`; NaN without a newest close or without a volatility."""
    returns: Floats
    """−1 to 1, `[bar, window]`."""
    trend: Floats
    breadth: Floats
    volume: Floats
    volatility: Floats
    """Of one bar, not annualized."""


def momentum(
    *, close: Floats, turnover: Floats, alt_close: Floats | None = None, rules: MomentumRules = RULES
) -> Momentum:
    """Return Bitcoin's momentum at every bar.

    `close` and `turnover` (volume in the quote asset) are `[bar]` and Bitcoin's; `alt_close` is `[bar,
    symbol]` without Bitcoin. A value depends on the last `rules.bars_needed` bars only, whatever the chunk.
    """
    minimum = math.ceil(rules.present_rate * rules.volatility_window)
    volatility = realized_volatility(close, window=rules.volatility_window, minimum=minimum)
    returns = np.stack([_scaled_return(close, volatility, bars, rules) for bars in rules.return_windows], axis=1)
    trend = _trend(close, volatility, rules)
    breadth = _breadth(alt_close, rules) if alt_close is not None else np.full(close.shape, np.nan)
    volume = _signed_volume(close, turnover, rules)
    components = np.column_stack([returns, trend, breadth, volume])
    weights = np.array([*rules.return_weights, rules.trend_weight, rules.breadth_weight, rules.volume_weight])
    score = 50.0 + 50.0 * _weighted_mean(components, weights)
    known = np.isfinite(close) & np.isfinite(volatility)
    return Momentum(np.where(known, score, np.nan), returns, trend, breadth, volume, volatility)


def latest_momentum(
    *, close: Floats, turnover: Floats, alt_close: Floats | None = None, rules: MomentumRules = RULES
) -> Momentum:
    """Return Bitcoin's momentum at the newest bar alone, arrays of length 1 with the bits of `momentum`."""
    first = max(0, close.shape[0] - rules.bars_needed)
    alts = None if alt_close is None else alt_close[first:]
    reading = momentum(close=close[first:], turnover=turnover[first:], alt_close=alts, rules=rules)
    return Momentum(*(values[-1:] for values in reading))


def _component(deviations: Floats, rules: MomentumRules) -> Floats:
    return np.clip(deviations / rules.saturation, -1.0, 1.0)


def _in_deviations(moves: Floats, volatility: Floats) -> Floats:
    # A price that stood still for the whole window has no volatility, and has not moved either: 0, not NaN.
    return np.where(volatility == 0.0, 0.0, ratio(moves, volatility))


def _scaled_return(close: Floats, volatility: Floats, bars: int, rules: MomentumRules) -> Floats:
    """Return the log return over `bars`; a random walk spreads over √bars volatilities of one bar."""
    return _component(_in_deviations(log_returns(close, bars=bars), volatility * math.sqrt(bars)), rules)


def _trend(close: Floats, volatility: Floats, rules: MomentumRules) -> Floats:
    """Return the mean over the windows of price against its mean; a random walk spreads over √(bars ÷ 3)."""
    total = np.zeros(close.shape)
    for bars in rules.trend_windows:
        mean = rolling_mean(close, window=bars, minimum=math.ceil(rules.present_rate * bars))
        distance = ratio(close - mean, mean)
        total += _component(_in_deviations(distance, volatility * math.sqrt(bars / 3.0)), rules)
    return total / len(rules.trend_windows)


def _breadth(alt_close: Floats, rules: MomentumRules) -> Floats:
    result = np.full(alt_close.shape[0], np.nan)
    now, then = alt_close[rules.breadth_window :], alt_close[: -rules.breadth_window]
    # Whole numbers: the order in which symbols are counted changes nothing.
    above, below = (now > then).sum(axis=1), (now < then).sum(axis=1)
    known = (np.isfinite(now) & np.isfinite(then)).sum(axis=1)
    enough = known >= rules.breadth_minimum
    result[rules.breadth_window :] = np.where(enough, (above - below) / np.maximum(known, 1), np.nan)
    return result


def _signed_volume(close: Floats, turnover: Floats, rules: MomentumRules) -> Floats:
    signed = np.sign(log_returns(close)) * turnover
    minimum = math.ceil(rules.present_rate * rules.volume_window)
    balance = rolling_sum(signed, window=rules.volume_window, minimum=minimum)
    counted = np.where(np.isfinite(signed), turnover, np.nan)
    whole = rolling_sum(counted, window=rules.volume_window, minimum=minimum)
    return np.clip(rules.volume_gain * ratio(balance, whole), -1.0, 1.0)


def _weighted_mean(components: Floats, weights: Floats) -> Floats:
    """Return Σ w·c ÷ Σ w over the components that are known, added from left to right."""
    total, weight = np.zeros(components.shape[0]), np.zeros(components.shape[0])
    for column in range(components.shape[1]):
        known = np.isfinite(components[:, column])
        total += np.where(known, weights[column] * components[:, column], 0.0)
        weight += np.where(known, weights[column], 0.0)
    return ratio(total, weight)
