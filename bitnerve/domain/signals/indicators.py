"""What do the prices of a window say: its returns, mean, spread, bands, range and strength?

Arrays are `[bar]` or, time-major, `[bar, symbol]`; a missing bar is NaN. A value at bar t is made from the
bars of (t − window, t] alone, newest first, one addition after the other, so its bits do not depend on the
chunk or on the symbols beside it. Only + − × ÷ and √ are used, which IEEE 754 fixes: every machine gives the
same bits. Unless a function says otherwise there is no value before a full window of rows, at a missing bar, or
with fewer than `minimum` bars present in the window. Rows before `since` may be left out: they are then NaN.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bitnerve.domain.kernel import COMPILED, kernel
from bitnerve.domain.market.recording import Candles
from bitnerve.domain.units import SCALE

Floats = npt.NDArray[np.float64]

BANDS_WIDTH = 2.0
"""Standard deviations between the middle and a band of Bollinger."""

_TILE = 1024
"""Elements worked on at once, so that they stay in the nearest cache; it changes no bit."""
_SQRT_HALF = math.sqrt(0.5)
_LN2_HIGH = 0.693147180369123816490
"""ln 2 to 33 bits, so that its product with an exponent is exact, and the rest below. Source: fdlibm."""
_LN2_LOW = 1.90821492927058770002e-10


@kernel
def natural_log(x: float) -> float:
    """Return ln x within two units in the last place; NaN unless x is positive and finite.

    The C library's logarithm differs in its last bit between machines, and a signal must not.
    """
    if not (x > 0.0 and x < math.inf):
        return math.nan
    mantissa = x
    exponent = 0
    if x < _SQRT_HALF or x > 2.0 * _SQRT_HALF:
        mantissa, exponent = math.frexp(x)
        if mantissa < _SQRT_HALF:
            mantissa *= 2.0
            exponent -= 1
    # ln m = 2 artanh s; |s| stays below 0.172, so eleven terms of the series reach the last bit.
    s = (mantissa - 1.0) / (mantissa + 1.0)
    q = s * s
    tail = 0.0
    for term in range(23, 1, -2):
        tail = (tail + 1.0 / term) * q
    return exponent * _LN2_HIGH + (exponent * _LN2_LOW + 2.0 * (s + s * tail))


@kernel
def _log_ratios(values: Floats, earlier: Floats, result: Floats) -> None:
    """Write ln(values ÷ earlier) of two flat arrays where both are above zero."""
    for i in range(values.size):
        if values[i] > 0.0 and earlier[i] > 0.0:
            result[i] = natural_log(values[i] / earlier[i])


def observed_prices(prices: npt.NDArray[np.int64], *, volume: npt.NDArray[np.int64]) -> Floats:
    """Return a column of candles as floats of the quote asset, NaN where the bar had no volume."""
    return np.where(volume > 0, prices / SCALE, np.nan)


def observed_closes(candles: Candles) -> Floats:
    """Return the closes, `[bar, symbol]`, NaN where a symbol had no bar."""
    return observed_prices(candles.close, volume=candles.volume)


def observed_turnover(candles: Candles) -> Floats:
    """Return the volume in the quote asset, `[bar, symbol]`, NaN where a symbol had no bar."""
    return observed_prices(candles.quote_volume, volume=candles.volume)


def log_returns(close: Floats, *, bars: int = 1) -> Floats:
    """Return ln(close(t) ÷ close(t − bars)), NaN where either end is missing."""
    close = _contiguous(close)
    result = np.full(close.shape, np.nan)
    if bars < close.shape[0]:
        _log_ratios(close[bars:].ravel(), close[:-bars].ravel(), result[bars:].reshape(-1))
    return result


def rolling_sum(values: Floats, *, window: int, minimum: int | None = None, since: int = 0) -> Floats:
    """Return the sum of the present values of each window, also at a missing bar."""
    values = _contiguous(values)
    total, count = _sums(_filled(values), window, since=since), _counts(values, window)
    return np.where(count >= _needed(window, minimum), total, np.nan)


def rolling_mean(values: Floats, *, window: int, minimum: int | None = None) -> Floats:
    """Return the mean of each window, exact for a constant."""
    return _moments(values, window, minimum, spread=False)[0]


def rolling_std(values: Floats, *, window: int, minimum: int | None = None) -> Floats:
    """Return the standard deviation of each window (divisor: count − 1), exactly 0 for a constant."""
    return _moments(values, window, minimum, spread=True)[1]


def zscore(values: Floats, *, window: int, minimum: int | None = None) -> Floats:
    """Return (value − mean) ÷ standard deviation of its own window; NaN where nothing varies."""
    mean, std = _moments(values, window, minimum, spread=True)
    return ratio(values - mean, std)


class Bands(NamedTuple):
    """Bollinger bands and where the price stands between them."""

    lower: Floats
    middle: Floats
    upper: Floats
    position: Floats
    """0 at the lower band, 1 at the upper, outside beyond them; NaN where the bands have no width."""


def bollinger_bands(
    close: Floats, *, window: int, width: float = BANDS_WIDTH, minimum: int | None = None, since: int = 0
) -> Bands:
    """Return mean ± width × standard deviation of each window.

    Source: Bollinger on Bollinger Bands (2001), with the sample's standard deviation instead of the
    population's.
    """
    middle, std = _moments(close, window, minimum, spread=True, since=since)
    lower, upper = middle - width * std, middle + width * std
    return Bands(lower, middle, upper, ratio(close - lower, upper - lower))


def ema(values: Floats, *, span: int, window: int | None = None, minimum: int | None = None) -> Floats:
    """Return the mean weighted by (1 − α)ᵏ, α = 2 ÷ (span + 1), over a window of 4 × span unless given.

    A recursive average remembers everything it ever saw; this one forgets after its window, by when 0.03 % of
    the weight would be left, and so has the same bits in every chunk.
    """
    values = _contiguous(values)
    window = 4 * span if window is None else window
    decay = 1.0 - 2.0 / (span + 1.0)
    present = np.isfinite(values)
    total = _sums(_filled(values), window, decay)
    mean = ratio(total, _sums(present.astype(np.float64), window, decay))
    return np.where(present & (_counts(values, window) >= _needed(window, minimum)), mean, np.nan)


def realized_volatility(close: Floats, *, window: int, minimum: int | None = None, since: int = 0) -> Floats:
    """Return the root mean square of the log returns of one bar, also at a missing bar; ×√n is that of n bars."""
    squares = log_returns(close) ** 2
    total = rolling_sum(squares, window=window, minimum=minimum, since=since)
    return np.sqrt(ratio(total, _counts(squares, window)))


def true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    """Return the largest of high − low, |high − previous close| and |low − previous close|.

    Source: Wilder, New Concepts in Technical Trading Systems (1978). NaN without a previous close.
    """
    previous = np.full(close.shape, np.nan)
    previous[1:] = close[:-1]
    gap = np.maximum(np.abs(high - previous), np.abs(low - previous))
    widest: Floats = np.maximum(high - low, gap)
    return widest


def atr(high: Floats, low: Floats, close: Floats, *, window: int, minimum: int | None = None) -> Floats:
    """Return the mean true range of each window: a plain mean, where Wilder's remembers for ever."""
    return rolling_mean(true_range(high, low, close), window=window, minimum=minimum)


