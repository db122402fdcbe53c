"""How does the simulated market pass by, bar after bar and quote after quote?"""

from __future__ import annotations

import threading

import numpy as np

from bitnerve.adapters.simulated.factors import BAR_MS
from bitnerve.adapters.simulated.market import simulate
from bitnerve.adapters.simulated.seconds import quotes
from bitnerve.domain.kernel import integers
from bitnerve.domain.market.recording import Recording
from bitnerve.domain.timeframe import DAY_MS
from bitnerve.domain.trading import tape
from bitnerve.domain.trading.account import Integers

_MONTH_BARS = 30 * DAY_MS // BAR_MS
"""Bars that are simulated ahead at a time: half a second's work."""


class SimulatedFeed:
    """A market without end, made from a seed and a start; what is asked for later changes nothing before it."""

    bar_count = None
    with_quotes = True

    def __init__(self, *, seed: int, start_at: int, symbol_count: int) -> None:
        """`start_at` is when the first bar opens, in milliseconds."""
        self._seed, self._start_at, self._symbol_count = seed, start_at, symbol_count
        self._made: Recording | None = None
        self._lock = threading.Lock()

    def recording(self, bars: int) -> Recording:
        """Return the market with at least its first `bars` bars."""
        with self._lock:
            if self._made is None or self._made.bar_count < bars:
                count = -(-max(bars, 1) // _MONTH_BARS) * _MONTH_BARS
                self._made = simulate(
                    seed=self._seed, symbol_count=self._symbol_count, start_at=self._start_at, bar_count=count
                )
            return self._made

    def tape(self, bar: int, every_ms: int) -> Integers:
        """Return a bar's quotes, the first of every symbol in each `every_ms` from the bar's opening on."""
        recording = self.recording(bar + 1)
        found = quotes(seed=self._seed, recording=recording, bar=bar)
        turn = (found.at - recording.bar_at(bar)) // every_ms
        key = turn * len(recording.symbols) + found.symbol
        # The quotes stand in order of time, so a symbol's first of a turn is the first of its key.
        first = np.sort(np.unique(key, return_index=True)[1])
        columns = [found.at, found.symbol, found.bid, found.ask, found.bid_size, found.ask_size]
        return integers(np.stack([*columns, found.mark, found.last], axis=1)[first].reshape(-1, tape.COLUMNS))
