"""What should whoever runs over a recording know about it, besides its gaps?"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np

from bitnerve.adapters.recordings.bars import Bars
from bitnerve.adapters.recordings.parquet import Input


def note_facts(
    bars: Sequence[Bars],
    candles: Sequence[Input],
    funding: Sequence[Input],
    mark: Sequence[Input],
    *others: Input,
) -> dict[str, Any]:
    """Return the facts by name, those that do not apply left out.

    `markets`: what the candles are of. `bars_without_volume`: how many recorded bars stand still, by symbol.
    `without_candles`: symbols that were ignored, by file. `without_funding`, `without_mark`: symbols that the
    files given do not cover. `other_exchanges`: where files come from, if not from the candles' exchanges.
    """
    known = {symbol for one in candles for symbol in one.symbols}
    exchanges = {one.exchange for one in bars}
    standing = {one.symbol: int(np.count_nonzero(one.volume == 0)) for one in bars}
    companions = (*funding, *mark)
    facts = {
        "markets": sorted({f"{one.exchange} {one.market}" for one in bars}),
        "bars_without_volume": {symbol: count for symbol, count in standing.items() if count},
        "without_candles": _by_name({one.name: sorted(set(one.symbols) - known) for one in companions}),
        "without_funding": _uncovered(bars, funding),
        "without_mark": _uncovered(bars, mark),
        "other_exchanges": _by_name(
            {one.name: sorted(set(one.exchanges) - exchanges) for one in (*companions, *others)}
        ),
    }
    return {name: fact for name, fact in facts.items() if fact}


def _by_name(lists: dict[str, list[str]]) -> dict[str, list[str]]:
    return {name: entries for name, entries in sorted(lists.items()) if entries}


def _uncovered(bars: Sequence[Bars], files: Collection[Input]) -> list[str]:
    covered = {symbol for one in files for symbol in one.symbols}
    return [one.symbol for one in bars if files and one.symbol not in covered]
