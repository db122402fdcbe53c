"""What could be seen at a tick, as one hash?

A chain: each hash takes in the one before and the bars and marks since, so one hash stands for the whole history up to
its tick.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from bitnerve.domain.trading import path
from bitnerve.domain.trading.account import Integers


def begin_snapshots(symbols: Sequence[str]) -> bytes:
    """Return what the first snapshot of a market takes in: which symbols it has."""
    return hashlib.sha256("\n".join(symbols).encode()).digest()


def snapshot_digest(before: bytes, bars: Integers, mark: Integers, seen: int, bar: int) -> bytes:
    """Return the hash of what is seen at the start of `bar`, after a snapshot that had seen the bars below `seen`.

    `bars` is [row, bar, symbol] and `mark` [bar, symbol], as kernels read them. Row by row: all opens come first, then
    all highs, and so on.
    """
    content = hashlib.sha256(before)
    content.update(bars[: path.QUOTE_VOLUME + 1, seen:bar].astype("<i8").tobytes())
    content.update(mark[bar].astype("<i8").tobytes())
    return content.digest()
