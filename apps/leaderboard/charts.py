"""Where do lines, ticks and labels of a page's drawing stand? Templates write them down; nothing is styled here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from apps.leaderboard.selectors.agents import AgentSeries
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
from bitnerve.engine.svg import Box, area_data, number, path_data

WIDTH, HEIGHT = 880, 380
NARROW_WIDTH, NARROW_HEIGHT = 340, 260
LABEL_SIZE = 12
SPARK_WIDTH, SPARK_HEIGHT = 94, 24


@dataclass(frozen=True, slots=True)
class Mark:
    """A label or a rule and where it stands."""

    x: str
    y: str
    text: str
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Stroke:
    """A path with its look."""

    d: str
    look: str
    name: str = ""
    slug: str = ""


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
    low, high = _range([scale.at(value) for value in [*known, data.capital]])
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
        times=_times(times, data.seconds, box),
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


def _range(heights: Sequence[float]) -> tuple[float, float]:
    low, high = min(heights), max(heights)
    margin = 0.06 * (high - low) or abs(high) * 0.01 or 1.0
    return low - margin, high + margin


def _times(ticks: Sequence[tuple[int, str]], seconds: Sequence[float], box: Box) -> list[Mark]:
    begin, length = seconds[0], (seconds[-1] - seconds[0]) or 1.0
    marks = []
    for at, text in ticks:
        x = box.x((at / 1000 - begin) / length)
        half = text_width(text, LABEL_SIZE) / 2
        # A label that would hang over an edge is left out rather than cut.
        if box.left - 8 <= x - half and x + half <= box.right + 30:
            marks.append(Mark(number(x), number(box.bottom), text))
    return marks


def _shares(seconds: Sequence[float]) -> np.ndarray:
    at = np.asarray(seconds, dtype=np.float64)
    length = at[-1] - at[0]
    return (at - at[0]) / length if length else np.full(at.shape, 0.5)


def _stroke(line: Line, seconds: Sequence[float], scale: _Scale, box: Box) -> Stroke:
    heights = np.array(
        [math.nan if value is None or value <= 0 else scale.at(value) for value in line.values], dtype=np.float64
    )
    if not heights.size:
        return Stroke(d="", look=line.look, name=line.name, slug=line.slug)
    return Stroke(d=path_data(_shares(seconds), heights, box), look=line.look, name=line.name, slug=line.slug)


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


def spark_path(values: Sequence[float] | None, *, grain: int = 1) -> str:
    """Return the path of a sparkline in few bytes: heights are multiples of `grain` pixels, level runs one stroke."""
    if not values or len(values) < 2:
        return ""
    low, high = min(values), max(values)
    scale = (SPARK_HEIGHT - 4) / (high - low) if high > low else 0.0
    top = 2.0 if high > low else SPARK_HEIGHT / 2
    step = SPARK_WIDTH / (len(values) - 1)
    xs = [round(place * step) for place in range(len(values))]
    ys = [grain * round((top + (high - value) * scale) / grain) for value in values]
    parts, run = [f"M0 {ys[0]}"], 0
    for place in range(1, len(values)):
        dx, dy = xs[place] - xs[place - 1], ys[place] - ys[place - 1]
        if dy == 0:
            run += dx
            continue
        if run:
            parts.append(f"h{run}")
            run = 0
        parts.append(f"l{dx} {dy}" if dy > 0 else f"l{dx}{dy}")
    if run:
        parts.append(f"h{run}")
    return "".join(parts)


@dataclass(frozen=True, slots=True)
class Panel:
    """One of the stacked drawings of an agent's page; they share their left and right edges."""

    top: str
    bottom: str
    values: list[Mark]
    strokes: list[Stroke]
    zero: str = ""


@dataclass(frozen=True, slots=True)
class AgentDrawing:
    """Equity with trade markers, drawdown below it, and exposure on the same axis of time."""

    width: int
    height: int
    left: str
    right: str
    equity: Panel
    drawdown: Panel
    exposure: Panel
    times: list[Mark]
    start: Mark
    markers: list[tuple[Mark, int]]
    """Each with the number of the decision behind it, 0 where there is none."""


