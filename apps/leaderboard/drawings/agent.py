"""Where does an agent's drawing have its equity with the trades, the drawdown below it and the exposure below that?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from apps.leaderboard.drawings.parts import NARROW_WIDTH, WIDTH, Mark, Stroke, margins, places, shares, time_marks
from apps.leaderboard.selectors.agents import AgentSeries
from bitnerve.engine.scales import percent_text, tick_text, time_ticks, value_ticks
from bitnerve.engine.svg import Box, area_data, number, path_data


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
    low, high = margins([*series.equity, series.capital])
    equity = Box(left, 12, span, 200, low, high)
    deepest = max([*series.drawdown, 0.01])
    drawdown = Box(left, 236, span, 56, -deepest * 1.1, 0.0)
    most = max([*series.long, *series.short, 0.1]) * 1.1
    exposure = Box(left, 316, span, 56, -most, most)
    at = shares(series.seconds)
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
            strokes=[Stroke(path_data(at, np.asarray(series.equity), equity), "agent")],
        ),
        drawdown=Panel(
            top=number(drawdown.top),
            bottom=number(drawdown.bottom),
            values=[
                Mark(number(left - 6), number(drawdown.y(0.0)), "0 %"),
                Mark(number(left - 6), number(drawdown.y(-deepest)), percent_text(-deepest)),
            ],
            strokes=[Stroke(area_data(at, -np.asarray(series.drawdown), drawdown), "fall")],
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
                Stroke(area_data(at, np.asarray(series.long), exposure), "long"),
                Stroke(area_data(at, -np.asarray(series.short), exposure), "short"),
            ],
            zero=number(exposure.y(0.0)),
        ),
        times=time_marks(times, series.seconds, exposure),
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


def tabulate_agent(series: AgentSeries, *, count: int) -> list[tuple[datetime, float, float, float, float]]:
    """Return instant, equity, drawdown, long and short at `count` instants."""
    kept = places(len(series.seconds), count)
    columns = (series.equity, series.drawdown, series.long, series.short)
    return [
        (datetime.fromtimestamp(series.seconds[place], UTC), *(column[place] for column in columns)) for place in kept
    ]
