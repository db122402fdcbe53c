"""How does a finished run look: the race of the accounts, and how deep each of them fell on the way?

One SVG for every screen: below a certain width a style rule swaps the labels for larger ones and moves the lines,
which are drawn once. Nothing is loaded, nothing runs, and the same run gives the same text.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator

import numpy as np

from bitnerve.engine import scales, svg
from bitnerve.engine.plot_style import look, style_sheet
from bitnerve.engine.race import Line, Race, read_race
from bitnerve.engine.run import Run
from bitnerve.engine.svg import Box

WIDTH = 1100
MARGIN = 24
CONTENT = WIDTH - 2 * MARGIN

FAINT_POINTS = 100
"""The points of a line without a name: two hundred of them must not outweigh the twelve that have one."""

# Wide: one text size each for the title, the sentence below, labels, and ticks.
TITLE, SENTENCE, LABEL, TICK = 23, 16, 14, 13
RACE_HEIGHT = 470
WIDE_TICKS = 8
LABEL_GAP = 19
LEAD = 22
SWATCH = 30
NAME_WIDTH = 210
PANEL_COLUMNS = 3
PANEL_HEIGHT = 76
PANEL_HEAD = 24
PANEL_GAP = 24

# Narrow: drawn at a third of its size, so everything is three times as large.
NARROW_TITLE, NARROW_TEXT = 41, 34
NARROW_ROW = 46
NARROW_AXIS = 72
NARROW_RACE_MIN = 300
NARROW_SWATCH = 70
NARROW_TICKS = 5
NARROW_ENDS = 66
"""The room for the numbers at the ends of the lines."""


def draw_race(run: Run) -> str:
    """Return a standalone SVG of a run: account values over time, drawdowns below, and one sentence on both."""
    race = read_race(run)
    low, high = _value_range(race)
    header, top = _wide_header(race)
    left = MARGIN + _axis_width(race, low, high, TICK, count=WIDE_TICKS)
    wide = Box(left, top, math.floor(WIDTH - MARGIN - _label_width(race) - left), RACE_HEIGHT, low, high)
    panels, bottom = _panels(race, left, wide.bottom + 84)
    narrow_header, narrow_top = _narrow_header(race)
    list_height = (len(race.featured) + 1) * NARROW_ROW + MARGIN
    height = max(math.ceil(bottom), math.ceil(narrow_top + NARROW_RACE_MIN + NARROW_AXIS + list_height))
    list_top = height - list_height
    narrow_left = MARGIN + _axis_width(race, low, high, NARROW_TEXT, count=NARROW_TICKS)
    narrow_width = WIDTH - MARGIN - NARROW_ENDS - narrow_left
    narrow = Box(narrow_left, narrow_top, narrow_width, list_top - NARROW_AXIS - narrow_top, low, high)
    body = [
        '<rect class="bg" width="100%" height="100%"/>',
        '<g class="wide">',
        *header,
        *_race_axes(race, wide, TICK, value_count=WIDE_TICKS, time_count=7),
        *_end_labels(race, wide),
        *panels,
        "</g>",
        '<g class="narrow" display="none">',
        *narrow_header,
        *_race_axes(race, narrow, NARROW_TEXT, value_count=NARROW_TICKS, time_count=4),
        *_end_numbers(race, narrow),
        *_standings_list(race, list_top),
        "</g>",
        f'<g class="lines" transform="translate({svg.number(wide.left)} {svg.number(wide.top)})">',
        *_lines(race, wide),
        "</g>",
    ]
    return _document(race, "\n".join(body), height, _move_lines(wide, narrow))


def _document(race: Race, body: str, height: int, moved: str) -> str:
    # The name of an element must be its own where several drawings share a page.
    tag = hashlib.sha256(body.encode()).hexdigest()[:8]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="bitnerve-race" viewBox="0 0 {WIDTH} {height}"'
        f' width="{WIDTH}" height="{height}" role="img" lang="en" aria-labelledby="title-{tag} desc-{tag}">\n'
        f'<title id="title-{tag}">{svg.escape_text(race.title)}</title>\n'
        f'<desc id="desc-{tag}">{svg.escape_text(race.description)}</desc>\n'
        f"<style>{style_sheet(moved)}</style>\n{body}\n</svg>\n"
    )


def _move_lines(wide: Box, narrow: Box) -> str:
    return (
        f"translate({svg.number(narrow.left)}px,{svg.number(narrow.top)}px)"
        f" scale({narrow.width / wide.width:.5f},{narrow.height / wide.height:.5f})"
    )


def _joined(*texts: str) -> str:
    return " · ".join(text for text in texts if text)


def _wide_header(race: Race) -> tuple[list[str], float]:
    title = scales.shorten(race.title, size=TITLE * 1.05, width=CONTENT)
    parts = [svg.write_text(MARGIN, 40, title, TITLE, "b"), svg.write_text(MARGIN, 64, _subtitle(race), LABEL, "m")]
    y = 70.0
    for sentence in scales.wrap(race.summary, size=SENTENCE, width=CONTENT):
        y += 23
        parts.append(svg.write_text(MARGIN, y, sentence, SENTENCE))
    y += 34
    return [*parts, svg.write_text(MARGIN, y, _joined("Account value", race.note), LABEL, "m")], y + 18


def _subtitle(race: Race) -> str:
    """Return as many symbols as fit, and the terms of the race."""
    text = race.terms
    for count in range(len(race.symbols), 0, -1):
        rest = len(race.symbols) - count
        text = ", ".join(race.symbols[:count]) + (f" and {rest} more" if rest else "") + f" · {race.terms}"
        if scales.text_width(text, LABEL) <= CONTENT:
            break
    return scales.shorten(text, size=LABEL, width=CONTENT)


def _narrow_header(race: Race) -> tuple[list[str], float]:
    parts, y = [], 20.0
    for line in scales.wrap(race.title, size=NARROW_TITLE * 1.05, width=CONTENT):
        y += 52
        parts.append(svg.write_text(MARGIN, y, line, NARROW_TITLE, "b"))
    y += 8
    for line in scales.wrap(race.summary, size=NARROW_TEXT, width=CONTENT):
        y += 43
        parts.append(svg.write_text(MARGIN, y, line, NARROW_TEXT))
    return parts, y + 44


# The race.


def _value_range(race: Race) -> tuple[float, float]:
    known = [race.capital]
    for worth in (*(line.worth for line in race.featured), *race.faint):
        if np.isfinite(worth).any():
            known += [float(np.nanmin(worth)), float(np.nanmax(worth))]
    low, high = min(known), max(known)
    margin = 0.04 * (high - low) or 0.01 * abs(high) or 1.0
    return low - margin, high + margin


def _label_widths(race: Race) -> tuple[float, float, float]:
    """Return the widths of the columns of names, values and returns."""
    rows = [(line.name, *_figures(line)[:2]) for line in race.featured]
    name, money, gain = (max((scales.text_width(row[i], LABEL) for row in rows), default=0.0) for i in range(3))
    return min(name, NAME_WIDTH), money + 16, gain + 12


def _label_width(race: Race) -> float:
    return LEAD + SWATCH + 8 + sum(_label_widths(race))


def _value_labels(low: float, high: float, *, count: int) -> list[tuple[float, str]]:
    ticks = scales.value_ticks(low, high, count_max=count)
    step = ticks[1] - ticks[0] if len(ticks) > 1 else 0.0
    return [(value, scales.tick_text(value, step)) for value in ticks]


def _capital_text(race: Race) -> str:
    return scales.number_text(race.capital, decimals=0 if race.capital == round(race.capital) else 2)


def _axis_width(race: Race, low: float, high: float, size: float, *, count: int) -> float:
    """Return the room that the numbers of the vertical axis need, from their left to the axis."""
    texts = [_capital_text(race), *(text for _, text in _value_labels(low, high, count=count))]
    return math.ceil(max(scales.text_width(text, size) for text in texts) + size * 0.6)


def _race_axes(race: Race, box: Box, size: float, *, value_count: int, time_count: int) -> Iterator[str]:
    start = box.y(race.capital)
    axis = box.left - size * 0.6
    # The line where everybody began says so in the axis, and the ticks make room for it.
    word = start + size * 1.4 if start + size * 2.5 < box.bottom else start - size * 0.8
    for value, label in _value_labels(box.low, box.high, count=value_count):
        y = box.y(value)
        yield svg.draw_rule(box.left, y, box.right, y, "grid")
        if min(start, word) - size * 1.3 > y + size * 0.35 or y - size * 0.6 > max(start, word) + size * 0.4:
            yield svg.write_text(axis, y + size * 0.35, label, size, "m e")
    yield from _time_axis(race, box, size, count=time_count)
    yield svg.draw_rule(box.left, start, box.right, start, "start")
    yield svg.write_text(axis, start + size * 0.35, _capital_text(race), size, "e")
    yield svg.write_text(axis, word, "start", size * 0.9, "e")


def _time_axis(race: Race, box: Box, size: float, *, count: int, labels: bool = True) -> Iterator[str]:
    span = race.until - race.start_at
    for at, label in scales.time_ticks(race.start_at, race.until, count_max=count):
        x = box.x((at - race.start_at) / span if span else 0.5)
        yield svg.draw_rule(x, box.top, x, box.bottom, "grid")
        half = scales.text_width(label, size) / 2
        if labels:
            inside = min(max(x, box.left + half - size / 2), box.right - half + size / 2)
            yield svg.write_text(inside, box.bottom + size * 1.5, label, size, "m c")


def _end_point(race: Race, line: Line, box: Box) -> tuple[float, float] | None:
    """Return where a line ends, or None for one without a point."""
    known = np.flatnonzero(np.isfinite(line.worth))
    if not known.size:
        return None
    return box.x(float(race.shares[known[-1]])), box.y(line.final)


def _label_rows(race: Race, box: Box, gap: float) -> list[float]:
    ends = (_end_point(race, line, box) for line in race.featured)
    wanted = [end[1] if end else box.bottom for end in ends]
    return scales.spread_labels(wanted, gap=gap, low=box.top, high=box.bottom)


def _end_labels(race: Race, box: Box) -> Iterator[str]:
    name_width, money_width, gain_width = _label_widths(race)
    swatch = box.right + LEAD
    name_at = swatch + SWATCH + 8
    for line, y in zip(race.featured, _label_rows(race, box, LABEL_GAP), strict=True):
        end = _end_point(race, line, box)
        if end:
            # A thin lead finds the label, the swatch behind it shows color and dashes.
            lead = f"M{svg.number(box.right)} {svg.number(end[1])}h4L{svg.number(swatch - 3)} {svg.number(y)}"
            yield f'<path class="lead {look(line)[0]}" d="{lead}"/>'
        yield _swatch(line, swatch, y, SWATCH)
        baseline = y + LABEL * 0.35
        kind = "m" if line.benchmark else ""
        name = scales.shorten(line.name, size=LABEL, width=name_width)
        yield svg.write_text(name_at, baseline, name, LABEL, kind)
        money_at = name_at + name_width + money_width
        money, gain, _ = _figures(line)
        yield svg.write_text(money_at, baseline, money, LABEL, f"{kind} e")
        yield svg.write_text(money_at + gain_width, baseline, gain, LABEL, f"{kind} e")


def _swatch(line: Line, x: float, y: float, width: float) -> str:
    return f'<path class="{" ".join(look(line))}" d="M{svg.number(x)} {svg.number(y)}h{svg.number(width)}"/>'


def _end_numbers(race: Race, box: Box) -> Iterator[str]:
    size = NARROW_TEXT * 0.85
    rows = _label_rows(race, box, size)
    for rank, (line, y) in enumerate(zip(race.featured, rows, strict=True), start=1):
        end = _end_point(race, line, box)
        if end:
            lead = f"M{svg.number(box.right)} {svg.number(end[1])}h4L{svg.number(box.right + 30)} {svg.number(y)}"
            yield f'<path class="lead {look(line)[0]}" d="{lead}"/>'
            yield svg.write_text(WIDTH - MARGIN, y + size * 0.35, str(rank), size, "e")


def _standings_list(race: Race, top: float) -> Iterator[str]:
    """List who the numbers are, in place of labels and panels for which a telephone has no room."""
    size = NARROW_TEXT
    name_at = MARGIN + 1.8 * size + NARROW_SWATCH
    rows = [("value", "return", "drawdown"), *(_figures(line) for line in race.featured)]
    ends: list[float] = []
    right = WIDTH - MARGIN
    for column in (2, 1, 0):
        ends.insert(0, right)
        right -= math.ceil(max(scales.text_width(row[column], size) for row in rows) + size * 0.6)
    for number, row in enumerate(rows):
        baseline = top + (number + 0.5) * NARROW_ROW + size * 0.35
        kind = "e" if number else "m e"
        yield from (svg.write_text(x, baseline, figure, size, kind) for x, figure in zip(ends, row, strict=True))
    if race.note:
        note = scales.shorten(race.note, size=size * 0.8, width=right - MARGIN)
        yield svg.write_text(MARGIN, top + 0.5 * NARROW_ROW + size * 0.35, note, size * 0.8, "m")
    for rank, line in enumerate(race.featured, start=1):
        y = top + (rank + 0.5) * NARROW_ROW
        name = scales.shorten(line.name, size=size, width=right - name_at)
        yield svg.write_text(MARGIN + size * 1.1, y + size * 0.35, str(rank), size * 0.85, "e")
        yield _swatch(line, MARGIN + size * 1.5, y, NARROW_SWATCH)
        yield svg.write_text(name_at, y + size * 0.35, name, size)


def _figures(line: Line) -> tuple[str, str, str]:
    """Return what a line is worth at the end, what it earned, and how deep it fell."""
    return scales.money_text(line.final), scales.percent_text(line.gain), scales.percent_text(-line.worst)


def _lines(race: Race, box: Box) -> Iterator[str]:
    """Draw benchmarks, then competitors, from the last to the first: the best lies on top. The corner is (0, 0)."""
    own = Box(0, 0, box.width, box.height, box.low, box.high)
    faint = "".join(svg.path_data(*scales.sample(race.shares, worth, count=FAINT_POINTS), own) for worth in race.faint)
    if faint:
        yield f'<path class="faint" d="{faint}"/>'
    drawn = sorted(race.featured, key=lambda line: line.benchmark)
    for line in drawn[::-1]:
        data = svg.path_data(*scales.envelope(race.shares, line.worth, columns=int(own.width)), own)
        end = _end_point(race, line, own)
        if end:
            yield f'<path class="{" ".join(look(line))}" d="{data}"><title>{_spoken(line)}</title></path>'
            yield svg.draw_dot(*end, look(line)[0])


def _spoken(line: Line) -> str:
    return svg.escape_text(f"{line.name}: {line.standing}")


# The drawdowns.


def _panels(race: Race, left: float, top: float) -> tuple[list[str], float]:
    """Return a small drawing of each named account's drawdown, all to one scale, and where they end."""
    lines = race.featured
    if not lines:
        return [], top
    rows = math.ceil(len(lines) / PANEL_COLUMNS)
    columns = math.ceil(len(lines) / rows)
    deepest = max((line.worst for line in lines if math.isfinite(line.worst)), default=0.0) or 0.01
    width = math.floor((WIDTH - MARGIN - left - (columns - 1) * PANEL_GAP) / columns)
    heading = "Drawdown: how far below its highest value so far, and at worst"
    parts = [
        svg.write_text(MARGIN, top - 18, _joined(heading, race.note and f"the same {len(lines)} lines"), LABEL, "m")
    ]
    bottom = top
    for number, line in enumerate(lines):
        row, column = divmod(number, columns)
        bottom = top + row * (PANEL_HEAD + PANEL_HEIGHT + PANEL_GAP) + PANEL_HEAD
        box = Box(left + column * (width + PANEL_GAP), bottom, width, PANEL_HEIGHT, -1.06 * deepest, 0.0)
        parts += _panel(race, line, box, first=column == 0, last=number + columns >= len(lines))
    return parts, bottom + PANEL_HEIGHT + TICK * 1.5 + MARGIN


