"""What do the tables say in numbers: agents, symbols and words as indices, quantities in lots, the rest in units?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bitnerve.domain.kernel import INT64_MAX
from bitnerve.domain.ledger import postings
from bitnerve.domain.ledger.difference import demand, differ, first
from bitnerve.domain.ledger.season import Season
from bitnerve.domain.ledger.tables import DECIMAL, Column, Table
from bitnerve.domain.trading import orders as order_words
from bitnerve.domain.units import decimal_text

Integers = npt.NDArray[np.int64]

REFUSED_AFTER_ACCEPTANCE = "FOK"
LIQUIDATION_TYPE = order_words.LIQUIDATION
FILL_REASONS = ("STOP", "TAKE_PROFIT", "TRAILING", "LIQUIDATION")
"""Reasons that only an order which reduces can have."""
_ENDED_LATER = ("POSITION_CLOSED", "SIBLING_FILLED", "LIQUIDATION", "CANCELED", "EXPIRED")
TYPE_REASONS: Mapping[str, frozenset[str]] = {
    "MARKET": frozenset({"ENTRY", "EXIT", "TIME"}),
    "LIMIT": frozenset({"ENTRY", "EXIT", "TIME"}),
    "STOP_MARKET": frozenset({"ENTRY", "EXIT", "TIME", "STOP"}),
    "TAKE_PROFIT_MARKET": frozenset({"ENTRY", "EXIT", "TIME", "TAKE_PROFIT"}),
    "TRAILING_STOP": frozenset({"ENTRY", "EXIT", "TIME", "TRAILING"}),
    "LIQUIDATION": frozenset({"LIQUIDATION"}),
}
_LOTS_MAX = 2**61


class Numbers:
    """The numbers of one table, by name."""

    def __init__(self, **columns: Any) -> None:
        self.__dict__.update(columns)

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(name)

    def __getitem__(self, name: str) -> Any:
        return self.__dict__[name]


class Ledger:
    """The tables of a season as numbers, and the tables themselves to name a place in them."""

    def __init__(self, tables: Mapping[str, Table], season: Season) -> None:
        self.tables = tables
        self.season = season
        self.tick_sizes: Integers = np.array([one.tick_size for one in season.instruments] or [1], dtype=np.int64)
        self.refusals = {str(code) for code in order_words.CODES if code} - set(_ENDED_LATER)
        self.transfer_rows: Integers = np.zeros(0, dtype=np.int64)
        self.is_arena = "accounts" in tables
        """Whether it is a season of an arena, which may still be running: accounts stand where they have got to."""
        self._numbers: dict[str, Numbers] = {}

    def __getitem__(self, name: str) -> Numbers:
        return self._numbers[name]

    def add(self, name: str, **columns: Any) -> None:
        """Keep the numbers of a table."""
        self._numbers[name] = Numbers(**columns)

    def ends(self) -> Integers:
        """Return for every agent the first instant at which nothing of its account can have happened any more."""
        count = len(self.season.agents)
        if not self.is_arena:
            return np.full(count, self["equity"].at[-1], dtype=np.int64)
        ends = np.zeros(count, dtype=np.int64)
        ends[self["accounts"].agent] = self["accounts"].played_until + 1
        return ends

    def arrivals(self, agent: Integers, tick_at: Integers) -> Integers:
        """Return when the decisions of agents at ticks arrived, -1 for those that made none."""
        column = self.tables["arrivals"]["arrived_at"].values
        own = self["decisions"]
        if not len(own.agent):
            return np.full(len(agent), -1, dtype=np.int64)
        span = 1 + int(max(own.at.max(initial=0), tick_at.max(initial=0)))
        keys, wanted = own.agent * span + own.at, agent * span + tick_at
        place = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
        return np.where(keys[place] == wanted, column[place], -1)

    def column(self, name: str, field: str) -> Column:
        """Return a column as it was read."""
        return self.tables[name][field]

    def codes(self, name: str, field: str, known: Sequence[str]) -> Integers:
        """Return a column of texts as indices into `known`; raise `BrokenBooks` for another word."""
        column = self.column(name, field)
        places = {word: place for place, word in enumerate(known)}
        code = np.array([places.get(word, -1) for word in column.words] or [-1], dtype=np.int64)[column.values]
        demand(self.tables, name, field, code >= 0, f"one of {', '.join(known)}")
        return code

    def codes_like(self, name: str, field: str, codes: Integers) -> Integers:
        """Return season indices (of agents or symbols) as indices into a column's own words, -1 for none."""
        known = self.season.agents if field == "agent" else self.season.symbols
        words = list(self.column(name, field).words)
        places = np.array([words.index(word) if word in words else -1 for word in known] or [-1], dtype=np.int64)
        return places[codes]

    def code_of(self, name: str, field: str, word: str) -> int:
        """Return the index of a word in a column's own words, -1 for none."""
        words = list(self.column(name, field).words)
        return words.index(word) if word in words else -1

    def words(self, name: str, field: str) -> list[str]:
        """Return a column of texts, row by row."""
        column = self.column(name, field)
        words = column.words
        return [words[code] for code in column.values.tolist()]

    def word(self, name: str, field: str) -> npt.NDArray[np.str_]:
        """Return a column of texts as an array; a null is empty."""
        column = self.column(name, field)
        found = np.array([*column.words, ""])[column.values]
        return found if column.present is None else np.where(column.present, found, "")

    def present(self, name: str, field: str) -> npt.NDArray[np.bool_]:
        """Return where a column has values."""
        column = self.column(name, field)
        return np.ones(len(column), dtype=np.bool_) if column.present is None else column.present

    def lots(self, name: str, field: str, symbol: Integers) -> Integers:
        """Return a column of quantities in lots; raise `BrokenBooks` where one is no whole number of them."""
        column = self.column(name, field)
        steps = np.array(self.season.steps or [1], dtype=np.int64)[symbol]
        if column.step is None:
            lots, rest = np.divmod(column.values, steps)
        elif np.array_equal(column.step, steps):
            lots, rest = column.values, np.zeros_like(steps)
        else:
            pairs = zip(column.values.tolist(), column.step.tolist(), steps.tolist(), strict=True)
            divided = [divmod(value * step, lot) for value, step, lot in pairs]
            lots = np.array([whole if abs(whole) <= INT64_MAX else 0 for whole, _ in divided], dtype=np.int64)
            rest = np.array([part != 0 or abs(whole) > INT64_MAX for whole, part in divided], dtype=np.int64)
        row = first(rest != 0)
        if row is not None:
            raise differ(self.tables, name, row, field, f"a multiple of the lot {decimal_text(int(steps[row]))}")
        numerators = np.array([one.lot_numerator for one in self.season.instruments] or [1], dtype=np.int64)
        fits = np.abs(lots) <= _LOTS_MAX // numerators[symbol]
        if name == "orders":
            # An order may have been refused because it is too large.
            fits |= self.word("orders", "status") == "REJECTED"
        demand(self.tables, name, field, fits, "within the range of quantities")
        return lots


