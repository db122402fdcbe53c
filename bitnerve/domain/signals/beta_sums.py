"""What must a scan remember, so that the sums over any window cost no more than one bar to move on?

No window is ever summed anew. A block (a UTC day) sums from zero at its start; a window is the head of the newest
block, plus whole blocks, plus what its oldest block holds after the window's start. That last part is the block's total
minus a tail, which adds the same numbers in the same order as the head did a window earlier. So a value depends on
absolute time only, never on where the caller began, and its error stays at 10⁻¹⁵ of a day's sum.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bitnerve.domain.kernel import kernel
from bitnerve.domain.signals.indicators import Floats, natural_log

COUNT, X, Y, XX, XY, YY, TURNOVER, UP, DOWN = 0, 1, 2, 3, 4, 5, 6, 7, 12
SUMS = 17
"""Rows of a table of sums: all bars (with Σy² and turnover), then five for up bars, five for down bars."""


class Memory(NamedTuple):
    """The last bars as rings, and the sums of the running block and of the blocks before it."""

    close: Floats
    """`[ring, symbol]`."""
    turnover: Floats
    returns: Floats
    head: Floats
    """`[sum, symbol]`: the newest block, from its start to the newest bar."""
    tails: Floats
    """`[window, sum, symbol]`: the block of the bar before a window, from its start to that bar."""
    totals: Floats
    """`[ring of blocks, sum, symbol]`: whole blocks."""
    window: Floats
    """`[sum, symbol]`: the window summed last."""
    age: npt.NDArray[np.int64]
    """Bars since the last trade, `[symbol]`."""
    windows: npt.NDArray[np.int64]


def make_memory(*, windows: tuple[int, ...], block: int, symbols: int, stale_bars: int) -> Memory:
    """Return a memory that has seen nothing: every close is missing and every symbol has been stale for ever."""
    ring, blocks = max(windows) + 1, max(windows) // block + 2
    return Memory(
        close=np.full((ring, symbols), np.nan),
        turnover=np.full((ring, symbols), np.nan),
        returns=np.full((ring, symbols), np.nan),
        head=np.zeros((SUMS, symbols)),
        tails=np.zeros((len(windows), SUMS, symbols)),
        totals=np.zeros((blocks, SUMS, symbols)),
        window=np.zeros((SUMS, symbols)),
        age=np.full(symbols, stale_bars, dtype=np.int64),
        windows=np.array(windows, dtype=np.int64),
    )


@kernel
def advance(memory: Memory, block: int, bitcoin: int, start: int, bar: int, close: Floats, turnover: Floats) -> None:
    """Remember one bar, and move the head and every tail on by one bar."""
    ring = memory.close.shape[0]
    now, before = bar % ring, (bar - 1) % ring
    for s in range(close.size):
        traded = close[s] > 0.0
        memory.age[s] = 0 if traded else memory.age[s] + 1
        memory.turnover[now, s] = turnover[s]
        memory.returns[now, s] = np.nan
        if traded and memory.close[before, s] > 0.0:
            memory.returns[now, s] = natural_log(close[s] / memory.close[before, s])
        memory.close[now, s] = close[s] if traded else np.nan
    if bar < start:
        return
    if bar % block == 0:
        _move(memory.head, memory.totals[(bar // block - 1) % memory.totals.shape[0]])
    _add_bar(memory.head, memory.returns[now], memory.turnover[now], bitcoin)
    for w in range(memory.windows.size):
        outside = bar - memory.windows[w]
        if outside < start:
            continue
        if outside % block == 0:
            memory.tails[w, :, :] = 0.0
        _add_bar(memory.tails[w], memory.returns[outside % ring], memory.turnover[outside % ring], bitcoin)


@kernel
def _add_bar(sums: Floats, returns: Floats, turnover: Floats, bitcoin: int) -> None:
    """Add one bar to a table of sums; a symbol without a return adds only its turnover."""
    x = returns[bitcoin]
    part = UP if x > 0.0 else DOWN
    for s in range(returns.size):
        if turnover[s] > 0.0:
            sums[TURNOVER, s] += turnover[s]
        y = returns[s]
        if np.isnan(x) or np.isnan(y):
            continue
        sums[COUNT, s] += 1.0
        sums[X, s] += x
        sums[Y, s] += y
        sums[XX, s] += x * x
        sums[XY, s] += x * y
        sums[YY, s] += y * y
        if x != 0.0:
            sums[part + COUNT, s] += 1.0
            sums[part + X, s] += x
            sums[part + Y, s] += y
            sums[part + XX, s] += x * x
            sums[part + XY, s] += x * y


@kernel
def _move(head: Floats, total: Floats) -> None:
    """Keep a whole block's sums and begin the next block from zero."""
    for row in range(head.shape[0]):
        for s in range(head.shape[1]):
            total[row, s] = head[row, s]
            head[row, s] = 0.0


@kernel
def sum_window(memory: Memory, block: int, bar: int, w: int) -> None:
    """Sum a window: what is left of its oldest block, whole blocks, the head."""
    oldest, newest = (bar - memory.windows[w]) // block, bar // block
    sums, blocks = memory.window, memory.totals.shape[0]
    for row in range(sums.shape[0]):
        first = memory.head[row] if oldest == newest else memory.totals[oldest % blocks, row]
        for s in range(sums.shape[1]):
            sums[row, s] = first[s] - memory.tails[w, row, s]
        for number in range(oldest + 1, newest):
            for s in range(sums.shape[1]):
                sums[row, s] += memory.totals[number % blocks, row, s]
        if oldest != newest:
            for s in range(sums.shape[1]):
                sums[row, s] += memory.head[row, s]