def draw_agent(series: AgentSeries, *, narrow: bool = False) -> AgentDrawing | None:
    """Return the stacked drawings of an agent's season, None without a point."""
    if not series.seconds:
        return None
    width = NARROW_WIDTH if narrow else WIDTH
    left, right = (62.0, 8.0) if narrow else (70.0, 14.0)
    span = width - left - right
    low, high = _range([*series.equity, series.capital])
    equity = Box(left, 12, span, 200, low, high)
    deepest = max([*series.drawdown, 0.01])
    drawdown = Box(left, 236, span, 56, -deepest * 1.1, 0.0)
    most = max([*series.long, *series.short, 0.1]) * 1.1
    exposure = Box(left, 316, span, 56, -most, most)
    shares = _shares(series.seconds)
    times = time_ticks(int(series.seconds[0] * 1000), int(series.seconds[-1] * 1000), count_max=4 if narrow else 8)
    ticks = value_ticks(low, high, count_max=6)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 1.0
    return AgentDrawing(
        width=width,
        height=400,
        left=number(left),
        right=number(equity.right),
        equity=Panel(
            top=number(equity.top),
            bottom=number(equity.bottom),
            values=[Mark(number(left - 6), number(equity.y(tick)), tick_text(tick, step)) for tick in ticks],
            strokes=[Stroke(path_data(shares, np.asarray(series.equity), equity), "agent")],
        ),
        drawdown=Panel(
            top=number(drawdown.top),
            bottom=number(drawdown.bottom),
            values=[
                Mark(number(left - 6), number(drawdown.y(0.0)), "0 %"),
                Mark(number(left - 6), number(drawdown.y(-deepest)), percent_text(-deepest)),
            ],
            strokes=[Stroke(area_data(shares, -np.asarray(series.drawdown), drawdown), "fall")],
        ),
        exposure=Panel(
            top=number(exposure.top),
            bottom=number(exposure.bottom),
            values=[
                Mark(number(left - 6), number(exposure.y(most / 1.1)), f"{most / 1.1:.1f}×"),
                Mark(number(left - 6), number(exposure.y(0.0)), "0"),
                Mark(number(left - 6), number(exposure.y(-most / 1.1)), f"{most / 1.1:.1f}×"),
            ],
            strokes=[
                Stroke(area_data(shares, np.asarray(series.long), exposure), "long"),
                Stroke(area_data(shares, -np.asarray(series.short), exposure), "short"),
            ],
            zero=number(exposure.y(0.0)),
        ),
        times=_times(times, series.seconds, exposure),
        start=Mark(number(left), number(equity.y(series.capital)), "start"),
        markers=_markers(series, equity, count_max=40 if narrow else 80),
    )


def _markers(series: AgentSeries, box: Box, *, count_max: int) -> list[tuple[Mark, int]]:
    begin, length = series.seconds[0], (series.seconds[-1] - series.seconds[0]) or 1.0
    marks = []
    for marker in series.markers[-count_max:]:
        at = min(max(marker.seconds, begin), series.seconds[-1])
        worth = float(np.interp(at, series.seconds, series.equity))
        marks.append(
            (
                Mark(number(box.x((at - begin) / length)), number(box.y(worth)), marker.text, marker.kind),
                marker.decision,
            )
        )
    return marks


def differences(values: Sequence[float | None]) -> list[int | None]:
    """Return the first value and then what each adds to the known one before it, in whole numbers; gaps stay gaps."""
    told: list[int | None] = []
    before = 0
    for value in values:
        if value is None:
            told.append(None)
            continue
        told.append(round(value) - before)
        before = round(value)
    return told


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
        for place in _places(len(data.seconds), count)
    ]


def tabulate_agent(series: AgentSeries, *, count: int) -> list[tuple[datetime, float, float, float, float]]:
    """Return instant, equity, drawdown, long and short at `count` instants."""
    places = _places(len(series.seconds), count)
    columns = (series.equity, series.drawdown, series.long, series.short)
    return [
        (datetime.fromtimestamp(series.seconds[place], UTC), *(column[place] for column in columns)) for place in places
    ]


def _places(length: int, count: int) -> list[int]:
    return sorted({round(number * (length - 1) / max(1, count - 1)) for number in range(count)}) if length else []


@dataclass(frozen=True, slots=True)
class Bin:
    """A bar of a histogram and what it counts."""

    x: str
    y: str
    width: str
    height: str
    text: str
    kind: str


def draw_histogram(values: Sequence[float], *, count: int = 24) -> list[Bin]:
    """Return the bars of a histogram 480 wide and 96 high, split at zero; none for fewer than five values."""
    if len(values) < 5:
        return []
    reach = max(abs(value) for value in values) or 1.0
    counts, edges = np.histogram(values, bins=count, range=(-reach, reach))
    width, most = 480 / count, int(counts.max())
    return [
        Bin(
            x=number(place * width + 1),
            y=number(96 - 92 * amount / most),
            width=number(width - 2),
            height=number(92 * amount / most),
            text=f"{amount} between {number_text(edges[place], decimals=2, signed=True)} and "
            f"{number_text(edges[place + 1], decimals=2, signed=True)}",
            kind="loss" if place < count // 2 else "gain",
        )
        for place, amount in enumerate(counts.tolist())
        if amount
    ]
