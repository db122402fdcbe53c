"""How does each decision and each equity point vouch for everything before it?

Every entry has a chain: each link is a sha256 over the link before and one item, in the order in which they happened.
Whoever holds the newest link can tell whether anything behind it was changed; a day's root vouches for the newest links
of all entries, and for the root before it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from bitnerve.domain.units import decimal_text


def version_sha256(*, brain: str, strategy: str, parameters: Mapping[str, str]) -> str:
    """Return the hash of what decides for an agent."""
    content = {"brain": brain, "strategy": strategy, "parameters": dict(parameters)}
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def begin_chain(*, season: str, entry: str, version_sha256: str, capital: int) -> str:
    """Return an entry's first link: who it is, and what it starts with (money units)."""
    return _link("", ["ENTRY", season, entry, version_sha256, decimal_text(capital)])


def link_equity(previous: str, *, at_ms: int, figures: Sequence[int]) -> str:
    """Return the link of an equity point; `figures` are its columns in money units, cash first."""
    return _link(previous, ["EQUITY", at_ms, *map(decimal_text, figures)])


def link_decision(
    previous: str,
    *,
    tick_at_ms: int,
    arrived_at_ms: int,
    snapshot_sha256: str,
    state: str,
    action: str,
    confidence: int | None,
    reason: str,
    orders: Sequence[Mapping[str, Any]],
    verdict: str,
) -> str:
    """Return the link of a decision with what it asked for and the verdict; confidence in rate units."""
    stated = None if confidence is None else decimal_text(confidence)
    return _link(
        previous,
        ["DECISION", tick_at_ms, arrived_at_ms, snapshot_sha256, state, action, stated, reason, list(orders), verdict],
    )


def day_root(previous: str, *, day: str, links: Mapping[str, str]) -> str:
    """Return the root of a day (`YYYY-MM-DD`) over the newest link of every entry, by name, and the root before."""
    return _link(previous, ["DAY", day, [[name, links[name]] for name in sorted(links)]])


def _link(previous: str, item: Sequence[Any]) -> str:
    content = json.dumps(item, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(f"{previous}\n{content}".encode()).hexdigest()