def read_ledger(tables: Mapping[str, Table], season: Season) -> Ledger:
    """Return the tables as numbers, or raise `BrokenBooks` for a word or a quantity that cannot be one."""
    ledger = Ledger(tables, season)
    for name, table in tables.items():
        _check_ranges(ledger, name, table)
    _read_orders(ledger)
    _read_fills(ledger)
    _read_funding(ledger)
    _read_marks(ledger)
    _read_postings(ledger)
    ledger.add(
        "decisions",
        agent=ledger.codes("decisions", "agent", season.agents),
        at=tables["decisions"]["tick_at"].values,
    )
    if ledger.is_arena:
        _read_accounts(ledger)
    return ledger


def _read_accounts(ledger: Ledger) -> None:
    season, accounts, held = ledger.season, ledger.tables["accounts"], ledger.tables["holdings"]
    ledger.add(
        "accounts",
        agent=ledger.codes("accounts", "agent", season.agents),
        played_until=accounts["played_until"].values,
        cash=accounts["cash"].values,
        locked=accounts["locked"].values,
    )
    symbol = ledger.codes("holdings", "symbol", season.symbols)
    ledger.add(
        "holdings",
        agent=ledger.codes("holdings", "agent", season.agents),
        symbol=symbol,
        lots=ledger.lots("holdings", "quantity", symbol),
        cost=held["cost_basis"].values,
        margin=held["margin"].values,
        leverage=held["leverage"].values,
        isolated=ledger.codes("holdings", "margin_mode", ("CROSS", "ISOLATED")),
    )


def _check_ranges(ledger: Ledger, name: str, table: Table) -> None:
    """Every number stays so far within 64 bits that two of them can be added."""
    for field, column in table.items():
        if column.step is None and column.kind == DECIMAL:
            fits = np.abs(column.values) <= INT64_MAX // 2
            demand(ledger.tables, name, field, fits & (column.values != -INT64_MAX - 1), "within the range of money")


def _read_orders(ledger: Ledger) -> None:
    season, table = ledger.season, ledger.tables["orders"]
    symbol = ledger.codes("orders", "symbol", season.symbols)
    ledger.codes("orders", "status", (*order_words.STATUSES, order_words.PARTIAL))
    ledger.codes("orders", "reason", order_words.REASONS)
    code, present = table["refusal_code"], ledger.present("orders", "refusal_code")
    known = np.array([word in order_words.CODES for word in code.words] or [True])
    demand(ledger.tables, "orders", "refusal_code", ~present | known[code.values], "a code of the house")
    ledger.add(
        "orders",
        agent=ledger.codes("orders", "agent", season.agents),
        sequence=table["sequence"].values,
        tick_at=table["tick_at"].values,
        at=table["accepted_at"].values,
        ended_at=table["ended_at"].values,
        symbol=symbol,
        side=1 - 2 * ledger.codes("orders", "side", ("BUY", "SELL")),
        is_type=ledger.codes("orders", "type", order_words.TYPES),
        reduce_only=table["reduce_only"].values != 0,
        isolated=ledger.codes("orders", "margin_mode", ("CROSS", "ISOLATED")),
        lots=ledger.lots("orders", "quantity", symbol),
        leverage=table["leverage"].values,
    )