def _panel(race: Race, line: Line, box: Box, *, first: bool, last: bool) -> Iterator[str]:
    worst = scales.percent_text(-line.worst)
    worst_width = scales.text_width(worst, LABEL)
    name = scales.shorten(line.name, size=LABEL, width=box.width - worst_width - 10)
    kind = "m" if line.benchmark else ""
    yield svg.write_text(box.left, box.top - 8, name, LABEL, kind)
    yield svg.write_text(box.right, box.top - 8, worst, LABEL, f"{kind} e")
    for percent, label in _value_labels(100 * box.low, 0.0, count=3):
        value = percent / 100
        yield svg.draw_rule(box.left, box.y(value), box.right, box.y(value), "grid")
        if first:
            label += f"{scales.NARROW_SPACE}%"
            yield svg.write_text(box.left - 8, box.y(value) + TICK * 0.35, label, TICK, "m e")
    yield from _time_axis(race, box, TICK, count=4, labels=last)
    color = look(line)[0]
    data = svg.area_data(*scales.envelope(race.shares, -line.drawdown, columns=int(box.width)), box)
    if data:
        yield f'<path class="area {color}" d="{data}"/>'
    if line.worst > 0:
        trough = int(np.nanargmax(line.drawdown))
        yield svg.draw_dot(box.x(float(race.shares[trough])), box.y(-line.worst), color)
