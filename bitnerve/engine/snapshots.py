"""What could be seen at a tick, as one hash?

A chain: each hash takes in the one before and the bars and marks since, so one hash stands for the whole history up to
its tick.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np

from bitnerve.engine.tables import MarketTables

_ROWS = ("open", "high", "low", "close", "volume", "quote_volume")


def begin_snapshots(symbols: Sequence[str]) -> bytes:
    """Return what the first snapshot of a market takes in: which symbols it has."""
    return hashlib.sha256("\n".join(symbols).encode()).digest()


def snapshot_digest(before: bytes, market: MarketTables, seen: int, bar: int) -> bytes:
    """Return the hash of what is seen at the start of `bar`, after a snapshot that had seen the bars below `seen`."""
    content = hashlib.sha256(before)
    candles = market.recording.candles
    for name in _ROWS:
        content.update(np.asarray(getattr(candles, name)[seen:bar], dtype="<i8").tobytes())
    content.update(np.asarray(market.recording.mark[bar], dtype="<i8").tobytes())
    return content.digest()