def rsi(close: Floats, *, window: int, minimum: int | None = None) -> Floats:
    """Return 100 × gains ÷ (gains + losses) of the window's price changes; 50 where the price stood still.

    Cutler's form: plain sums, where Wilder's smoothing remembers for ever.
    """
    change = np.full(close.shape, np.nan)
    change[1:] = close[1:] - close[:-1]
    gains = rolling_sum(np.maximum(change, 0.0), window=window, minimum=minimum)
    losses = rolling_sum(np.maximum(-change, 0.0), window=window, minimum=minimum)
    strength = np.where(gains + losses == 0.0, 50.0, 100.0 * ratio(gains, gains + losses))
    return np.where(np.isnan(change), np.nan, strength)


def ratio(numerator: Floats, denominator: Floats) -> Floats:
    """Return the quotient, NaN (never infinite) where the denominator is zero."""
    result = np.full(numerator.shape, np.nan)
    np.divide(numerator, denominator, out=result, where=denominator != 0.0)
    return result


def _contiguous(values: Floats) -> Floats:
    return np.ascontiguousarray(values, dtype=np.float64)


def _needed(window: int, minimum: int | None) -> int:
    return window if minimum is None else minimum


def _sums(values: Floats, window: int, decay: float = 1.0, *, since: int = 0) -> Floats:
    """Return Σ decayᵏ · values(t − k) over each full window, NaN before it, for values without NaN."""
    flat, columns = values.ravel(), _columns(values)
    result = np.full(flat.shape, np.nan)
    add = _add_weighted if COMPILED else _add_weighted_by_rows
    for start in range(max(window - 1, since) * columns, flat.size, _TILE):
        total = flat[start : start + _TILE].copy()
        add(flat, start, columns, window * columns, decay, total)
        result[start : start + total.size] = total
    return result.reshape(values.shape)


