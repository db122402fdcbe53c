"""How does a feed pass by without what cannot be true? It may come from anywhere, and nothing behind it looks twice."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from bitnerve.domain.market.recording import Recording
from bitnerve.domain.market.soundness import BAD_QUOTE, CROSSED_BOOK, Sound, find_flaws, make_sound
from bitnerve.domain.trading import tape
from bitnerve.domain.units import PRICE_MAX
from bitnerve.engine.ports import Feed

TAPES_KEPT = 16
"""Bars of quotes that are kept: a month of one-minute quotes would fill a machine."""


@dataclass(frozen=True, slots=True)
class _Looked:
    at: Recording
    found: Sound


class SoundFeed:
    """Another feed, with bars, marks and quotes that cannot be true left out, and an account of them."""

    def __init__(self, feed: Feed) -> None:
        self._feed = feed
        self._looked: _Looked | None = None
        self._lock = threading.Lock()
        # A tick asks for the quotes that were just played.
        self._read = lru_cache(maxsize=TAPES_KEPT)(self._read_tape)

    @property
    def bar_count(self) -> int | None:
        """The number of bars after which the market ends."""
        return self._feed.bar_count

    @property
    def with_quotes(self) -> bool:
        """Whether there are quotes between bar ends."""
        return self._feed.with_quotes

    def recording(self, bars: int) -> Recording:
        """Return the market with at least its first `bars` bars."""
        return self._look(bars).recording

    def _look(self, bars: int) -> Sound:
        recording = self._feed.recording(bars)
        with self._lock:
            if self._looked is None or self._looked.at is not recording:
                self._looked = _Looked(recording, make_sound(recording))
            return self._looked.found

    def tape(self, bar: int, every_ms: int) -> Any:
        """Return a bar's quotes without those that cannot be true."""
        return self._read(bar, every_ms)[0]

    def _read_tape(self, bar: int, every_ms: int) -> tuple[Any, list[tuple[str, str]]]:
        """Return a bar's sound quotes, and (symbol, rule) of the others."""
        quotes = self._feed.tape(bar, every_ms)
        wrong = self._wrong(bar, quotes)
        if not np.any(wrong):
            return quotes, []
        symbols = dict(enumerate(self.recording(bar).symbols))
        found = []
        for rule, those in zip((CROSSED_BOOK, BAD_QUOTE), wrong, strict=True):
            columns = sorted(set(quotes[those, tape.SYMBOL].tolist()) & symbols.keys())
            found += [(symbols[column], rule) for column in columns]
        return quotes[~np.any(wrong, axis=0)], found

    def _wrong(self, bar: int, quotes: Any) -> list[Any]:
        """Return whether each quote is crossed, and whether it is no quote at all."""
        rows = np.asarray(quotes, dtype=np.int64).reshape(-1, tape.COLUMNS)
        recording = self.recording(bar)
        bid, ask = rows[:, tape.BID], rows[:, tape.ASK]
        begin = recording.bar_at(bar)
        beside = (rows[:, tape.AT] < begin) | (rows[:, tape.AT] >= begin + recording.candles.interval_ms)
        unknown = (rows[:, tape.SYMBOL] < 0) | (rows[:, tape.SYMBOL] >= len(recording.symbols))
        prices, sizes = rows[:, [tape.MARK, tape.LAST]], rows[:, [tape.BID_LOTS, tape.ASK_LOTS]]
        offers = rows[:, [tape.BID, tape.ASK]]
        bad = beside | unknown | (prices <= 0).any(axis=1) | (prices > PRICE_MAX).any(axis=1)
        bad |= (offers < 0).any(axis=1) | (offers > PRICE_MAX).any(axis=1) | (sizes < 0).any(axis=1)
        return [(bid >= ask) & (bid > 0) & (ask > 0), bad]

    def flaws(
        self, *, first: int, until: int, every_ms: int, stale_bars_max: int, jump_max: int
    ) -> list[tuple[str, str]]:
        """Return (symbol, rule) of all that is wrong with the bars [first, until), and with the last one's quotes.

        `every_ms` is how far apart the quotes lie that are looked at; 0: none.
        """
        sound = self._look(until)
        found = find_flaws(sound, first=first, until=until, stale_bars_max=stale_bars_max, jump_max=jump_max)
        if every_ms and until:
            found += self._read(until - 1, every_ms)[1]
        return sorted(found)
