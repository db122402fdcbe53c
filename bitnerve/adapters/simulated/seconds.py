"""Which quotes lie inside a bar, second by second?

A bar's quotes depend on the seed, the symbol, the bar's time and the bar alone: any bar's can be made again
without those before it. The last price of the first quote is the open, of the last one the close; in between
it touches high and low and never leaves them; the lots traded add up to the bar's volume.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bitnerve.adapters.simulated.compiled import compiled
from bitnerve.adapters.simulated.noise import exponential, logarithm, normal, philox, uniform
from bitnerve.domain.errors import Refusal
from bitnerve.domain.market.recording import Recording
from bitnerve.domain.timeframe import SECOND_MS
from bitnerve.domain.units import SCALE

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_SIZE, _EXTENT, _SHARE, _STEP = 16, 17, 18, 20

# CALIBRATION, "Microstructure": one stretch of 345 seconds, so orders of magnitude.
ACTIVE_PROBABILITY = 0.55
"""Of a second in which the price moves at all."""
GUST_SD = 0.6
"""Of log-sigma from one such second to the next: some jump by ten sigmas."""
ATTEMPTS = 6
"""Walks that are tried for a bar."""
TRADE_SD = 1.2
"""Of the logarithm of the lots traded in a second."""
TOUCH_SHARE = 0.011
"""Both sides of the touch together, relative to the volume of five minutes."""
TOUCH_SD = 0.6
IMBALANCE_MAX = 0.94
IMBALANCE_PERSISTENCE = 0.36
IMBALANCE_FORESIGHT = 0.30
"""Share of the next second's move in the imbalance: what a fast maker sees, far below any taker's cost."""
SPREAD_BPS, SPREAD_BPS_MAX = 0.15, 30.0
"""At a value of a million traded in five minutes; falls with its power .7, and a tick is the least."""
WIDE_PROBABILITY = 0.03
"""Of a second in which the spread is a multiple of its usual self."""

_FIVE_MINUTES = 300


class UnknownBar(Refusal):
    """A bar or a symbol that a recording does not hold."""

    code = "UNKNOWN_BAR"


@dataclass(frozen=True, slots=True)
class Quotes:
    """Top-of-book quotes in order of time, then symbol; prices in price units, sizes in lots."""

    at: Integers
    """Milliseconds."""
    symbol: Integers
    """Index into the recording's symbols."""
    bid: Integers
    ask: Integers
    bid_size: Integers
    ask_size: Integers
    last: Integers
    """The price of the last trade: the bid or the ask."""
    traded: Integers
    """Lots traded since the quote before."""
    mark: Integers


class _Bar(NamedTuple):
    at: int
    seconds: int
    open: int
    high: int
    low: int
    close: int
    """Ticks, all four."""
    volume: int
    usd: float
    tick_units: int
    mark_before: float
    """Mark over last at the open; at the close."""
    mark_after: float


def quotes(*, seed: int, recording: Recording, bar: int, symbols: Sequence[str] | None = None) -> Quotes:
    """Return a quote a second of every symbol (or of `symbols`) within a bar of a recording.

    A bar without volume has no quotes: its exchange stood still. Raises `UnknownBar`.
    """
    if not 0 <= bar < recording.bar_count:
        raise UnknownBar(f"bar: {bar} is outside 0..{recording.bar_count - 1}", bar=bar)
    for symbol in symbols or ():
        if symbol not in recording.symbols:
            raise UnknownBar(f"{symbol}: the recording does not hold it", symbol=symbol)
    parts = []
    for column, symbol in enumerate(recording.symbols):
        if (symbols is None or symbol in symbols) and recording.candles.volume[bar, column] > 0:
            # The name and not the column: other symbols beside it change nothing.
            stream = zlib.crc32(symbol.encode())
            parts.append((column, _walk(seed, stream, _read_bar(recording, bar, column))))
    if not parts:
        return Quotes(*(np.zeros(0, dtype=np.int64) for _ in range(9)))
    symbol_column = np.concatenate([np.full(len(part[0]), column) for column, part in parts])
    at, *rest = (np.concatenate(columns) for columns in zip(*(part for _, part in parts), strict=True))
    order = np.lexsort((symbol_column, at))
    return Quotes(at[order], symbol_column[order], *(values[order] for values in rest))


