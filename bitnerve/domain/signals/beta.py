"""How much more than Bitcoin does each alt move, over several windows, and which alts amplify it most?

For each window of W bars and each alt, over the bars at which both have a log return (x: Bitcoin's, y: the
alt's):

- beta = cov(x, y) ÷ var(x); beta_up and beta_down the same over the bars with x > 0 and with x < 0;
- r_squared = cov(x, y)² ÷ (var(x) · var(y)); samples = the number of such bars;
- amplification = the alt's simple return over W bars ÷ Bitcoin's, where Bitcoin moved enough to divide by;
- turnover = mean volume per bar in the quote asset, a missing bar counting as none.

An alt is ranked in a window when it has enough samples and fit, traded lately, and is liquid; by explained
beta, beta × R², highest first, ties by column. Bitcoin is the signal: its column has a beta of 1 and never a
rank.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bitnerve.domain.errors import BrokenInvariant
from bitnerve.domain.kernel import INT64_MAX, kernel
from bitnerve.domain.signals.beta_sums import (
    COUNT,
    DOWN,
    TURNOVER,
    UP,
    XX,
    XY,
    YY,
    Memory,
    X,
    Y,
    advance,
    make_memory,
    sum_window,
)
from bitnerve.domain.signals.indicators import Floats

_ZERO_VARIANCE = 1e-9
"""Share of the mean square below which a variance is rounding, not movement."""


class BarOutOfOrder(BrokenInvariant):
    """A bar that does not follow the bar before it."""


@dataclass(frozen=True, slots=True)
class ScanRules:
    """Windows in bars (the defaults are of 5 minutes) and what makes an alt worth ranking."""

    windows: tuple[int, ...] = (12, 48, 144, 288, 864, 2016)
    block: int = 288
    """Bars of a block of sums, counted from the epoch; no value depends on it but for the last bits."""
    bitcoin_move: float = 0.005
    """Smallest absolute return of Bitcoin over a window that an alt's return is divided by."""
    sample_rate: float = 0.75
    """Share of a window's bars that must be samples."""
    r_squared_minimum: float = 0.05
    turnover_window: int = 288
    """One of the windows: over which liquidity is judged."""
    turnover_minimum: float = 10_000.0
    """Quote asset per bar, mean."""
    stale_bars: int = 3
    """Bars without a trade after which an alt is stale."""

    @property
    def bars_needed(self) -> int:
        """The number of bars from which the newest scan can be made, wherever in its block it lies."""
        return max(self.windows) + self.block + 1


RULES = ScanRules()


class Scan(NamedTuple):
    """What the scan of a bar says, each array `[window, symbol]` (of several bars: `[bar, window, symbol]`).

    Everything is NaN, or 0 in whole numbers, until a window and the block in which it begins have been seen.
    """

    beta: Floats
    beta_up: Floats
    beta_down: Floats
    amplification: Floats
    r_squared: Floats
    turnover: Floats
    samples: npt.NDArray[np.int32]
    score: Floats
    """What ranks: beta × R² of whoever is eligible, NaN of the others."""
    rank: npt.NDArray[np.int32]
    """1 is the strongest amplifier of the window; 0 is not ranked."""


class _Limits(NamedTuple):
    bitcoin: int
    block: int
    start: int
    """The bar that begins the first block seen whole."""
    stale_bars: int
    turnover_row: int
    turnover_minimum: float
    bitcoin_move: float
    sample_rate: float
    r_squared_minimum: float


