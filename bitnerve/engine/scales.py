"""Where on a chart do ticks, points and labels stand? Floats only: nothing here is ever booked."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from bitnerve.domain.metrics.returns import Floats
from bitnerve.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS

NARROW_SPACE = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
UNKNOWN = "\N{EN DASH}"
# strftime asks the machine's locale, and the same run must be the same drawing everywhere.
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEK_MS = 7 * DAY_MS
_MONDAY_MS = 4 * DAY_MS
"""The first Monday after the epoch."""
_STEPS_MS = (
    *(count * SECOND_MS for count in (1, 5, 15, 30)),
    *(count * MINUTE_MS for count in (1, 5, 15, 30)),
    *(count * HOUR_MS for count in (1, 3, 6, 12)),
    *(count * DAY_MS for count in (1, 2, 7, 14)),
)
_STEPS_MONTHS = (1, 2, 3, 6, *(12 * years for years in (1, 2, 5, 10, 20, 50, 100, 1000)))


def value_ticks(low: float, high: float, *, count_max: int) -> tuple[float, ...]:
    """Return the multiples of 1, 2 or 5 × 10ⁿ within [low, high], as many as `count_max` allows."""
    rough = (high - low) / max(count_max, 1)
    if not rough > 0:
        return (low,)
    magnitude = 10.0 ** math.floor(math.log10(rough))
    for factor in (1, 2, 5, 10, 20):
        step = factor * magnitude
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first < count_max:
            break
    return tuple(number * step for number in range(first, last + 1))


def time_ticks(start_at: int, until: int, *, count_max: int) -> tuple[tuple[int, str], ...]:
    """Return round UTC instants within [start_at, until] in milliseconds, at most `count_max`, with their labels."""
    if until <= start_at:
        return ((start_at, f"{day_text(start_at)}, {clock_text(start_at)}"),)
    for step in _STEPS_MS:
        origin = _MONDAY_MS if step % _WEEK_MS == 0 else 0
        first = -((origin - start_at) // step) * step + origin
        count = (until - first) // step + 1
        if 0 < count <= count_max:
            return tuple((at, _tick_text(at, step)) for at in range(first, first + count * step, step))
    ticks: tuple[tuple[int, str], ...] = ()
    for months in _STEPS_MONTHS:
        ticks = tuple(_month_ticks(start_at, until, months))
        if len(ticks) <= count_max:
            break
    return ticks


def _tick_text(at: int, step_ms: int) -> str:
    if at % DAY_MS == 0:
        return day_text(at)
    return clock_text(at, seconds=step_ms < MINUTE_MS)


def _month_ticks(start_at: int, until: int, months: int) -> Iterator[tuple[int, str]]:
    begin, end = _date(start_at), _date(until)
    number = -(-(begin.year * 12 + begin.month - 1) // months) * months
    stop = end.year * 12 + end.month - 1
    said = 0
    for month in range(number, stop + 1, months):
        year, index = divmod(month, 12)
        at = (datetime(year, index + 1, 1, tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
        if at >= start_at:
            yield at, f"{MONTHS[index]} {year}" if year != said else MONTHS[index]
            said = year


def _date(at: int) -> datetime:
    return _EPOCH + timedelta(milliseconds=at)


def day_text(at: int, *, year: bool = False) -> str:
    """Return `15 Feb` or `15 Feb 2025`."""
    date = _date(at)
    return f"{date.day} {MONTHS[date.month - 1]}" + (f" {date.year}" if year else "")


def clock_text(at: int, *, seconds: bool = False) -> str:
    """Return `08:00` or `08:00:15`."""
    date = _date(at)
    return f"{date.hour:02}:{date.minute:02}" + (f":{date.second:02}" if seconds else "")


def span_text(start_at: int, until: int) -> str:
    """Return both ends of a span of time: what they share is said once, the hour only where an end is not midnight."""
    clocks = [f" {clock_text(at)}" if start_at % DAY_MS or until % DAY_MS else "" for at in (start_at, until)]
    end = day_text(until, year=True)
    if start_at == until:
        return end + clocks[1]
    if start_at // DAY_MS == until // DAY_MS:
        return f"{end},{clocks[0]} {UNKNOWN}{clocks[1]}"
    begin = day_text(start_at, year=_date(start_at).year != _date(until).year)
    return f"{begin}{clocks[0]} {UNKNOWN} {end}{clocks[1]}"


def number_text(value: float, *, decimals: int, signed: bool = False) -> str:
    """Return a number with narrow spaces between thousands; zero bears no sign."""
    if not math.isfinite(value):
        return UNKNOWN
    digits = f"{abs(value):,.{decimals}f}"
    if not digits.strip("0.,"):
        return digits
    sign = MINUS if value < 0 else "+" if signed else ""
    return sign + digits.replace(",", NARROW_SPACE)


def money_text(value: float) -> str:
    """Return an amount with cents, without them from a million on."""
    return number_text(value, decimals=2 if abs(value) < 1e6 else 0)


def percent_text(ratio: float, *, signed: bool = True) -> str:
    """Return a ratio per one as a percentage with two decimals, or none from 1,000 % on."""
    text = number_text(100 * ratio, decimals=2 if abs(ratio) < 10 else 0, signed=signed)
    return text if text == UNKNOWN else f"{text}{NARROW_SPACE}%"


def tick_text(value: float, step: float) -> str:
    """Return a tick's number with as many decimals as the step between ticks needs."""
    return number_text(value, decimals=max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 2)