def _read_bar(recording: Recording, bar: int, column: int) -> _Bar:
    candles, tick = recording.candles, recording.instruments[column].tick_size
    first, last = int(candles.open[bar, column]), int(candles.close[bar, column])
    return _Bar(
        at=recording.bar_at(bar),
        seconds=candles.interval_ms // SECOND_MS,
        open=first // tick,
        high=int(candles.high[bar, column]) // tick,
        low=int(candles.low[bar, column]) // tick,
        close=last // tick,
        volume=int(candles.volume[bar, column]),
        usd=float(candles.quote_volume[bar, column]) / SCALE,
        tick_units=tick,
        mark_before=int(recording.mark[bar, column]) / first,
        mark_after=int(recording.mark[bar + 1, column]) / last,
    )


@compiled
def _walk(seed: int, stream: int, bar: _Bar) -> tuple[Integers, ...]:
    count = bar.seconds
    path, moves = _make_path(seed, stream, bar)
    traded = _share_out(seed, stream, bar, moves)
    at, bid, ask = np.empty(count, np.int64), np.empty(count, np.int64), np.empty(count, np.int64)
    bid_size, ask_size = np.empty(count, np.int64), np.empty(count, np.int64)
    last, mark = np.empty(count, np.int64), np.empty(count, np.int64)
    usual_spread = _usual_spread(bar)
    touch = TOUCH_SHARE * bar.volume * _FIVE_MINUTES / count
    typical = math.sqrt((moves * moves).mean()) + 1e-9
    is_buy, pressure = True, normal(philox(seed, stream, _SIZE, bar.at // SECOND_MS - 1)[1])
    for second in range(count):
        jitter, push, side, width = philox(seed, stream, _SIZE, bar.at // SECOND_MS + second)
        size, extent, _, _ = philox(seed, stream, _EXTENT, bar.at // SECOND_MS + second)
        at[second] = bar.at + second * SECOND_MS + (jitter % SECOND_MS if second > 0 else 0)
        if second == 0 or moves[second] == 0.0:
            is_buy = is_buy if side % 3 else side % 2 == 0
        else:
            is_buy = moves[second] > 0.0
        spread = usual_spread
        if uniform(width) < WIDE_PROBABILITY:
            spread = usual_spread * (2 + int(-1.5 * logarithm(uniform(extent))))
        price = path[second]
        low, high = (price - spread, price) if is_buy else (price, price + spread)
        low = max(low, 1)
        high = max(high, low + 1)
        pressure = IMBALANCE_PERSISTENCE * pressure + math.sqrt(1.0 - IMBALANCE_PERSISTENCE**2) * normal(push)
        ahead = moves[second + 1] / typical if second + 1 < count else 0.0
        ahead = max(-3.0, min(3.0, ahead))
        score = IMBALANCE_FORESIGHT * ahead + math.sqrt(1.0 - IMBALANCE_FORESIGHT**2) * pressure
        imbalance = IMBALANCE_MAX * score / math.sqrt(1.0 + score * score)
        both = touch * exponential(TOUCH_SD * normal(size))
        bid[second], ask[second] = low * bar.tick_units, high * bar.tick_units
        bid_size[second] = max(1, int(0.5 * both * (1.0 + imbalance)))
        ask_size[second] = max(1, int(0.5 * both * (1.0 - imbalance)))
        last[second] = price * bar.tick_units
        share = second / (count - 1)
        deviation = bar.mark_before + share * (bar.mark_after - bar.mark_before)
        mark[second] = max(1, int(last[second] * deviation + 0.5))
    return at, bid, ask, bid_size, ask_size, last, traded, mark


@compiled
def _make_path(seed: int, stream: int, bar: _Bar) -> tuple[Integers, Floats]:
    """Return the last price of each second, in ticks, and its change from the second before.

    Of several walks from open to close the one whose extremes come nearest to high and low is taken; what
    lies beyond open and close is then stretched so that they are met.
    """
    best, distance = np.zeros(bar.seconds), np.inf
    for attempt in range(ATTEMPTS):
        walk = _make_walk(seed, stream, attempt, bar)
        miss = abs(walk.max() - bar.high) + abs(walk.min() - bar.low)
        if miss < distance:
            best, distance = walk, miss
    upper, lower = float(max(bar.open, bar.close)), float(min(bar.open, bar.close))
    top, bottom = int(best.argmax()), int(best.argmin())
    above = (bar.high - upper) / max(best[top] - upper, 1e-9)
    below = (lower - bar.low) / max(lower - best[bottom], 1e-9)
    path = np.empty(bar.seconds, np.int64)
    for second in range(bar.seconds):
        price = best[second]
        if price > upper:
            price = upper + (price - upper) * above
        elif price < lower:
            price = lower - (lower - price) * below
        path[second] = min(max(math.floor(price + 0.5), bar.low), bar.high)
    # A walk that never leaves the span of open and close is made to, in a second of its own.
    if path.max() < bar.high:
        path[1 + int(best[1:-1].argmax())] = bar.high
    if path.min() > bar.low:
        path[1 + int(best[1:-1].argmin())] = bar.low
    moves = np.zeros(bar.seconds)
    # One by one: an assignment of slices compiles, for four seconds, the text of an error about their shapes.
    for second in range(1, bar.seconds):
        moves[second] = path[second] - path[second - 1]
    return path, moves


@compiled
def _make_walk(seed: int, stream: int, attempt: int, bar: _Bar) -> Floats:
    """Return a walk from open to close, in ticks, with steps as large as the bar's range and gain suggest.

    Time runs in the seconds that trade; the others stand still.
    Source of the variance: Garman and Klass, "On the estimation of security price volatilities" (1980).
    """
    count = bar.seconds
    walk, clock = np.zeros(count), np.zeros(count)
    for second in range(1, count):
        trades, size, sign, _ = philox(seed, stream, _STEP + attempt, bar.at // SECOND_MS + second)
        active = 1.0 if uniform(trades) < ACTIVE_PROBABILITY else 0.0
        clock[second] = clock[second - 1] + active
        walk[second] = walk[second - 1] + active * exponential(GUST_SD * normal(size)) * normal(sign)
    variance = 0.5 * (bar.high - bar.low) ** 2 - 0.386 * (bar.close - bar.open) ** 2
    step = math.sqrt(variance / (clock[-1] * exponential(2.0 * GUST_SD * GUST_SD)))
    clock /= clock[-1]
    path: Floats = bar.open + clock * (bar.close - bar.open) + step * (walk - clock * walk[-1])
    return path


@compiled
def _share_out(seed: int, stream: int, bar: _Bar, moves: Floats) -> Integers:
    """Return the bar's volume spread over its seconds, more where the price moves; some may get none."""
    typical = math.sqrt((moves * moves).mean()) + 1e-9
    reached = np.empty(bar.seconds)
    total = 0.0
    for second in range(bar.seconds):
        size, _, _, _ = philox(seed, stream, _SHARE, bar.at // SECOND_MS + second)
        total += exponential(TRADE_SD * normal(size)) * (1.0 + abs(moves[second]) / typical)
        reached[second] = total
    traded = np.empty(bar.seconds, np.int64)
    before = 0
    for second in range(bar.seconds):
        now = int(bar.volume * (reached[second] / total))
        traded[second], before = now - before, now
    return traded


@compiled
def _usual_spread(bar: _Bar) -> int:
    """Return the spread in ticks of a second that is like most."""
    millions = max(bar.usd * _FIVE_MINUTES / bar.seconds, 1.0) / 1e6
    bps = min(SPREAD_BPS * exponential(-0.7 * logarithm(millions)), SPREAD_BPS_MAX)
    return max(1, int(bps * 1e-4 * bar.open + 0.5))
