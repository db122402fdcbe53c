"""Which tables are the books of a season, which columns has each, and how is a column held exactly?

A table is an ordered mapping from the names of its columns to the columns, in the order that the export lists.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Integers = npt.NDArray[Any]

# Kinds of a column.
TEXT, DECIMAL, INTEGER, BOOLEAN, TIME = range(5)


@dataclass(frozen=True, slots=True)
class Column:
    """Values of one kind, one per row, as `int64`; what they stand for depends on the kind."""

    kind: int
    values: Integers
    """Of a text the index into `words`, of a time milliseconds, of a boolean 0 or 1."""
    words: Sequence[str] = ()
    step: Integers | None = None
    """Of a decimal: the row's value counts steps of so many 10⁻⁸ (a lot, say); None counts 10⁻⁸ themselves."""
    present: npt.NDArray[np.bool_] | None = None
    """False where the cell is null; None when no cell is."""

    def __len__(self) -> int:
        return len(self.values)


Table = Mapping[str, Column]


@dataclass(frozen=True, slots=True)
class Field:
    """What a table promises of one of its columns."""

    name: str
    kind: int
    nullable: bool = False


@dataclass(frozen=True, slots=True)
class Books:
    """Everything that an export holds: the tables by name, and its two documents as JSON knows them."""

    tables: Mapping[str, Table]
    season: Mapping[str, Any]
    leaderboard: Mapping[str, Any]


def _fields(kinds: Mapping[str, int], nullable: Sequence[str] = ()) -> tuple[Field, ...]:
    return tuple(Field(name, kind, name in nullable) for name, kind in kinds.items())


TABLES: Mapping[str, tuple[Field, ...]] = {
    "orders": _fields(
        {
            "agent": TEXT,
            "sequence": INTEGER,
            "order_id": TEXT,
            "tick_at": TIME,
            "accepted_at": TIME,
            "ended_at": TIME,
            "symbol": TEXT,
            "side": TEXT,
            "type": TEXT,
            "reduce_only": BOOLEAN,
            "margin_mode": TEXT,
            "quantity": DECIMAL,
            "limit_price": DECIMAL,
            "trigger_price": DECIMAL,
            "leverage": INTEGER,
            "status": TEXT,
            "refusal_code": TEXT,
            "reason": TEXT,
        },
        nullable=("ended_at", "limit_price", "trigger_price", "refusal_code"),
    ),
    "fills": _fields(
        {
            "agent": TEXT,
            "sequence": INTEGER,
            "fill_id": TEXT,
            "order_id": TEXT,
            "filled_at": TIME,
            "symbol": TEXT,
            "side": TEXT,
            "quantity": DECIMAL,
            "price": DECIMAL,
            "base_price": DECIMAL,
            "liquidity": TEXT,
            "fee": DECIMAL,
            "realized_pnl": DECIMAL,
            "position_after": DECIMAL,
            "reason": TEXT,
        }
    ),
    "funding": _fields(
        {
            "agent": TEXT,
            "sequence": INTEGER,
            "funded_at": TIME,
            "symbol": TEXT,
            "position_quantity": DECIMAL,
            "mark_price": DECIMAL,
            "rate": DECIMAL,
            "amount": DECIMAL,
        },
        nullable=("rate", "amount"),
    ),
    "positions": _fields(
        {
            "agent": TEXT,
            "at": TIME,
            "symbol": TEXT,
            "quantity": DECIMAL,
            "cost_basis": DECIMAL,
            "mark_price": DECIMAL,
            "unrealized_pnl": DECIMAL,
            "leverage": INTEGER,
            "margin_mode": TEXT,
            "margin": DECIMAL,
            "maintenance_margin": DECIMAL,
        }
    ),
    "equity": _fields(
        {
            "agent": TEXT,
            "at": TIME,
            "cash": DECIMAL,
            "unrealized_pnl": DECIMAL,
            "equity": DECIMAL,
            "margin_used": DECIMAL,
            "maintenance_margin": DECIMAL,
        }
    ),
    "postings": _fields(
        {
            "agent": TEXT,
            "sequence": INTEGER,
            "posting_id": TEXT,
            "posted_at": TIME,
            "kind": TEXT,
            "source_id": TEXT,
            "account": TEXT,
            "asset": TEXT,
            "amount": DECIMAL,
        }
    ),
    "decisions": _fields(
        {
            "agent": TEXT,
            "tick_at": TIME,
            "snapshot_sha256": TEXT,
            "action": TEXT,
            "confidence": DECIMAL,
            "reason": TEXT,
            "verdict": TEXT,
        },
        nullable=("confidence", "reason", "verdict"),
    ),
}

