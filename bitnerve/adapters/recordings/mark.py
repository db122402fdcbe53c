"""What was the mark price at the start of every bar, and which path did it take inside?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from bitnerve.adapters.recordings.bars import Bars
from bitnerve.adapters.recordings.candles import Timeline
from bitnerve.adapters.recordings.rows import Integers
from bitnerve.domain.market.recording import Candles, mark_from_closes


def make_mark(candles: Candles, marks: Mapping[int, Bars], timeline: Timeline) -> Integers:
    """Return mark(t) at the start of every bar and at the end of the last, `[bar + 1, symbol]`.

    `marks` maps columns to mark bars of any interval. Where none starts at t, the last known close stands in;
    at a symbol's first bar its open; before that the mark is 0, as all its prices are.
    """
    first = _first_bars(candles)
    columns = np.arange(len(first))
    mark = mark_from_closes(candles.close, candles.open[0])
    mark[first, columns] = candles.open[first, columns]
    for column, bars in marks.items():
        index, fits = timeline.index_of(bars.at), (bars.at - timeline.start_at) % timeline.interval_ms == 0
        fits &= (index >= first[column]) & (index <= timeline.count)
        mark[index[fits], column] = bars.open[fits]
    return mark


def make_mark_path(candles: Candles, marks: Mapping[int, Bars], timeline: Timeline) -> Candles | None:
    """Return the mark bars along the timeline when they have its interval, else None.

    Where a mark bar is missing the candle stands in for it. Volumes are the candles', so that a bar in which
    nothing traded can be told.
    """
    if not marks or any(bars.interval_ms != timeline.interval_ms for bars in marks.values()):
        return None
    first = _first_bars(candles)
    names = ("open", "high", "low", "close")
    path = {name: getattr(candles, name).copy() for name in names}
    for column, bars in marks.items():
        index = timeline.index_of(bars.at)
        fits = (index >= first[column]) & (index < timeline.count)
        for name in names:
            path[name][index[fits], column] = getattr(bars, name)[fits]
    return replace(candles, **path)


def _first_bars(candles: Candles) -> Integers:
    first: Integers = np.argmax(candles.close > 0, axis=0)
    return first
