"""What does every account hold? Balances are derived from lines, never kept."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_LOW = 0xFFFFFFFF


def balances(groups: npt.NDArray[Any], amounts: npt.NDArray[Any], group_count: int) -> list[int]:
    """Return the sum of the amounts of each group (an index from 0), exact however large.

    The halves of the amounts are added apart, so that neither sum can leave 64 bits below 2³¹ lines.
    """
    upper = np.zeros(group_count, dtype=np.int64)
    lower = np.zeros(group_count, dtype=np.int64)
    np.add.at(upper, groups, amounts >> 32)
    np.add.at(lower, groups, amounts & _LOW)
    return [(high << 32) + low for high, low in zip(upper.tolist(), lower.tolist(), strict=True)]


def total(amounts: npt.NDArray[Any]) -> int:
    """Return the exact sum of all amounts."""
    return (int((amounts >> 32).sum()) << 32) + int((amounts & _LOW).sum())
