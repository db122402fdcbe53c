"""Which bars does one symbol print, given what all share and its own news?"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bitnerve.adapters.simulated.compiled import compiled
from bitnerve.adapters.simulated.factors import Factors
from bitnerve.adapters.simulated.noise import Word, exponential, logarithm, normal, philox, uniform

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_RANGE, _TRADES, _STATE = 8, 9, 10

# What a symbol carries from bar to bar.
LOG_PRICE, LAST_TICKS, HURRY, INTEREST, BASIS = range(5)
STATE_SIZE = 5

LOG_RANGE = 0.43
"""Median of log(range ÷ sigma) of a bar that is a Brownian path."""

# CALIBRATION, "Volume": log sd .94, autocorrelation .77 / .50 / .26, correlation with abs r .56.
VOLUME_RANGE = 0.75
"""What log-volume gains with the log of the bar's range."""
HURRY_SD, HURRY_PERSISTENCE = 0.30, 0.917
INTEREST_PERSISTENCE = 0.9993
CROWD_SD = 0.25
VOLUME_FLICKER = 0.28
USD_MAX = 1.8e9
"""Of one bar: 4 hours of them still fit into money units."""

# CALIBRATION, "Basis": the deviation of perp from spot keeps .72 from one bar to the next.
BASIS_PERSISTENCE = 0.72


class Character(NamedTuple):
    """What distinguishes one symbol from another."""

    beta: float
    """Against Bitcoin, outside rallies."""
    rally_loss: float
    """The part of beta that a rally takes away."""
    tide: float
    """Against what alts share beyond Bitcoin."""
    log_sigma: float
    """Of an ordinary bar, all drivers together."""
    log_usd: float
    """Logarithm of the value traded in an ordinary bar."""
    volume_hour: float
    volume_weekday: float
    """How far its trading follows Bitcoin's season beyond what its ranges do."""
    interest: float
    """Standard deviation of the part of log-volume that stays for days."""
    basis: float
    """Mean of log(mark ÷ last)."""
    basis_sd: float
    """Of it, in a bar of ordinary sigma; marks stray further where prices move more."""
    tick_units: int
    lot_tick_units: int
    """Money units of one lot at a price of one tick."""


class Columns(NamedTuple):
    """Bars as they are written, [bar, symbol]; `mark` has a row more, for the start of the first bar."""

    open: Integers
    high: Integers
    low: Integers
    close: Integers
    volume: Integers
    quote_volume: Integers
    mark: Integers


@compiled
def start_state(seed: int, stream: int, at: int, first_ticks: int) -> Floats:
    """Return a symbol's state before bar `at`."""
    hurry, interest, basis, _ = philox(seed, stream, _STATE, at)
    state = np.empty(STATE_SIZE)
    state[LOG_PRICE], state[LAST_TICKS] = logarithm(float(first_ticks)), first_ticks
    state[HURRY], state[INTEREST], state[BASIS] = normal(hurry), normal(interest), normal(basis)
    return state


@compiled
def mark_units(last_units: int, deviation: float) -> int:
    """Return the mark price that deviates from the last price by this logarithm, at least one unit."""
    return max(1, int(last_units * exponential(deviation) + 0.5))


@compiled
def trace(
    seed: int,
    stream: int,
    at: int,
    shared: Factors,
    own: Floats,
    own_variance: Floats,
    character: Character,
    state: Floats,
    column: int,
    out: Columns,
) -> None:
    """Write the bars `at`, `at` + 1, ... of one symbol, one per value of `own`, and move its state on.

    The log price moves by its innovations less half their variance, so that the price itself is a martingale.
    High and low are drawn from the extremes of a Brownian path between the two ends.
    Source: the law of the maximum of a Brownian bridge, e.g. Karatzas and Shreve, problem 2.8.8.
    """
    tick = character.tick_units
    for bar in range(len(own)):
        word_high, word_low, word_open, word_trades = philox(seed, stream, _RANGE, at + bar)
        word_hurry, word_interest, word_flicker, word_basis = philox(seed, stream, _TRADES, at + bar)
        state[HURRY] = _step(state[HURRY], HURRY_PERSISTENCE, word_hurry)
        state[INTEREST] = _step(state[INTEREST], INTEREST_PERSISTENCE, word_interest)
        state[BASIS] = _step(state[BASIS], BASIS_PERSISTENCE, word_basis)
        before = int(state[LAST_TICKS])
        if shared.halted[bar] > 0.0:
            for prices in (out.open, out.high, out.low, out.close):
                prices[bar, column] = before * tick
            out.volume[bar, column], out.quote_volume[bar, column] = 0, 0
            out.mark[bar + 1, column] = before * tick
            continue
        beta = character.beta * (1.0 - character.rally_loss * shared.rally[bar])
        variance = (
            beta * beta * shared.market_variance[bar]
            + character.tide * character.tide * shared.tide_variance[bar]
            + own_variance[bar]
        )
        move = beta * shared.market[bar] + character.tide * shared.tide[bar] + own[bar] - 0.5 * variance
        price = exponential(state[LOG_PRICE])
        state[LOG_PRICE] += move
        up = 0.5 * (move + math.sqrt(move * move - 2.0 * variance * logarithm(uniform(word_high))))
        down = 0.5 * (move - math.sqrt(move * move - 2.0 * variance * logarithm(uniform(word_low))))
        # Every second bar opens at the last close, the others a tick beside it, as recorded ones do.
        first = max(1, before + (0, 0, 1, -1)[word_open % 4])
        last = max(1, int(price * exponential(move) + 0.5))
        high = max(first, last, int(price * exponential(up) + 0.5))
        low = min(first, last, max(1, int(price * exponential(down) + 0.5)))
        # The range brings its own season along; the rest of the volume's season is added.
        hour = shared.volume_hour[bar] - VOLUME_RANGE * shared.sigma_hour[bar]
        weekday = shared.volume_weekday[bar] - VOLUME_RANGE * shared.sigma_weekday[bar]
        log_usd = (
            character.log_usd
            + character.volume_hour * hour
            + character.volume_weekday * weekday
            + VOLUME_RANGE * (logarithm(up - down) - LOG_RANGE - character.log_sigma)
            + CROWD_SD * shared.crowd[bar]
            + HURRY_SD * state[HURRY]
            + character.interest * state[INTEREST]
            + VOLUME_FLICKER * normal(word_flicker)
        )
        mean = 0.25 * (first + high + low + last) + 0.2 * (uniform(word_trades) - 0.5) * (high - low)
        traded = min(max(low, int(mean + 0.5)), high)
        lot_usd = 1e-8 * character.lot_tick_units * traded
        lots = max(1, int(min(exponential(log_usd), USD_MAX) / lot_usd))
        out.open[bar, column], out.close[bar, column] = first * tick, last * tick
        out.high[bar, column], out.low[bar, column] = high * tick, low * tick
        out.volume[bar, column], out.quote_volume[bar, column] = (
            lots,
            lots * traded * character.lot_tick_units,
        )
        strain = math.sqrt(variance) * exponential(-character.log_sigma)
        deviation = character.basis + character.basis_sd * strain * state[BASIS]
        out.mark[bar + 1, column] = mark_units(last * tick, deviation)
        state[LAST_TICKS] = last


@compiled
def _step(level: float, persistence: float, word: Word) -> float:
    return persistence * level + math.sqrt(1.0 - persistence * persistence) * normal(word)
