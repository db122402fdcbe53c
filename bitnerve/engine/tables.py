"""How does a market lie in the tables that kernels read?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from bitnerve.domain.kernel import integers, zeros
from bitnerve.domain.market.recording import FundingSchedule, Recording
from bitnerve.domain.trading import session
from bitnerve.domain.trading.account import Integers


@dataclass(frozen=True, slots=True)
class MarketTables:
    """A recording, and its bars, marks, times and settlements as kernels read them."""

    recording: Recording
    bars: Integers
    mark: Integers
    at: Integers
    """The opening instants of the bars, and the end of the last, in milliseconds."""
    funding: Integers


def make_tables(recording: Recording) -> MarketTables:
    """Return a market in tables; they may be shared by any number of worlds."""
    candles = recording.candles
    return MarketTables(
        recording=recording,
        bars=bar_table(recording),
        mark=integers(recording.mark),
        at=integers(candles.start_at + np.arange(recording.bar_count + 1) * candles.interval_ms),
        funding=funding_table(recording.funding, start_at=candles.start_at, interval_ms=candles.interval_ms),
    )


def bar_table(recording: Recording) -> Integers:
    """Return the bars as kernels read them: [row, bar, symbol]."""
    candles = recording.candles
    rows = [candles.open, candles.high, candles.low, candles.close, candles.volume, candles.quote_volume]
    if recording.mark_path:
        marks = recording.mark_path
        rows += [marks.open, marks.high, marks.low, marks.close]
    return integers(np.stack(rows))


def funding_table(schedule: FundingSchedule, *, start_at: int, interval_ms: int) -> Integers:
    """Return the settlements as kernels read them: due at the first bar end at or after each funding time."""
    table = zeros(len(schedule.at), session.SCHEDULE_COLUMNS)
    table[:, session.DUE] = integers(-((start_at - schedule.at) // interval_ms))
    table[:, session.FUNDED_AT] = integers(schedule.at)
    table[:, session.SYMBOL] = integers(schedule.symbol)
    table[:, session.RATE] = integers(schedule.rate)
    table[:, session.KNOWN] = integers(schedule.known.astype(np.int64))
    return table
