"""How are words, rules and series written in SVG, in few bytes and with nothing that could break out?"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from bitnerve.domain.metrics.returns import Floats

_ILLEGAL = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in which values are drawn: `low` is its floor and `high` its ceiling."""

    left: float
    top: float
    width: float
    height: float
    low: float
    high: float

    @property
    def right(self) -> float:
        """The right edge."""
        return self.left + self.width

    @property
    def bottom(self) -> float:
        """The lower edge."""
        return self.top + self.height

    def x(self, share: float) -> float:
        """Return where a share of the width stands."""
        return self.left + share * self.width

    def y(self, value: float) -> float:
        """Return where a value stands."""
        return self.bottom - (value - self.low) / (self.high - self.low) * self.height


def escape_text(text: str) -> str:
    """Return a text as XML; the characters that XML cannot hold at all become U+FFFD."""
    return escape(_ILLEGAL.sub("\N{REPLACEMENT CHARACTER}", text))


def number(value: float) -> str:
    """Return a coordinate to a tenth."""
    return f"{value:.1f}".removesuffix(".0")


def write_text(x: float, y: float, text: str, size: float, kind: str = "") -> str:
    """Return a text whose baseline stands at y."""
    marked = f' class="{kind.strip()}"' if kind else ""
    return f'<text x="{number(x)}" y="{number(y)}" font-size="{number(size)}"{marked}>{escape_text(text)}</text>'


def draw_rule(x1: float, y1: float, x2: float, y2: float, kind: str) -> str:
    """Return a level or an upright line."""
    across = f"h{number(x2 - x1)}" if y1 == y2 else f"v{number(y2 - y1)}"
    return f'<path class="{kind}" d="M{number(x1)} {number(y1)}{across}"/>'


def draw_dot(x: float, y: float, kind: str) -> str:
    """Return a dot: a stroke without length whose ends are round, so that it stays round however it is scaled."""
    return f'<path class="dot {kind}" d="M{number(x)} {number(y)}h0"/>'


def path_data(shares: Floats, values: Floats, box: Box) -> str:
    """Return the path data of a series within a box, broken where nothing is known."""
    return "".join(_stroke(points) for points in _runs(shares, values, box))


def area_data(shares: Floats, values: Floats, box: Box) -> str:
    """Return the path data of the area between a series and zero."""
    zero = round(10 * box.y(0.0))
    runs = _runs(shares, values, box)
    return "".join(_stroke([(run[0][0], zero), *run, (run[-1][0], zero)]) + "z" for run in runs)


def _runs(shares: Floats, values: Floats, box: Box) -> Iterator[list[tuple[int, int]]]:
    """Yield the unbroken stretches of a series as points in tenths of a unit."""
    edges = np.flatnonzero(np.diff(np.isfinite(values), prepend=False, append=False))
    for begin, end in zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True):
        stretch = zip(shares[begin:end].tolist(), values[begin:end].tolist(), strict=True)
        yield [(round(10 * box.x(share)), round(10 * box.y(value))) for share, value in stretch]


def _stroke(points: Sequence[tuple[int, int]]) -> str:
    """Return the shortest path data through points given in tenths; what lies level is one stroke."""
    (x, y), *rest = points
    moves: list[tuple[int, int]] = []
    for next_x, next_y in rest:
        dx, dy = next_x - x, next_y - y
        if moves and dy == 0 == moves[-1][1]:
            moves[-1] = (moves[-1][0] + dx, 0)
        elif dx or dy:
            moves.append((dx, dy))
        x, y = next_x, next_y
    # A line of one point is a dot: of no length, but with round ends.
    return f"M{_tenths(points[0][0])} {_tenths(points[0][1])}" + ("".join(_join(moves)) or "h0")


def _join(moves: Iterable[tuple[int, int]]) -> Iterator[str]:
    verb = ""
    for dx, dy in moves:
        wanted = "h" if dy == 0 else "v" if dx == 0 else "l"
        numbers = {"h": (dx,), "v": (dy,), "l": (dx, dy)}[wanted]
        for place, number in enumerate(numbers):
            text = _tenths(number)
            if place == 0 and wanted != verb:
                yield wanted + text
            else:
                yield text if text.startswith("-") else " " + text
        verb = wanted


def _tenths(number: int) -> str:
    whole, tenth = divmod(abs(number), 10)
    sign = "-" if number < 0 else ""
    if not tenth:
        return f"{sign}{whole}"
    return f"{sign}{whole or ''}.{tenth}"
