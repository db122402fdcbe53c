"""How do numbers, instants and lengths of time read on a page? The one place that says so, for every template."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from apps.leaderboard.drawings.small import spark_path
from bitnerve.engine.scales import NARROW_SPACE, UNKNOWN, number_text

register = template.Library()

BRAINS = {
    "STRATEGY": "rules",
    "LLM": "LLM",
    "COUNCIL": "council",
    "CONSENSUS": "consensus",
    "ENSEMBLE": "ensemble",
    "EXTERNAL": "external",
    "HUMAN": "human",
}
SECOND, MINUTE, HOUR, DAY = 1, 60, 3600, 86400
MEASURES = ((DAY, "d"), (HOUR, "h"), (MINUTE, "min"), (SECOND, "s"))

Number = Decimal | float | int | str | None
"""The empty text stands for what a template could not find, None for what is not known."""


def _unknown(value: Any) -> bool:
    return value is None or value == ""


def _number(value: Number, *, decimals: int, signed: bool = False) -> str:
    return UNKNOWN if _unknown(value) else number_text(value, decimals=decimals, signed=signed)


@register.filter
def money(value: Number) -> str:
    """Return an amount with two decimals, half-even, and thin spaces between thousands."""
    return _number(value, decimals=2)


@register.filter
def change(value: Number) -> str:
    """Return an amount of money with its sign."""
    return _number(value, decimals=2, signed=True)


@register.filter
def percent(ratio: Number) -> str:
    """Return a ratio per one as a signed percentage."""
    return UNKNOWN if _unknown(ratio) else f"{_number(100 * ratio, decimals=2, signed=True)}{NARROW_SPACE}%"


@register.filter
def share(ratio: Number, decimals: int = 1) -> str:
    """Return a ratio per one as a percentage that bears no sign."""
    return UNKNOWN if _unknown(ratio) else f"{_number(100 * ratio, decimals=decimals)}{NARROW_SPACE}%"


@register.filter
def points(ratio: Number) -> str:
    """Return a difference of two returns in percentage points."""
    return UNKNOWN if _unknown(ratio) else _number(100 * ratio, decimals=2, signed=True)


@register.filter
def ratio(value: Number) -> str:
    """Return a signed statistic with two decimals."""
    return _number(value, decimals=2, signed=True)


@register.filter
def times(value: Number) -> str:
    """Return a multiple of equity."""
    return UNKNOWN if _unknown(value) else f"{_number(value, decimals=2)}×"


@register.filter
def move(value: Number) -> str:
    """Return the class of a gain, a loss, or neither; the template's style adds the arrow."""
    if not value:
        return ""
    return "up" if value > 0 else "dn"


@register.filter
def exact(value: Any) -> str:
    """Return everything that is known of a number: what a tooltip shows."""
    if _unknown(value):
        return "not known"
    if isinstance(value, Decimal):
        return f"{value.normalize():f}"
    return f"{value:.10g}" if isinstance(value, float) else str(value)


@register.filter
def price(value: Decimal | None, tick_size: Decimal) -> str:
    """Return a price with as many decimals as its tick has."""
    if _unknown(value):
        return UNKNOWN
    return _number(value, decimals=max(0, -int(tick_size.normalize().as_tuple().exponent)))


@register.filter
def quantity(value: Decimal | None) -> str:
    """Return a quantity with all its decimals and no more, without its sign: a word says the side."""
    if _unknown(value):
        return UNKNOWN
    plain = abs(value).normalize()
    return _number(plain, decimals=max(0, -int(plain.as_tuple().exponent)))


@register.filter
def brain(kind: str) -> str:
    """Return what decides, in a word."""
    return BRAINS.get(kind, kind.lower())


@register.filter
def duration(seconds: float | timedelta | None) -> str:
    """Return a length of time in its two largest measures."""
    if _unknown(seconds):
        return UNKNOWN
    left = int(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds)
    for place, (size, name) in enumerate(MEASURES):
        if left >= size or name == "s":
            rest = MEASURES[place + 1 : place + 2]
            more = left % size // rest[0][0] if rest else 0
            return f"{left // size} {name}" + (f" {more} {rest[0][1]}" if more and left // size < 10 else "")
    return UNKNOWN


@register.filter
def duration_ms(milliseconds: int | None) -> str:
    """Return a length of time given in milliseconds."""
    return UNKNOWN if _unknown(milliseconds) else duration(milliseconds / 1000)


@register.filter
def since(at: datetime | None, now: datetime) -> str:
    """Return how long ago an instant was, in one measure."""
    if not at:
        return UNKNOWN
    seconds = max(0, (now - at).total_seconds())
    for size, name in MEASURES:
        if seconds >= size:
            return f"{math.floor(seconds / size)} {name} ago"
    return "now"


@register.filter
def lasting(at: datetime | None, now: datetime) -> str:
    """Return how long something has lasted that began at an instant."""
    return UNKNOWN if not at else duration(max(0.0, (now - at).total_seconds()))


@register.filter
def iso(at: datetime | None) -> str:
    """Return an instant as machines read it, in UTC."""
    if not at:
        return ""
    text = at.astimezone(UTC).isoformat(timespec="milliseconds" if at.microsecond else "seconds")
    return text.replace("+00:00", "Z")


@register.filter
def stamp(at: datetime | None) -> str:
    """Return an instant as people read it, in UTC."""
    return UNKNOWN if not at else at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S").removesuffix(":00")


@register.filter
def instant(at: datetime | None) -> SafeString:
    """Return an instant as an element that a script may show in local time."""
    if not at:
        return format_html("{}", UNKNOWN)
    return format_html('<time datetime="{}" data-at>{}</time>', iso(at), stamp(at))


@register.filter
def ago(at: datetime | None, now: datetime) -> SafeString:
    """Return how long ago an instant was, with the instant itself behind it; a script keeps it right."""
    if not at:
        return format_html("{}", UNKNOWN)
    return format_html('<time datetime="{}" title="{} UTC" data-age>{}</time>', iso(at), stamp(at), since(at, now))


@register.filter
def spark(values: list[float] | None, grain: int = 1) -> str:
    """Return the path of a sparkline, its heights in steps of `grain` pixels."""
    return spark_path(values, grain=grain)


@register.filter
def bar(value: float | None, full: float, pixels: int = 60) -> str:
    """Return a length in pixels, all of them at `full`."""
    return f"{min(1.0, (value or 0.0) / full) * pixels:.0f}"


@register.filter
def clock(value: datetime | None) -> str:
    """Return the time of day in UTC."""
    return UNKNOWN if _unknown(value) else value.astimezone(UTC).strftime("%H:%M")


@register.filter
def slippage(fill: Any) -> str:
    """Return what a fill lost against the market's price, per one of it; below zero where it won."""
    lost = (fill.price - fill.base_price) * (1 if fill.side == "BUY" else -1)
    return percent(float(lost / fill.base_price))


@register.filter
def signed_exact(value: Decimal) -> str:
    """Return an amount with all that is known of it, and its sign."""
    return _number(value, decimals=max(2, -int(value.normalize().as_tuple().exponent)), signed=True)


@register.filter
def humanized(name: str) -> str:
    """Return a name of the code in words."""
    return name.replace("_", " ").lower()


@register.filter
def parsed(text: str) -> Decimal:
    """Return the number that a season's document spells as text."""
    return Decimal(text)


@register.filter
def rule(value: Any) -> str:
    """Return the value of a rule as a season's document spells it."""
    if isinstance(value, (dict, list)):
        return ", ".join(
            f"{humanized(str(one))} {value[one]}" if isinstance(value, dict) else str(one) for one in value
        )
    return str(value)