def _read_fills(ledger: Ledger) -> None:
    season, table = ledger.season, ledger.tables["fills"]
    symbol = ledger.codes("fills", "symbol", season.symbols)
    ledger.codes("fills", "reason", order_words.REASONS)
    places = {name: row for row, name in enumerate(ledger.words("orders", "order_id"))}
    column = table["order_id"]
    of_word = np.array([places.get(word, -1) for word in column.words] or [-1], dtype=np.int64)
    order = of_word[column.values]
    demand(ledger.tables, "fills", "order_id", order >= 0, "the id of an order")
    ledger.add(
        "fills",
        agent=ledger.codes("fills", "agent", season.agents),
        sequence=table["sequence"].values,
        at=table["filled_at"].values,
        symbol=symbol,
        order=order,
        side=1 - 2 * ledger.codes("fills", "side", ("BUY", "SELL")),
        lots=ledger.lots("fills", "quantity", symbol),
        price=table["price"].values,
        base=table["base_price"].values,
        maker=ledger.codes("fills", "liquidity", ("TAKER", "MAKER")) == 1,
        fee=table["fee"].values,
        realized=table["realized_pnl"].values,
        after=ledger.lots("fills", "position_after", symbol),
    )


def _read_funding(ledger: Ledger) -> None:
    season, table = ledger.season, ledger.tables["funding"]
    symbol = ledger.codes("funding", "symbol", season.symbols)
    known = ledger.present("funding", "rate")
    settled = ledger.present("funding", "amount")
    demand(ledger.tables, "funding", "amount", known == settled, "null exactly where the rate is unknown")
    demand(ledger.tables, "funding", "mark_price", table["mark_price"].values > 0, "above zero")
    ledger.add(
        "funding",
        agent=ledger.codes("funding", "agent", season.agents),
        sequence=table["sequence"].values,
        at=table["funded_at"].values,
        symbol=symbol,
        lots=ledger.lots("funding", "position_quantity", symbol),
        mark=table["mark_price"].values,
        rate=np.where(known, table["rate"].values, 0),
        known=known,
        amount=np.where(known, table["amount"].values, 0),
    )


def _read_marks(ledger: Ledger) -> None:
    season, rows, equity = ledger.season, ledger.tables["positions"], ledger.tables["equity"]
    symbol = ledger.codes("positions", "symbol", season.symbols)
    demand(ledger.tables, "positions", "mark_price", rows["mark_price"].values > 0, "above zero")
    ledger.add(
        "positions",
        agent=ledger.codes("positions", "agent", season.agents),
        at=rows["at"].values,
        symbol=symbol,
        lots=ledger.lots("positions", "quantity", symbol),
        cost=rows["cost_basis"].values,
        mark=rows["mark_price"].values,
        unrealized=rows["unrealized_pnl"].values,
        leverage=rows["leverage"].values,
        isolated=ledger.codes("positions", "margin_mode", ("CROSS", "ISOLATED")),
        margin=rows["margin"].values,
        maintenance=rows["maintenance_margin"].values,
    )
    ledger.add(
        "equity",
        agent=ledger.codes("equity", "agent", season.agents),
        at=equity["at"].values,
        cash=equity["cash"].values,
        unrealized=equity["unrealized_pnl"].values,
        equity=equity["equity"].values,
        used=equity["margin_used"].values,
        maintenance=equity["maintenance_margin"].values,
    )


def _read_postings(ledger: Ledger) -> None:
    season, table = ledger.season, ledger.tables["postings"]
    agent = ledger.codes("postings", "agent", season.agents)
    kind = ledger.codes("postings", "kind", postings.KINDS)
    names = postings.account_names(entries=season.agents, season=season.name)
    names[postings.CASH] = "cash:"
    account = ledger.codes("postings", "account", names)
    rank = np.argsort(np.argsort(names))[account]
    ledger.add(
        "postings",
        agent=agent,
        sequence=table["sequence"].values,
        at=table["posted_at"].values,
        kind=kind,
        account=account,
        account_rank=rank,
        amount=table["amount"].values,
    )
    # What passes between an account and insurance stands nowhere but in its posting.
    moves = np.flatnonzero((kind >= postings.LIQUIDATION_FEE) & (account >= 6))
    fills = {name: row for row, name in enumerate(ledger.words("fills", "fill_id"))}
    source = table["source_id"]
    fill = np.array([fills.get(word, -1) for word in source.words] or [-1], dtype=np.int64)[source.values]
    demand(ledger.tables, "postings", "source_id", (kind < postings.LIQUIDATION_FEE) | (fill >= 0), "the id of a fill")
    ledger.transfer_rows = moves
    ledger.add(
        "transfers",
        agent=agent[moves],
        sequence=table["sequence"].values[moves],
        at=table["posted_at"].values[moves],
        amount=table["amount"].values[moves],
        kind=kind[moves],
        fill=fill[moves],
    )
