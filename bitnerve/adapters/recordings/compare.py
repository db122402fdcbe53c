"""Are two recordings the same market?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from typing import Any

import numpy as np

from bitnerve.domain.market.recording import Candles, FundingSchedule, Recording


def find_difference(one: Recording, other: Recording) -> str | None:
    """Return, as text, the first thing in which two markets differ, or None; their origin does not count."""
    if one.symbols != other.symbols or one.bar_count != other.bar_count:
        return f"{one.bar_count} bars of {one.symbols} against {other.bar_count} of {other.symbols}"
    for mine, theirs in zip(one.instruments, other.instruments, strict=True):
        if replace(mine, inferred=False) != replace(theirs, inferred=False):
            return f"{mine} against {theirs}"
    if one.gaps != other.gaps:
        return f"gaps {one.gaps} against {other.gaps}"
    if (one.mark_path is None) != (other.mark_path is None):
        return "only one has a path of marks"
    for name, mine, theirs in _arrays(one, other):
        if mine.shape != theirs.shape:
            return f"{name}: {mine.shape} values against {theirs.shape}"
        for index in np.argwhere(mine != theirs)[:1]:
            place = tuple(index.tolist())
            return f"{name}{list(place)}: {mine[place]} against {theirs[place]}"
    return None


def _arrays(one: Recording, other: Recording) -> Iterator[tuple[str, Any, Any]]:
    yield "mark", one.mark, other.mark
    pairs: tuple[tuple[str, type[Any], Any, Any], ...] = (
        ("candles", Candles, one.candles, other.candles),
        ("mark_path", Candles, one.mark_path, other.mark_path),
        ("funding", FundingSchedule, one.funding, other.funding),
    )
    for part, kind, mine, theirs in pairs:
        for field in fields(kind) if mine is not None else ():
            yield (
                f"{part}.{field.name}",
                np.asarray(getattr(mine, field.name)),
                np.asarray(getattr(theirs, field.name)),
            )