SEASON_TABLES: Mapping[str, tuple[Field, ...]] = {
    "arrivals": _fields(
        {"agent": TEXT, "tick_at": TIME, "arrived_at": TIME, "state": TEXT, "orders": TEXT, "chain_sha256": TEXT}
    ),
    "links": _fields({"agent": TEXT, "at": TIME, "chain_sha256": TEXT}),
    "terms": _fields(
        {
            "agent": TEXT,
            "sequence": INTEGER,
            "parent": INTEGER,
            "time_in_force": TEXT,
            "trigger_by": TEXT,
            "close_position": BOOLEAN,
            "triggered": BOOLEAN,
            "filled": DECIMAL,
            "callback_rate": DECIMAL,
            "stop_loss": DECIMAL,
            "take_profit": DECIMAL,
            "trailing_rate": DECIMAL,
            "leverage_asked": INTEGER,
            "alive_from": INTEGER,
            "attempts": INTEGER,
            "tried_in": INTEGER,
            "fills": INTEGER,
        },
        nullable=("parent", "stop_loss", "take_profit"),
    ),
    "accounts": _fields(
        {
            "agent": TEXT,
            "capital": DECIMAL,
            "cash": DECIMAL,
            "locked": DECIMAL,
            "sequence": INTEGER,
            "marked_at": TIME,
            "ordinal": INTEGER,
            "played_until": TIME,
            "equity": DECIMAL,
            "equity_peak": DECIMAL,
            "equity_at_midnight": DECIMAL,
            "chain_sha256": TEXT,
        }
    ),
    "holdings": _fields(
        {
            "agent": TEXT,
            "symbol": TEXT,
            "quantity": DECIMAL,
            "cost_basis": DECIMAL,
            "margin": DECIMAL,
            "leverage": INTEGER,
            "margin_mode": TEXT,
            "opened_at": TIME,
        },
        nullable=("opened_at",),
    ),
    "ticks": _fields(
        {"number": INTEGER, "at": TIME, "deadline_at": TIME, "state": TEXT, "reason": TEXT, "snapshot_sha256": TEXT},
        nullable=("reason", "snapshot_sha256"),
    ),
    "snapshots": _fields({"taken_at": TIME, "seen_from": TIME, "sha256": TEXT}),
    "roots": _fields(
        {"day": TEXT, "at": TIME, "entry_count": INTEGER, "root_sha256": TEXT, "previous_sha256": TEXT},
        nullable=("previous_sha256",),
    ),
    "candles": _fields(
        {
            "symbol": TEXT,
            "opened_at": TIME,
            "open": DECIMAL,
            "high": DECIMAL,
            "low": DECIMAL,
            "close": DECIMAL,
            "volume": DECIMAL,
            "quote_volume": DECIMAL,
        }
    ),
    "marks": _fields({"symbol": TEXT, "at": TIME, "price": DECIMAL}),
    "rates": _fields({"symbol": TEXT, "funded_at": TIME, "rate": DECIMAL}, nullable=("rate",)),
}
"""What an arena keeps of a season beyond its books: enough to run it once more and to recompute every hash."""

ALL_TABLES: Mapping[str, tuple[Field, ...]] = {**TABLES, **SEASON_TABLES}

ROW_KEYS: Mapping[str, tuple[str, ...]] = {
    "orders": ("agent", "sequence"),
    "fills": ("agent", "sequence"),
    "funding": ("agent", "sequence"),
    "positions": ("agent", "at", "symbol"),
    "equity": ("agent", "at"),
    "postings": ("agent", "sequence", "account"),
    "decisions": ("agent", "tick_at"),
    "arrivals": ("agent", "tick_at"),
    "links": ("agent", "at"),
    "terms": ("agent", "sequence"),
    "accounts": ("agent",),
    "holdings": ("agent", "symbol"),
    "ticks": ("number",),
    "snapshots": ("taken_at",),
    "roots": ("day",),
    "candles": ("opened_at", "symbol"),
    "marks": ("at", "symbol"),
    "rates": ("funded_at", "symbol"),
}
"""By what the rows of a table are ordered and told apart."""

HASHED = ("orders", "fills", "funding", "positions", "equity", "postings")
"""The tables that `books_sha256` covers, in its order."""


def make_column(kind: int, values: npt.ArrayLike, **rest: Any) -> Column:
    """Return a column of `int64`; raise `OverflowError` for an integer that does not fit."""
    return Column(kind, np.ascontiguousarray(np.asarray(values), dtype=np.int64), **rest)


def texts(codes: npt.ArrayLike, words: Sequence[str], *, null_below: bool = False) -> Column:
    """Return a column of texts by their index; with `null_below` a negative index is null."""
    column = make_column(TEXT, codes, words=words)
    if not null_below:
        return column
    present = column.values >= 0
    return Column(TEXT, np.where(present, column.values, 0), words=words, present=present)


def distinct_texts(words: Sequence[str]) -> Column:
    """Return a column in which every row has a text of its own."""
    return Column(TEXT, np.arange(len(words), dtype=np.int64), words=words)


def decimals(units: npt.ArrayLike, *, present: npt.NDArray[np.bool_] | None = None) -> Column:
    """Return a column of money, prices or rates in 10⁻⁸."""
    return make_column(DECIMAL, units, present=present)


def quantities(lots: npt.ArrayLike, step: npt.ArrayLike) -> Column:
    """Return a column of quantities: whole lots, each row of so many 10⁻⁸."""
    return make_column(DECIMAL, lots, step=np.ascontiguousarray(np.asarray(step), dtype=np.int64))


def row_count(table: Table) -> int:
    """Return the number of rows."""
    return len(next(iter(table.values())))


def rows_of(table: Table, start: int, until: int) -> Table:
    """Return rows [start, until) of a table, as views."""
    part = slice(start, until)
    return {
        name: replace(
            column,
            values=column.values[part],
            step=None if column.step is None else column.step[part],
            present=None if column.present is None else column.present[part],
        )
        for name, column in table.items()
    }