class BetaScan:
    """A scan that is fed bar after bar and gives the same bits as one made over all bars at once."""

    def __init__(self, *, symbols: int, bitcoin: int, rules: ScanRules = RULES) -> None:
        """Begin a scan of so many columns, of which `bitcoin` is the signal's."""
        if rules.turnover_window not in rules.windows:
            raise ValueError(f"turnover_window {rules.turnover_window} must be one of the windows {rules.windows}")
        self._memory = make_memory(
            windows=rules.windows, block=rules.block, symbols=symbols, stale_bars=rules.stale_bars
        )
        self._limits = _Limits(
            bitcoin=bitcoin,
            block=rules.block,
            start=0,
            stale_bars=rules.stale_bars,
            turnover_row=rules.windows.index(rules.turnover_window),
            turnover_minimum=rules.turnover_minimum,
            bitcoin_move=rules.bitcoin_move,
            sample_rate=rules.sample_rate,
            r_squared_minimum=rules.r_squared_minimum,
        )
        self._next_bar: int | None = None

    def push(self, *, bar: int, close: Floats, turnover: Floats) -> Scan:
        """Take the bar of this number since the epoch and scan it; arrays `[symbol]`, NaN is missing."""
        scan = self.extend(first_bar=bar, close=close[None, :], turnover=turnover[None, :], keep=1)
        return Scan(*(values[0] for values in scan))

    def extend(self, *, first_bar: int, close: Floats, turnover: Floats, keep: int = 0) -> Scan:
        """Take the bars that follow, `[bar, symbol]`, and return the scans of the last `keep` of them."""
        if self._next_bar is None:
            # The first bar has no return, so the first whole block is the one that starts after it.
            block = self._limits.block
            self._limits = self._limits._replace(start=(first_bar // block + 1) * block)
        elif first_bar != self._next_bar:
            raise BarOutOfOrder(f"bar {first_bar} was handed in where bar {self._next_bar} follows")
        self._next_bar = first_bar + close.shape[0]
        scan = _empty_scan(keep, len(self._memory.windows), close.shape[1])
        bars = [np.ascontiguousarray(values, dtype=np.float64) for values in (close, turnover)]
        _scan_bars(self._memory, self._limits, scan, first_bar, *bars)
        _rank(scan)
        return scan


def scan_bars(*, close: Floats, turnover: Floats, bitcoin: int, first_bar: int, rules: ScanRules = RULES) -> Scan:
    """Return the scan of every bar of `[bar, symbol]` arrays at once, `[bar, window, symbol]`."""
    scan = BetaScan(symbols=close.shape[1], bitcoin=bitcoin, rules=rules)
    return scan.extend(first_bar=first_bar, close=close, turnover=turnover, keep=close.shape[0])


def _empty_scan(bars: int, windows: int, symbols: int) -> Scan:
    shape = (bars, windows, symbols)
    beta, beta_up, beta_down, amplification, r_squared, turnover, score = np.full((7, *shape), np.nan)
    samples, rank = np.zeros((2, *shape), dtype=np.int32)
    return Scan(beta, beta_up, beta_down, amplification, r_squared, turnover, samples, score, rank)


def _rank(scan: Scan) -> None:
    """Write 1 for the highest score of each row and so on; scores equal to 40 bits go by column.

    Sorting whole numbers that hold a score above its column is ten times faster than an argsort of floats.
    """
    symbols = scan.score.shape[-1]
    mask = (1 << symbols.bit_length()) - 1
    # The bits of floats, read as integers, rise with the floats; those of negative floats fall.
    bits = (-scan.score).view(np.int64)
    rising = bits ^ ((bits >> 63) & INT64_MAX)
    scores = np.where(np.isnan(scan.score), INT64_MAX, rising) & ~mask
    keys = np.sort(scores | np.arange(symbols), axis=-1)
    _write_ranks(keys.reshape(-1, symbols), mask, scan.rank.reshape(-1, symbols))


@kernel
def _write_ranks(keys: npt.NDArray[np.int64], mask: int, rank: npt.NDArray[np.int32]) -> None:
    """Write the places of sorted keys into the columns that the keys hold, up to the first without a score."""
    unscored = INT64_MAX - mask
    for row in range(keys.shape[0]):
        for place in range(keys.shape[1]):
            if keys[row, place] >= unscored:
                break
            rank[row, keys[row, place] & mask] = place + 1


@kernel
def _scan_bars(memory: Memory, limits: _Limits, scan: Scan, first_bar: int, close: Floats, turnover: Floats) -> None:
    """Take the bars one by one and measure the last of them, as many as `scan` has room for."""
    skipped = close.shape[0] - scan.score.shape[0]
    for row in range(close.shape[0]):
        bar = first_bar + row
        advance(memory, limits.block, limits.bitcoin, limits.start, bar, close[row], turnover[row])
        if row < skipped:
            continue
        kept = row - skipped
        for w in range(memory.windows.size):
            if bar - memory.windows[w] >= limits.start:
                sum_window(memory, limits.block, bar, w)
                _measure(memory, limits, bar, w, scan, kept)
        # Liquidity is known only when all windows are measured, so scoring comes last.
        for w in range(memory.windows.size):
            _score(memory, limits, w, scan, kept)


@kernel
def _slope(sums: Floats, part: int, s: int) -> float:
    """Return cov(x, y) ÷ var(x) of one part of the sums, NaN where x does not vary."""
    count, x = sums[part + COUNT, s], sums[part + X, s]
    mean_square = count * sums[part + XX, s]
    variance = mean_square - x * x
    if count < 2.0 or variance <= _ZERO_VARIANCE * mean_square:
        return np.nan
    return float((count * sums[part + XY, s] - x * sums[part + Y, s]) / variance)


@kernel
def _measure(memory: Memory, limits: _Limits, bar: int, w: int, scan: Scan, kept: int) -> None:
    """Write everything but the ranks of one window."""
    ring, bars, sums = memory.close.shape[0], memory.windows[w], memory.window
    now, then = memory.close[bar % ring], memory.close[(bar - bars) % ring]
    move = now[limits.bitcoin] / then[limits.bitcoin] - 1.0
    enough = move != 0.0 and abs(move) >= limits.bitcoin_move
    for s in range(now.size):
        count, y = sums[COUNT, s], sums[Y, s]
        beta = _slope(sums, 0, s)
        scan.beta[kept, w, s] = beta
        scan.beta_up[kept, w, s] = _slope(sums, UP, s)
        scan.beta_down[kept, w, s] = _slope(sums, DOWN, s)
        scan.samples[kept, w, s] = int(count)
        scan.turnover[kept, w, s] = sums[TURNOVER, s] / bars
        variance = count * sums[YY, s] - y * y
        if variance > _ZERO_VARIANCE * count * sums[YY, s]:
            covariance = count * sums[XY, s] - sums[X, s] * y
            fit = beta * covariance / variance
            scan.r_squared[kept, w, s] = 1.0 if fit > 1.0 else fit
        if enough:
            scan.amplification[kept, w, s] = (now[s] / then[s] - 1.0) / move


@kernel
def _score(memory: Memory, limits: _Limits, w: int, scan: Scan, kept: int) -> None:
    """Write the score of every symbol that is eligible in one window."""
    samples_needed = limits.sample_rate * memory.windows[w]
    for s in range(memory.age.size):
        if (
            s != limits.bitcoin
            and memory.age[s] < limits.stale_bars
            and scan.samples[kept, w, s] >= samples_needed
            and scan.r_squared[kept, w, s] >= limits.r_squared_minimum
            and scan.turnover[kept, limits.turnover_row, s] >= limits.turnover_minimum
        ):
            scan.score[kept, w, s] = scan.beta[kept, w, s] * scan.r_squared[kept, w, s]