def envelope(shares: Floats, values: Floats, *, columns: int) -> tuple[Floats, Floats]:
    """Return few points (share of the width, value) that look like many: the extremes of each pixel column.

    `shares` ascend within 0..1. The first and the last value stay what and where they are; a column without a known
    value becomes NaN, so the line breaks there.
    """
    if values.size <= 2 * columns:
        return shares, values
    cells = np.minimum((shares * columns).astype(np.int64), columns - 1)
    starts = np.flatnonzero(np.diff(cells, prepend=-1))
    last = np.append(starts[1:], values.size) - 1
    with np.errstate(invalid="ignore"):
        low, high = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    falls = values[last] < values[starts]
    inner = np.stack([np.where(falls, high, low), np.where(falls, low, high)], axis=1).ravel()
    centers = np.repeat((cells[starts] + 0.5) / columns, 2)
    return (
        np.concatenate([shares[:1], centers, shares[-1:]]),
        np.concatenate([values[:1], inner, values[-1:]]),
    )


def sample(shares: Floats, values: Floats, *, count: int) -> tuple[Floats, Floats]:
    """Return `count` of the points at equal steps, both ends among them: calm, and blind to what lies between."""
    if values.size <= count:
        return shares, values
    kept = np.linspace(0, values.size - 1, count).round().astype(np.int64)
    return shares[kept], values[kept]


def spread_labels(wanted: Sequence[float], *, gap: float, low: float, high: float) -> list[float]:
    """Return ascending positions at least `gap` apart and within [low, high], as near to the wanted ones as can be.

    `wanted` ascends. Least squares by pooling adjacent violators; where there is too little room, the gap shrinks.
    """
    if len(wanted) > 1:
        gap = min(gap, (high - low) / (len(wanted) - 1))
    pools: list[tuple[float, int]] = []
    for number, position in enumerate(wanted):
        total, count = position - number * gap, 1
        while pools and pools[-1][0] / pools[-1][1] > total / count:
            total, count = total + pools[-1][0], count + pools[-1][1]
            pools.pop()
        pools.append((total, count))
    room = high - (len(wanted) - 1) * gap
    level = [min(max(total / count, low), room) for total, count in pools for _ in range(count)]
    return [base + number * gap for number, base in enumerate(level)]


def text_width(text: str, size: float) -> float:
    """Return about how wide a text is in a common sans-serif face, rather too much than too little."""
    return size * sum(_character_width(character) for character in text)


def _character_width(character: str) -> float:
    if unicodedata.combining(character):
        return 0.0
    if unicodedata.east_asian_width(character) in "WF":
        return 1.0
    if character in "il.,:;'|!jI " + NARROW_SPACE:
        return 0.33
    if character in "frt-()/":
        return 0.43
    if character in "mwMW%@…" + MINUS:
        return 0.9
    return 0.72 if character.isupper() else 0.64


def shorten(text: str, *, size: float, width: float) -> str:
    """Return a text that fits, with its middle left out: names that begin alike often differ at the end."""
    if text_width(text, size) <= width:
        return text
    for keep in range(len(text) - 1, 1, -1):
        short = f"{text[: (keep + 1) // 2].rstrip()}…{text[len(text) - keep // 2 :].lstrip()}"
        if text_width(short, size) <= width:
            return short
    return "…"


def wrap(text: str, *, size: float, width: float) -> list[str]:
    """Return a text in lines that fit, broken at plain spaces only; a single word that does not fit is shortened."""
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(longer, size) <= width:
            lines[-1] = longer
        else:
            lines.append(shorten(word, size=size, width=width))
    return lines
