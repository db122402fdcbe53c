"""How is a sparkline written in few bytes, and where do a histogram's bars stand?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bitnerve.engine.scales import number_text
from bitnerve.engine.svg import number

SPARK_WIDTH, SPARK_HEIGHT = 94, 24


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
