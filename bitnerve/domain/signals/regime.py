"""Which of four moods is the market in: bear, transition, bull or overheated?

| input | what it is |
|---|---|
| level | Bitcoin's momentum score, mean of 4 h |
| trend | price against its mean of 7 d, in standard deviations of a random walk against its mean |
| agitation | volatility of 24 h ÷ volatility of 7 d |
| funding | Bitcoin's funding rate for 8 h, where known |

| state | is entered when | is left when |
|---|---|---|
| BEAR | level ≤ 40 and trend < 0 | level > 48 or trend > 0.25 |
| BULL | level ≥ 60 and trend > 0 | level < 52 or trend < −0.25 |
| OVERHEATED | level ≥ 70, and trend ≥ 1.5 or agitation ≥ 1.5 or funding ≥ 3 bp | level < 60 or all cooled |
| TRANSITION | none of the others holds | one of them is entered |

Cooled is trend < 1, agitation < 1.2 and funding < 1.5 bp. A state lasts at least an hour. Hysteresis
remembers, so the label of a bar would depend on where the history begins; therefore every UTC day is labelled
by a machine that starts in TRANSITION three days before it. That is long enough for machines of different
starts to agree, and makes a label a function of a bounded past.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bitnerve.domain.kernel import kernel
from bitnerve.domain.signals.indicators import Floats, ratio, realized_volatility, rolling_mean
from bitnerve.domain.signals.momentum import RULES as MOMENTUM_RULES
from bitnerve.domain.signals.momentum import Momentum, MomentumRules

UNKNOWN = -1
"""The label of a bar whose past is too short."""


class Regime(IntEnum):
    """The four states, ordered by heat."""

    BEAR = 0
    TRANSITION = 1
    BULL = 2
    OVERHEATED = 3


_BEAR, _TRANSITION, _BULL, _OVERHEATED = (int(state) for state in Regime)


@dataclass(frozen=True, slots=True)
class RegimeRules:
    """Windows in bars (the defaults are of 5 minutes) and the thresholds of the table above."""

    level_window: int = 48
    trend_window: int = 2016
    agitation_window: int = 288
    dwell: int = 12
    """Bars that a state lasts at least."""
    restart: int = 288
    """Bars between two machines, counted from the epoch."""
    lookback: int = 864
    """Bars that a machine runs before its labels count; a multiple of `restart`."""
    bear_enter: float = 40.0
    bear_leave: float = 48.0
    bull_enter: float = 60.0
    bull_leave: float = 52.0
    trend_leave: float = 0.25
    overheated_enter: float = 70.0
    overheated_leave: float = 60.0
    stretch_enter: float = 1.5
    stretch_leave: float = 1.0
    agitation_enter: float = 1.5
    agitation_leave: float = 1.2
    funding_enter: float = 0.0003
    funding_leave: float = 0.00015
    present_rate: float = 0.9
    """Share of a window's bars that must be present."""
    momentum: MomentumRules = MOMENTUM_RULES
    """What the momentum handed in was made with."""

    @property
    def bars_needed(self) -> int:
        """The number of bars from which the newest label can be made, wherever in its day it lies."""
        return self.warmup + self.lookback + self.restart - 1

    @property
    def warmup(self) -> int:
        """The number of bars from which the inputs of the newest bar can be made."""
        return max(self.trend_window + 1, self.momentum.bars_needed + self.level_window - 1)


RULES = RegimeRules()


class _Clock(NamedTuple):
    """When machines start: bars of the rules, and the number of the first bar and of those before the inputs."""

    first_bar: int
    warmup: int
    restart: int
    lookback: int
    dwell: int


class Regimes(NamedTuple):
    """The label of each bar and the inputs behind it, `[bar]`."""

    label: npt.NDArray[np.int8]
    """A `Regime`, or UNKNOWN; a bar without inputs keeps the label of the bar before it."""
    level: Floats
    trend: Floats
    agitation: Floats


