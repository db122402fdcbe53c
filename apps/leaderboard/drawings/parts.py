"""What all drawings are made of: marks and strokes, shares of a span of time, ticks that are not cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bitnerve.engine.scales import text_width
from bitnerve.engine.svg import Box, number

WIDTH, HEIGHT = 880, 440
NARROW_WIDTH, NARROW_HEIGHT = 340, 260
LABEL_SIZE = 12


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


def margins(heights: Sequence[float]) -> tuple[float, float]:
    """Return the lowest and the highest of some heights with a little air around them."""
    low, high = min(heights), max(heights)
    margin = 0.06 * (high - low) or abs(high) * 0.01 or 1.0
    return low - margin, high + margin


def time_marks(ticks: Sequence[tuple[int, str]], seconds: Sequence[float], box: Box) -> list[Mark]:
    """Return the labels of an axis of time, from (milliseconds, text)."""
    begin, length = seconds[0], (seconds[-1] - seconds[0]) or 1.0
    marks = []
    for at, text in ticks:
        x = box.x((at / 1000 - begin) / length)
        half = text_width(text, LABEL_SIZE) / 2
        # A label that would hang over an edge is left out rather than cut.
        if box.left - 8 <= x - half and x + half <= box.right + 30:
            marks.append(Mark(number(x), number(box.bottom), text))
    return marks


def shares(seconds: Sequence[float]) -> npt.NDArray[np.float64]:
    """Return where each instant stands between the first and the last, 0..1."""
    at = np.asarray(seconds, dtype=np.float64)
    length = at[-1] - at[0]
    return (at - at[0]) / length if length else np.full(at.shape, 0.5)


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


def places(length: int, count: int) -> list[int]:
    """Return `count` places out of so many, both ends among them, at even steps."""
    return sorted({round(number * (length - 1) / max(1, count - 1)) for number in range(count)}) if length else []
