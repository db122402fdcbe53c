"""How do bars of several symbols become one market without holes in time, and what was missing?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from bitnerve.adapters.recordings.bars import Bars, VolumeOutOfRange
from bitnerve.adapters.recordings.exact import fits_lots, money, turnover, whole_lots
from bitnerve.adapters.recordings.rows import Integers, refuse_first
from bitnerve.domain.market.instrument import Instrument
from bitnerve.domain.market.recording import Candles, Gap


@dataclass(frozen=True, slots=True)
class Timeline:
    """The bars' opening times that a recording covers, without holes."""

    start_at: int
    interval_ms: int
    count: int

    @property
    def until(self) -> int:
        """The end of the last bar."""
        return self.start_at + self.count * self.interval_ms

    def index_of(self, at: Integers) -> Integers:
        """Return which bar opens at or covers each time; the caller keeps what lies inside."""
        index: Integers = (at - self.start_at) // self.interval_ms
        return index


def make_timeline(bars: Sequence[Bars], interval_ms: int) -> Timeline:
    """Return the timeline from the earliest to the latest bar of all symbols."""
    start_at = min(int(one.at[0]) for one in bars)
    last_at = max(int(one.at[-1]) for one in bars)
    return Timeline(start_at=start_at, interval_ms=interval_ms, count=(last_at - start_at) // interval_ms + 1)


def make_candles(bars: Sequence[Bars], instruments: Sequence[Instrument], timeline: Timeline) -> Candles:
    """Return the bars as `[bar, symbol]` columns in which missing and volumeless bars stand still.

    A volume below one lot is no volume. A first bar without volume stands still at its own close.
    """
    columns = [_place(one, instrument, timeline) for one, instrument in zip(bars, instruments, strict=True)]
    fields = [np.ascontiguousarray(np.stack(field, axis=1)) for field in zip(*columns, strict=True)]
    return Candles(timeline.start_at, timeline.interval_ms, *fields)


def list_gaps(bars: Sequence[Bars]) -> Iterator[Gap]:
    """Yield each run of bars that a symbol lacks between its first and its last, by symbol, then time."""
    for one in bars:
        ends, following = one.at[:-1] + one.interval_ms, one.at[1:]
        for index in np.flatnonzero(following > ends):
            begin, until = int(ends[index]), int(following[index])
            yield Gap(symbol=one.symbol, start_at=begin, until=until, bars=(until - begin) // one.interval_ms)


def _place(bars: Bars, instrument: Instrument, timeline: Timeline) -> list[Integers]:
    """Return open, high, low, close, lots and turnover of one symbol along the timeline."""
    lots, quote = _lots(bars, instrument), _turnover(bars)
    index = timeline.index_of(bars.at)
    traded = lots > 0
    moved = index[traded]
    # The bar whose close holds at each time: the latest one that traded, or the first of all.
    latest = np.full(timeline.count, -1, dtype=np.int64)
    latest[index[0]] = 0
    latest[moved] = np.flatnonzero(traded)
    latest = np.maximum.accumulate(latest)
    still = np.where(latest >= 0, bars.close[latest], 0)
    placed = []
    for prices in (bars.open, bars.high, bars.low, bars.close):
        column = still.copy()
        column[moved] = prices[traded]
        placed.append(column)
    for amounts in (lots, np.maximum(quote, 1)):
        column = np.zeros(timeline.count, dtype=np.int64)
        column[moved] = amounts[traded]
        placed.append(column)
    return placed


def _lots(bars: Bars, instrument: Instrument) -> Integers:
    beyond = ~fits_lots(bars.volume, instrument.lot_size)
    rule = f"must fit into 64 bits of lots of {instrument.lot_size}"
    refuse_first(VolumeOutOfRange, beyond, bars.rows, "volume", rule)
    return whole_lots(bars.volume, instrument.lot_size)


def _turnover(bars: Bars) -> Integers:
    """Return the recorded quote volumes in money units, and volume × close where there is none."""
    unknown = np.isnan(bars.quote_volume)
    quote = np.zeros(len(unknown), dtype=np.int64)
    quote[~unknown] = money(bars.quote_volume[~unknown])
    quote[unknown] = turnover(bars.volume[unknown], bars.close[unknown])
    return quote
