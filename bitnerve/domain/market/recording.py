"""What happened on a market, as columns: the bars, marks and funding that a replay runs over?

Arrays are time-major, `[bar, symbol]`, so that one tick of all symbols lies side by side in memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from bitnerve.domain.market.instrument import Instrument

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Candles:
    """Bars of one interval without holes in time: row i covers [start_at + i·interval, + interval).

    A symbol without a bar, or whose bar has no volume, has volume 0 and stands still at its last close; before its
    first bar all its prices are 0.
    """

    start_at: int
    """Milliseconds."""
    interval_ms: int
    open: Integers
    high: Integers
    low: Integers
    close: Integers
    volume: Integers
    """Lots, floored."""
    quote_volume: Integers
    """Money units, above zero where volume is."""


@dataclass(frozen=True, slots=True)
class FundingSchedule:
    """Funding settlements in order of time, then symbol."""

    at: Integers
    """Milliseconds; the venue's own times, which may lie off the bar grid."""
    symbol: Integers
    """Index into the recording's symbols."""
    rate: Integers
    known: npt.NDArray[np.bool_]
    """False where the venue's rate is missing: recorded as unknown, never taken as zero."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Bars that a recording lacks: [start_at, until) of one symbol."""

    symbol: str
    start_at: int
    until: int
    bars: int


@dataclass(frozen=True, slots=True)
class Source:
    """One input of a run, named by its content."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Recording:
    """Everything that a market offers to a replay; `mark` has one row more than there are bars."""

    instruments: tuple[Instrument, ...]
    candles: Candles
    mark: Integers
    """mark(t) at the start of bar i, [bar + 1, symbol]: the mark bar's open there, else the last candle close."""
    mark_path: Candles | None
    """Mark bars of the candles' own interval: the path of liquidations and mark triggers; else the candles serve."""
    funding: FundingSchedule
    gaps: tuple[Gap, ...] = ()
    sources: tuple[Source, ...] = ()
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def symbols(self) -> tuple[str, ...]:
        """The symbols in column order: sorted by name."""
        return tuple(instrument.symbol for instrument in self.instruments)

    @property
    def bar_count(self) -> int:
        """The number of bars."""
        return int(self.candles.open.shape[0])

    def bar_at(self, index: int) -> int:
        """Return the instant, in milliseconds, at which bar `index` opens."""
        return self.candles.start_at + index * self.candles.interval_ms


def no_funding() -> FundingSchedule:
    """Return an empty schedule."""
    empty = np.zeros(0, dtype=np.int64)
    return FundingSchedule(at=empty, symbol=empty, rate=empty, known=np.zeros(0, dtype=np.bool_))


def mark_from_closes(close: Integers, first_open: Integers) -> Integers:
    """Return mark(t) for a market without mark bars: the last close, and before any bar the first open."""
    return np.vstack([first_open[None, :], close])