@kernel
def _add_weighted(flat: Floats, start: int, first: int, last: int, decay: float, total: Floats) -> None:
    """Add the weighted values of a tile from `start`, `first` to `last` elements back, in place."""
    weight = 1.0
    for back in range(first, last, first):
        weight *= decay
        # A slice, because an index that might be negative keeps the compiler from working on several elements at once.
        earlier = flat[start - back : start - back + total.shape[0]]
        for i in range(total.shape[0]):
            total[i] += weight * earlier[i]


def _add_weighted_by_rows(flat: Floats, start: int, first: int, last: int, decay: float, total: Floats) -> None:
    """Do what `_add_weighted` does, in the same order, a row at a time: uncompiled, its loop would take minutes."""
    weight = 1.0
    for back in range(first, last, first):
        weight *= decay
        total += weight * flat[start - back : start - back + total.shape[0]]


def _counts(values: Floats, window: int) -> Floats:
    """Return how many values of each full window are present, 0 before it."""
    # Counts are whole numbers and therefore exact in any order: running totals may be subtracted.
    totals = np.cumsum(np.isfinite(values), axis=0, dtype=np.float64)
    result = np.zeros(values.shape)
    result[window - 1 :] = totals[window - 1 :]
    result[window:] -= totals[: max(0, totals.shape[0] - window)]
    return result


def _moments(
    values: Floats, window: int, minimum: int | None, *, spread: bool, since: int = 0
) -> tuple[Floats, Floats]:
    """Return the mean and, if `spread`, the standard deviation of each window.

    Deviations are taken from the window's newest value: a constant then has a mean and a spread without any
    rounding, and large prices with small moves keep their digits.
    """
    values = _contiguous(values)
    count = _counts(values, window)
    enough = np.isfinite(values) & (count >= _needed(window, minimum))
    count = np.maximum(count, 1.0)
    offset = _deviations(values, window, np.zeros(values.shape), square=False, since=since) / count
    mean = np.where(enough, values + offset, np.nan)
    if not spread:
        return mean, mean
    squares = offset * offset + _deviations(values, window, offset, square=True, since=since)
    variance = squares / np.maximum(count - 1.0, 1.0)
    return mean, np.where(enough & (count > 1.0), np.sqrt(variance), np.nan)


def _deviations(values: Floats, window: int, offset: Floats, *, square: bool, since: int) -> Floats:
    """Return Σ (values(t − k) − values(t) − offset(t)), or Σ of its square, over the present k ≥ 1."""
    flat, columns, offsets = _filled(values).ravel(), _columns(values), offset.ravel()
    present = np.isfinite(values).ravel()
    result = np.full(flat.shape, np.nan)
    add = _add_deviations if COMPILED else _add_deviations_by_rows
    for start in range(max(window - 1, since) * columns, flat.size, _TILE):
        total = np.zeros(min(_TILE, flat.size - start))
        add(flat, present, offsets, start, columns, window * columns, square, total)
        result[start : start + total.size] = total
    return result.reshape(values.shape)


@kernel
def _add_deviations(
    flat: Floats,
    present: npt.NDArray[np.bool_],
    offsets: Floats,
    start: int,
    first: int,
    last: int,
    square: bool,
    total: Floats,
) -> None:
    """Add the deviations of a tile from `start`, `first` to `last` elements back, in place."""
    until = start + total.shape[0]
    # Slices here too.
    newest, offset = flat[start:until], offsets[start:until]
    for back in range(first, last, first):
        earlier, there = flat[start - back : until - back], present[start - back : until - back]
        # A hole counts nothing, and what is counted is the same bits with a hole elsewhere or without.
        if square:
            for i in range(total.shape[0]):
                deviation = (earlier[i] - newest[i]) - offset[i]
                if there[i]:
                    total[i] += deviation * deviation
        else:
            for i in range(total.shape[0]):
                deviation = (earlier[i] - newest[i]) - offset[i]
                if there[i]:
                    total[i] += deviation


def _add_deviations_by_rows(
    flat: Floats,
    present: npt.NDArray[np.bool_],
    offsets: Floats,
    start: int,
    first: int,
    last: int,
    square: bool,
    total: Floats,
) -> None:
    """Do what `_add_deviations` does, in the same order, a row at a time: uncompiled, its loop would take minutes."""
    until = start + total.shape[0]
    for back in range(first, last, first):
        deviation = (flat[start - back : until - back] - flat[start:until]) - offsets[start:until]
        if square:
            deviation *= deviation
        total += deviation * present[start - back : until - back]


def _filled(values: Floats) -> Floats:
    return np.where(np.isfinite(values), values, 0.0)


def _columns(values: Floats) -> int:
    return values.shape[1] if values.ndim == 2 else 1