def regimes(
    *,
    close: Floats,
    momentum: Momentum,
    first_bar: int,
    funding: Floats | None = None,
    rules: RegimeRules = RULES,
) -> Regimes:
    """Return the regime of every bar.

    `close` is Bitcoin's; `momentum` was made from the same bars; `first_bar` is the number of the first bar
    since the epoch (its open time ÷ interval); `funding` is the rate known at each bar for 8 hours, NaN where
    unknown.
    """
    level = rolling_mean(
        momentum.score, window=rules.level_window, minimum=math.ceil(rules.present_rate * rules.level_window)
    )
    trend, agitation = _trend(close, rules)
    if funding is None:
        funding = np.full(close.shape, np.nan)
    enters, stays = _conditions(level, trend, agitation, funding, rules)
    known = np.isfinite(level) & np.isfinite(trend)
    label = np.full(close.shape, UNKNOWN, dtype=np.int8)
    clock = _Clock(first_bar, rules.warmup - 1, rules.restart, rules.lookback, rules.dwell)
    _label_days(enters, stays, known, clock, label)
    return Regimes(label, level, trend, agitation)


def _trend(close: Floats, rules: RegimeRules) -> tuple[Floats, Floats]:
    """Return (trend, agitation); 0 and NaN where the price stood still."""
    minimum = math.ceil(rules.present_rate * rules.trend_window)
    mean = rolling_mean(close, window=rules.trend_window, minimum=minimum)
    slow = realized_volatility(close, window=rules.trend_window, minimum=minimum)
    fast = realized_volatility(
        close, window=rules.agitation_window, minimum=math.ceil(rules.present_rate * rules.agitation_window)
    )
    distance = ratio(ratio(close - mean, mean), slow * math.sqrt(rules.trend_window / 3.0))
    return np.where(slow == 0.0, 0.0, distance), ratio(fast, slow)


def _conditions(
    level: Floats, trend: Floats, agitation: Floats, funding: Floats, rules: RegimeRules
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.bool_]]:
    """Return whether each state is entered and whether it is kept, `[bar, state]`; unknown says no."""
    enters, stays = np.zeros((level.size, 4), dtype=np.bool_), np.zeros((level.size, 4), dtype=np.bool_)
    enters[:, _BEAR] = (level <= rules.bear_enter) & (trend < 0.0)
    stays[:, _BEAR] = (level <= rules.bear_leave) & (trend <= rules.trend_leave)
    enters[:, _BULL] = (level >= rules.bull_enter) & (trend > 0.0)
    stays[:, _BULL] = (level >= rules.bull_leave) & (trend >= -rules.trend_leave)
    hot = (trend >= rules.stretch_enter) | (agitation >= rules.agitation_enter) | (funding >= rules.funding_enter)
    warm = (trend >= rules.stretch_leave) | (agitation >= rules.agitation_leave) | (funding >= rules.funding_leave)
    enters[:, _OVERHEATED] = (level >= rules.overheated_enter) & hot
    stays[:, _OVERHEATED] = (level >= rules.overheated_leave) & warm
    return enters, stays


@kernel
def _next_state(state: int, enters: Any, stays: Any) -> int:
    """Return the state that one bar asks for, before the dwell."""
    if enters[_OVERHEATED] or (state == _OVERHEATED and stays[_OVERHEATED]):
        return _OVERHEATED
    if state == _BULL and stays[_BULL]:
        return _BULL
    if state == _BEAR and stays[_BEAR]:
        return _BEAR
    # What cools down is still a bull market while a bull market would last.
    if enters[_BULL] or (state == _OVERHEATED and stays[_BULL]):
        return _BULL
    if enters[_BEAR]:
        return _BEAR
    return _TRANSITION


@kernel
def _label_days(enters: Any, stays: Any, known: Any, clock: _Clock, label: Any) -> None:
    """Write the label of each bar, day after day, each day by its own machine."""
    bars = known.size
    # The first day whose machine can start on a bar that has all its inputs.
    first_start = -(-(clock.first_bar + clock.warmup) // clock.restart) * clock.restart
    day = first_start + clock.lookback - clock.first_bar
    while day < bars:
        state, age = _TRANSITION, clock.dwell
        for bar in range(day - clock.lookback, min(day + clock.restart, bars)):
            age += 1
            if known[bar] and age > clock.dwell:
                wish = _next_state(state, enters[bar], stays[bar])
                if wish != state:
                    state, age = wish, 1
            if bar >= day:
                label[bar] = state
        day += clock.restart
