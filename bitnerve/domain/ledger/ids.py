"""By what name is an order, a fill or a posting known, so that the same season always gives the same names?

Ids are derived, never drawn: 128 bits of a sha256 over what makes the thing unique. They are lower-case hex, an
order's of 32 characters (rule O2).
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from hashlib import sha256

from bitnerve.domain.timeframe import instant_text

LENGTH = 32

# Many accounts settle at the same instant.
_instant_text = lru_cache(maxsize=4096)(instant_text)


def order_ids(*, seed: int, keys: Iterable[tuple[str, int, int]]) -> list[str]:
    """Return the ids of orders by (agent, tick in milliseconds, ordinal since that tick)."""
    return [_digest(f"order\n{seed}\n{agent}\n{tick_at}\n{ordinal}") for agent, tick_at, ordinal in keys]


def posting_ids(*, seed: int, keys: Iterable[tuple[str, int]]) -> list[str]:
    """Return the ids of postings by (agent, sequence)."""
    return [_digest(f"posting\n{seed}\n{agent}\n{sequence}") for agent, sequence in keys]


def fill_id(order_id: str, number: int) -> str:
    """Return the id of the how-manieth fill of an order, from 0."""
    return f"{order_id}f{number}"


def start_source(*, agent: str, at_ms: int) -> str:
    """Return what an account's first posting names as its source."""
    return f"{agent}/{_instant_text(at_ms)}"


def funding_source(*, agent: str, symbol: str, at_ms: int) -> str:
    """Return what a posting of funding names as its source."""
    return f"{agent}/{symbol}/{_instant_text(at_ms)}"


def _digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:LENGTH]
