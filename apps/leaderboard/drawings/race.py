"""Where does a race's drawing have its lines and labels, and what does it say in one sentence and as a table?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from apps.leaderboard.drawings.parts import (
    HEIGHT,
    LABEL_SIZE,
    NARROW_HEIGHT,
    NARROW_WIDTH,
    WIDTH,
    Mark,
    Stroke,
    margins,
    places,
    shares,
    time_marks,
)
from apps.leaderboard.selectors.board import BoardRow
from apps.leaderboard.selectors.race import Line, RaceData
from bitnerve.engine.scales import (
    money_text,
    number_text,
    percent_text,
    spread_labels,
    text_width,
    tick_text,
    time_ticks,
    value_ticks,
)
from bitnerve.engine.svg import Box, number, path_data


@dataclass(frozen=True, slots=True)
class Drawing:
    """Everything that a drawing's template writes."""

    width: int
    height: int
    left: str
    right: str
    top: str
    bottom: str
    values: list[Mark]
    times: list[Mark]
    strokes: list[Stroke]
    labels: list[Mark]
    start: Mark | None = None


def draw_race(data: RaceData, *, unit: str = "usd", log: bool = False, narrow: bool = False) -> Drawing | None:
    """Return the drawing of a race, None without a point; `unit` is usd or pct."""
    known = [value for line in data.all_lines for value in line.values if value is not None and value > 0]
    if not known:
        return None
    scale = _Scale(data.capital, unit=unit, log=log)
    low, high = margins([scale.at(value) for value in [*known, data.capital]])
    width, height = (NARROW_WIDTH, NARROW_HEIGHT) if narrow else (WIDTH, HEIGHT)
    ticks = value_ticks(scale.said(low), scale.said(high), count_max=5 if narrow else 7)
    texts = [scale.text(tick, ticks) for tick in ticks]
    left = 6 + max((text_width(text, LABEL_SIZE) for text in texts), default=30)
    right = 34.0 if narrow else 16 + max(text_width(_label(line), LABEL_SIZE) for line in data.all_lines)
    box = Box(left, 10, width - left - right, height - 36, low, high)
    times = time_ticks(int(data.seconds[0] * 1000), int(data.seconds[-1] * 1000), count_max=4 if narrow else 7)
    return Drawing(
        width=width,
        height=height,
        left=number(box.left),
        right=number(box.right),
        top=number(box.top),
        bottom=number(box.bottom),
        values=[
            Mark(number(box.left - 6), number(box.y(scale.unsaid(tick))), text)
            for tick, text in zip(ticks, texts, strict=True)
        ],
        times=time_marks(times, data.seconds, box),
        strokes=[_stroke(line, data.seconds, scale, box) for line in reversed(data.standings)],
        labels=_end_labels(data, scale, box, narrow=narrow),
        start=Mark(number(box.left), number(box.y(scale.at(data.capital))), f"start {money_text(data.capital)} = cash"),
    )


class _Scale:
    """How high a value stands: in money or per cent of the start, straight or by its logarithm."""

    def __init__(self, capital: float, *, unit: str, log: bool) -> None:
        self.capital, self.percent, self.log = capital, unit == "pct", log

    def at(self, value: float) -> float:
        return math.log(value) if self.log else value

    def said(self, height: float) -> float:
        value = math.exp(height) if self.log else height
        return 100 * (value / self.capital - 1) if self.percent else value

    def unsaid(self, tick: float) -> float:
        return self.at(self.capital * (1 + tick / 100) if self.percent else tick)

    def text(self, tick: float, ticks: Sequence[float]) -> str:
        step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
        decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 2
        if self.percent:
            return f"{number_text(tick, decimals=decimals, signed=True)} %"
        return tick_text(tick, step)


def _stroke(line: Line, seconds: Sequence[float], scale: _Scale, box: Box) -> Stroke:
    heights = np.array(
        [math.nan if value is None or value <= 0 else scale.at(value) for value in line.values], dtype=np.float64
    )
    if not heights.size:
        return Stroke(d="", look=line.look, name=line.name, slug=line.slug)
    return Stroke(d=path_data(shares(seconds), heights, box), look=line.look, name=line.name, slug=line.slug)


def _label(line: Line) -> str:
    last = line.last
    return line.name if last is None else f"{_short(line.name)}  {number_text(last, decimals=0)}"


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"


def _end_labels(data: RaceData, scale: _Scale, box: Box, *, narrow: bool) -> list[Mark]:
    lines = [line for line in data.standings if line.last is not None and line.last > 0]
    # From the top of the drawing downwards: y grows while the value falls.
    wanted = [box.y(scale.at(line.last)) for line in lines if line.last is not None]
    rows = spread_labels(wanted, gap=14 if not narrow else 13, low=box.top, high=box.bottom)
    capital = data.capital
    return [
        Mark(
            number(box.right + 6),
            number(row + 4),
            percent_text(line.last / capital - 1).replace(" %", "") if narrow else _label(line),
            line.look,
        )
        for line, row in zip(lines, rows, strict=True)
    ]


def summarize(data: RaceData, rows: Sequence[BoardRow]) -> str:
    """Return one sentence on a race: who leads, how far from holding Bitcoin, and how many are above water."""
    ranked = [row for row in rows if row.rank is not None and row.total_return is not None]
    if not ranked:
        return "Nobody has traded yet: every line begins at the start capital with the first tick."
    best = min(ranked, key=lambda row: row.rank or 0)
    above = sum(row.total_return > 0 for row in ranked if row.total_return is not None)
    against = ""
    if best.excess_return is not None:
        side = "ahead of" if best.excess_return >= 0 else "behind"
        against = f", {abs(100 * best.excess_return):.2f} percentage points {side} holding Bitcoin"
    drawn = f" {len(data.lines)} of {len(rows)} are drawn." if len(data.lines) < len(rows) else ""
    return (
        f"{best.name} leads with {number_text(best.equity, decimals=2)} ({percent_text(best.total_return)}){against}; "
        f"{above} of {len(ranked)} agents stand above their start capital.{drawn}"
    )


def tabulate(data: RaceData, *, count: int) -> list[tuple[datetime, list[float | None]]]:
    """Return the values of all lines at `count` instants, both ends among them: a chart for whoever sees none."""
    return [
        (datetime.fromtimestamp(data.seconds[place], UTC), [line.values[place] for line in data.all_lines])
        for place in places(len(data.seconds), count)
    ]
