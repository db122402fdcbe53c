"""Do the books hold, if everything that follows from something else in them is recomputed from the tables alone?

What no other cell determines is only looked at for form: the texts of decisions, the impact in a taker's price, marks
(beyond being everybody's), and the terms of orders that never filled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bitnerve.domain.ledger import ids, postings
from bitnerve.domain.ledger.balances import balances
from bitnerve.domain.ledger.canonical import books_sha256
from bitnerve.domain.ledger.difference import BrokenBooks, demand, differ, expect, first, value_text
from bitnerve.domain.ledger.ledger import (
    FILL_REASONS,
    LIQUIDATION_TYPE,
    REFUSED_AFTER_ACCEPTANCE,
    TYPE_REASONS,
    Ledger,
    read_ledger,
)
from bitnerve.domain.ledger.season import parse_season
from bitnerve.domain.ledger.steps import check_accounts
from bitnerve.domain.ledger.tables import Books, row_count
from bitnerve.domain.timeframe import instant_text
from bitnerve.domain.units import SCALE, decimal_text

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Report:
    """What was checked and found clean: rows by table, and the sha256 of the books."""

    rows: dict[str, int]
    books_sha256: str


def check_books(books: Books, *, report: Callable[[str], None] = lambda _: None, with_hash: bool = True) -> Report:
    """Recompute the books and return what was checked, or raise `BrokenBooks` for the first difference.

    Raises a `Refusal` when season.json cannot be understood. `report` is told the name of each check before it
    begins; `with_hash` leaves out the sha256, to see what the rules alone find.
    """
    season = parse_season(books.season)
    report("reading the columns")
    ledger = read_ledger(books.tables, season)
    for name, check in _CHECKS:
        report(name)
        try:
            check(ledger)
        except OverflowError:
            raise BrokenBooks(
                file="books", where={"check": name}, field="a number", stored="out of range", recomputed="64 bits"
            ) from None
    sha256 = ""
    if with_hash:
        report("sha256 of the books")
        sha256 = books_sha256(books.tables)
        if sha256 != season.books_sha256:
            raise BrokenBooks(
                file="season.json", where={}, field="books_sha256", stored=season.books_sha256, recomputed=sha256
            )
    report("the leaderboard")
    check_returns(books, ledger)
    return Report(rows={name: row_count(table) for name, table in books.tables.items()}, books_sha256=sha256)


def check_order_of_rows(ledger: Ledger) -> None:
    """Rows stand by (agent, sequence) or (agent, at, symbol), none twice."""
    for name in ("orders", "fills", "funding"):
        _check_rising(ledger.tables, name, "sequence", [ledger[name].agent, ledger[name].sequence])
    lines = ledger["postings"]
    _check_rising(ledger.tables, "postings", "account", [lines.agent, lines.sequence, lines.account_rank])
    rows = ledger["positions"]
    _check_rising(ledger.tables, "positions", "symbol", [rows.agent, rows.at, rows.symbol])
    for name in ("equity", "decisions"):
        _check_rising(
            ledger.tables, name, "at" if name == "equity" else "tick_at", [ledger[name].agent, ledger[name].at]
        )


def _check_rising(tables: Any, name: str, field: str, keys: list[Integers]) -> None:
    rises = np.zeros(max(0, len(keys[0]) - 1), dtype=np.bool_)
    same = np.ones_like(rises)
    for key in keys:
        step = np.diff(key)
        rises |= same & (step > 0)
        same &= step == 0
    row = first(~rises)
    if row is not None:
        raise differ(tables, name, row + 1, field, "more than in the row before")


def check_sequences(ledger: Ledger) -> None:
    """One counter per agent numbers everything without a gap, in order of time.

    START takes 0; an order takes one number, a fill and a settlement take two, the second for their posting, and a
    transfer is nothing but its posting.
    """
    names = ("orders", "fills", "funding", "transfers")
    width = {"orders": 1, "fills": 2, "funding": 2, "transfers": 1}
    parts = [ledger[name] for name in names]
    agent = np.concatenate([part.agent for part in parts])
    sequence = np.concatenate([part.sequence for part in parts])
    table = np.repeat(np.arange(len(names)), [len(part.agent) for part in parts])
    row = np.concatenate([np.arange(len(part.agent)) for part in parts])
    taken = np.array([width[name] for name in names])[table]
    # When an equity row holds it: fills and what they cause come after the row of their instant, funding before.
    at = np.concatenate(
        [part.at if name == "funding" else part.at + 1 for name, part in zip(names, parts, strict=True)]
    )
    order = np.lexsort((sequence, agent))
    agent, sequence, table, row, taken, at = (part[order] for part in (agent, sequence, table, row, taken, at))
    begins = np.ones(len(agent), dtype=np.bool_)
    begins[1:] = agent[1:] != agent[:-1]
    wanted = np.ones(len(agent), dtype=np.int64)
    wanted[1:] = np.where(begins[1:], 1, sequence[:-1] + taken[:-1])
    for flags, field in ((sequence != wanted, "sequence"), (~begins & (np.diff(at, prepend=at[:1]) < 0), "time")):
        index = first(flags)
        if index is None:
            continue
        name = names[table[index]]
        place = int(ledger.transfer_rows[row[index]]) if name == "transfers" else int(row[index])
        if field == "sequence":
            file = "postings" if name == "transfers" else name
            raise differ(ledger.tables, file, place, field, str(int(wanted[index])))
        raise differ(
            ledger.tables,
            "postings" if name == "transfers" else name,
            place,
            {"orders": "accepted_at", "fills": "filled_at", "funding": "funded_at", "transfers": "posted_at"}[name],
            "not before what has a smaller sequence",
        )


def check_ticks(ledger: Ledger) -> None:
    """Every agent has an equity row at each tick and a decision at each but the last; all see the same snapshot."""
    season, tables = ledger.season, ledger.tables
    equity, decisions = ledger["equity"], ledger["decisions"]
    ticks = equity.at[equity.agent == 0]
    if not len(ticks):
        raise BrokenBooks(file="equity.parquet", where={}, field="rows", stored="none", recomputed="one per tick")
    wanted = ticks[0] + np.arange(len(ticks)) * season.tick_ms
    agents = len(season.agents)
    if ledger.is_arena:
        _check_ragged_ticks(ledger, int(ticks[0]))
    else:
        _check_grid(tables, "equity", "at", equity.agent, equity.at, np.arange(agents), wanted)
        _check_grid(tables, "decisions", "tick_at", decisions.agent, decisions.at, np.arange(agents), wanted[:-1])
    snapshots = tables["decisions"]["snapshot_sha256"]
    words = np.array([len(word) == 64 and set(word) <= set("0123456789abcdef") for word in snapshots.words] or [True])
    demand(tables, "decisions", "snapshot_sha256", words[snapshots.values], "64 hexadecimal digits")
    shared = _first_not_shared(np.zeros_like(decisions.at), decisions.at, snapshots.values)
    if shared is not None:
        raise differ(tables, "decisions", shared[0], "snapshot_sha256", snapshots.words[shared[1]])
    confidence = tables["decisions"]["confidence"]
    stated = (confidence.values >= 0) & (confidence.values <= SCALE)
    if confidence.present is not None:
        stated |= ~confidence.present
    demand(tables, "decisions", "confidence", stated, "within 0 and 1")


def _check_ragged_ticks(ledger: Ledger, start: int) -> None:
    """In an arena every account has been marked at each tick up to its own last one, and decided at some of them."""
    season, tables, equity, decisions = ledger.season, ledger.tables, ledger["equity"], ledger["decisions"]
    begins = np.ones(len(equity.agent), dtype=np.bool_)
    begins[1:] = np.diff(equity.agent) != 0
    places = np.arange(len(equity.agent))
    number = places - np.maximum.accumulate(np.where(begins, places, 0))
    expect(tables, "equity", "at", start + number * season.tick_ms)
    last = np.full(len(season.agents), -1, dtype=np.int64)
    last[equity.agent] = equity.at
    if (last < 0).any():
        agent = season.agents[int(np.argmax(last < 0))]
        raise BrokenBooks(
            file="equity.parquet", where={"agent": agent}, field="rows", stored="none", recomputed="one per tick"
        )
    fits = ((decisions.at - start) % season.tick_ms == 0) & (decisions.at >= start)
    demand(tables, "decisions", "tick_at", fits & (decisions.at <= last[decisions.agent]), "a tick with an equity row")


def _check_grid(
    tables: Any, name: str, field: str, agent: Integers, at: Integers, agents: Integers, ticks: Integers
) -> None:
    wanted_agent, wanted_at = np.repeat(agents, len(ticks)), np.tile(ticks, len(agents))
    count = min(len(agent), len(wanted_agent))
    row = first((agent[:count] != wanted_agent[:count]) | (at[:count] != wanted_at[:count]))
    if row is None and len(agent) != len(wanted_agent):
        row = count
    if row is not None:
        text = instant_text(int(wanted_at[row])) if row < len(wanted_at) else "no row"
        raise differ(tables, name, row, field, text)


def check_orders(ledger: Ledger) -> None:
    """Each order's id, times, status and terms agree with each other and with its fills."""
    season, tables, orders, fills = ledger.season, ledger.tables, ledger["orders"], ledger["fills"]
    start = int(ledger["equity"].at[0])
    _check_order_ids(ledger)
    tick_at = start + (orders.at - start) // season.tick_ms * season.tick_ms
    expect(tables, "orders", "tick_at", tick_at)
    last_fill = _time_of_last_fill(ledger)
    # Born between two ticks: protection with the fill of its entry, a liquidation with its own.
    liquidates = orders.is_type == LIQUIDATION_TYPE
    own_fill = np.full(len(orders.agent), -1, dtype=np.int64)
    own_fill[fills.order[::-1]] = fills.at[::-1]
    placed = (orders.at == orders.tick_at) | (orders.at == last_fill) | (liquidates & (orders.at == own_fill))
    if season.with_quotes:
        placed |= orders.at == ledger.arrivals(orders.agent, orders.tick_at)
    demand(tables, "orders", "accepted_at", placed, "its tick, or the time of the fill it was born with")

    filled = np.zeros(len(orders.agent), dtype=np.int64)
    np.add.at(filled, fills.order, fills.lots)
    latest = np.full(len(orders.agent), -1, dtype=np.int64)
    latest[fills.order] = fills.at
    flat = np.zeros(len(orders.agent), dtype=np.bool_)
    flat[fills.order] = fills.after == 0
    status = ledger.word("orders", "status")
    code = ledger.word("orders", "refusal_code")
    done = status == "FILLED"
    whole = (filled == orders.lots) | (orders.reduce_only & flat & (filled > 0) & (filled <= orders.lots))
    demand(tables, "orders", "quantity", filled <= orders.lots, "at least the sum of its fills")
    demand(tables, "orders", "status", ~done | whole, "not FILLED: its fills do not add up to its quantity")
    demand(tables, "orders", "status", done | (filled < orders.lots) | (orders.lots == 0), "FILLED: its fills add up")
    demand(tables, "orders", "status", (status == "PARTIAL") <= (filled > 0), "not PARTIAL: nothing filled")
    demand(tables, "orders", "status", (status == "ACKED") <= (filled == 0), "not ACKED: some of it filled")
    open_ = (status == "ACKED") | (status == "PARTIAL")
    ended = ledger.present("orders", "ended_at")
    demand(tables, "orders", "ended_at", ended != open_, "null while the order is open, a time after")
    ended_at = orders.ended_at
    late = ended & (ended_at < np.maximum(orders.at, latest))
    demand(tables, "orders", "ended_at", ~late, "not before its acceptance and its fills")
    if not season.with_quotes:
        on_bar = (ended_at - start) % season.bar_ms == 0
        demand(tables, "orders", "ended_at", ~ended | on_bar, "the open of a bar")
    expect(tables, "orders", "ended_at", latest, where=done)
    refused = ended & (status == "REJECTED")
    expect(tables, "orders", "ended_at", orders.at, where=refused & (code != REFUSED_AFTER_ACCEPTANCE))
    demand(tables, "orders", "status", ~refused | (filled == 0), "not REJECTED: some of it filled")
    for cause, own_reason in (("SIBLING_FILLED", None), ("LIQUIDATION", "LIQUIDATION")):
        _check_ended_by_fill(ledger, code == cause, own_reason)
    allowed = {
        "ACKED": {""},
        "PARTIAL": {""},
        "FILLED": {""},
        "CANCELED": {"MARGIN", "POSITION_CLOSED", "SIBLING_FILLED", "LIQUIDATION", "CANCELED"},
        "EXPIRED": {"EXPIRED"},
        "REJECTED": ledger.refusals,
    }
    pairs = {(state, one) for state, codes in allowed.items() for one in codes}
    fits = np.array([pair in pairs for pair in zip(status.tolist(), code.tolist(), strict=True)], dtype=np.bool_)
    demand(tables, "orders", "refusal_code", fits, "a code of its status")
    _check_terms(ledger)


def _check_order_ids(ledger: Ledger) -> None:
    """An order's id follows from agent, tick, and its number since that tick."""
    season, orders = ledger.season, ledger["orders"]
    begins = np.ones(len(orders.agent), dtype=np.bool_)
    begins[1:] = (np.diff(orders.agent) != 0) | (np.diff(orders.tick_at) != 0)
    places = np.arange(len(orders.agent))
    ordinal = places - np.maximum.accumulate(np.where(begins, places, 0)) if len(places) else places
    keys = zip(orders.agent.tolist(), orders.tick_at.tolist(), ordinal.tolist(), strict=True)
    wanted = ids.order_ids(seed=season.seed, keys=((season.agents[agent], tick, n) for agent, tick, n in keys))
    _expect_words(ledger, "orders", "order_id", wanted)


def _expect_words(ledger: Ledger, name: str, field: str, wanted: list[str]) -> None:
    stored = ledger.words(name, field)
    if stored != wanted:
        row = next(row for row, pair in enumerate(zip(stored, wanted, strict=True)) if pair[0] != pair[1])
        raise differ(ledger.tables, name, row, field, wanted[row])


def _time_of_last_fill(ledger: Ledger) -> Integers:
    """Return for each order the time of its agent's last fill with a smaller sequence, or -1."""
    orders, fills = ledger["orders"], ledger["fills"]
    # Agents apart by more than any sequence, so that one search serves all.
    span = 1 + int(max(orders.sequence.max(initial=0), fills.sequence.max(initial=0)))
    place = np.searchsorted(fills.agent * span + fills.sequence, orders.agent * span + orders.sequence) - 1
    inside = np.maximum(place, 0)
    if not len(fills.agent):
        return np.full(len(orders.agent), -1, dtype=np.int64)
    return np.where((place >= 0) & (fills.agent[inside] == orders.agent), fills.at[inside], -1)


def _check_ended_by_fill(ledger: Ledger, chosen: Flags, reason: str | None) -> None:
    """Orders ended by a fill of their account (sibling, liquidation) ended when there was one."""
    orders, fills = ledger["orders"], ledger["fills"]
    counts = np.ones(len(fills.agent), dtype=np.bool_)
    if reason is not None:
        counts = ledger.word("fills", "reason") == reason
    times = set(zip(fills.agent[counts].tolist(), fills.at[counts].tolist(), strict=True))
    rows = np.flatnonzero(chosen)
    pairs = zip(orders.agent[rows].tolist(), orders.ended_at[rows].tolist(), strict=True)
    for row, pair in zip(rows.tolist(), pairs, strict=True):
        if pair not in times:
            raise differ(ledger.tables, "orders", row, "ended_at", "the time of the fill that ended it")


def _check_terms(ledger: Ledger) -> None:
    """Limits, triggers and reasons are those of the order's type; prices lie on the tick grid."""
    tables, orders = ledger.tables, ledger["orders"]
    kind = ledger.word("orders", "type")
    reason = ledger.word("orders", "reason")
    refused = ledger.word("orders", "status") == "REJECTED"
    has_limit, has_trigger = (ledger.present("orders", field) for field in ("limit_price", "trigger_price"))
    demand(tables, "orders", "limit_price", refused | (has_limit == (kind == "LIMIT")), "null unless a LIMIT")
    triggers = np.isin(kind, ["STOP_MARKET", "TAKE_PROFIT_MARKET", "TRAILING_STOP"])
    demand(tables, "orders", "trigger_price", refused | (has_trigger == triggers), "null unless it waits for a level")
    tick = ledger.tick_sizes[orders.symbol]
    for field, present in (("limit_price", has_limit), ("trigger_price", has_trigger)):
        values = tables["orders"][field].values
        fits = (values > 0) & (values % tick == 0)
        demand(tables, "orders", field, refused | ~present | fits, "on the tick grid")
    fits = np.array(
        [one in TYPE_REASONS[own] for own, one in zip(kind.tolist(), reason.tolist(), strict=True)], dtype=np.bool_
    )
    demand(tables, "orders", "reason", fits, "a reason of its type")
    demand(tables, "orders", "reduce_only", orders.reduce_only | ~np.isin(reason, FILL_REASONS), "true for its reason")
    demand(tables, "orders", "leverage", (orders.leverage >= 1) | refused, "at least 1")
    demand(tables, "orders", "quantity", (orders.lots > 0) | refused, "above zero")


def check_fills(ledger: Ledger) -> None:
    """Each fill belongs to its order, and its price lies where spread, limit and tick grid allow."""
    season, tables, orders, fills = ledger.season, ledger.tables, ledger["orders"], ledger["fills"]
    of_order = fills.order
    expect(tables, "fills", "agent", ledger.codes_like("fills", "agent", orders.agent[of_order]))
    expect(tables, "fills", "symbol", ledger.codes_like("fills", "symbol", orders.symbol[of_order]))
    demand(tables, "fills", "side", fills.side == orders.side[of_order], "the side of its order")
    reasons = ledger.word("fills", "reason") == ledger.word("orders", "reason")[of_order]
    demand(tables, "fills", "reason", reasons, "the reason of its order")
    by_order = np.lexsort((np.arange(len(of_order)), of_order))
    grouped = of_order[by_order]
    begins = np.ones(len(grouped), dtype=np.bool_)
    begins[1:] = np.diff(grouped) != 0
    places = np.arange(len(grouped))
    number = np.empty(len(grouped), dtype=np.int64)
    number[by_order] = places - np.maximum.accumulate(np.where(begins, places, 0)) if len(places) else places
    names = ledger.words("orders", "order_id")
    pairs = zip(of_order.tolist(), number.tolist(), strict=True)
    _expect_words(ledger, "fills", "fill_id", [ids.fill_id(names[order], n) for order, n in pairs])
    start = int(ledger["equity"].at[0])
    inside = (fills.at >= np.maximum(start, orders.at[of_order])) & (fills.at < ledger.ends()[fills.agent])
    demand(tables, "fills", "filled_at", inside, "between its order's acceptance and the end of the season")
    if season.with_quotes:
        # An order meets what comes after it was accepted, never a quote of that instant or before. A liquidation is
        # born with its fill, which may be at the instant of a decision.
        later = (
            (fills.at > orders.at[of_order])
            | (orders.is_type[of_order] == LIQUIDATION_TYPE)
            | (orders.at[of_order] != ledger.arrivals(fills.agent, orders.tick_at[of_order]))
        )
        demand(tables, "fills", "filled_at", later, "after its order's acceptance")
    else:
        on_bar = (fills.at - start) % season.bar_ms == 0
        demand(tables, "fills", "filled_at", on_bar, "the open of a bar")
    demand(tables, "fills", "quantity", fills.lots > 0, "above zero")
    _check_prices(ledger)


def _check_prices(ledger: Ledger) -> None:
    """A maker gets the limit; a taker gets the base price moved at least by the half-spread, never beyond a limit."""
    season, tables, fills = ledger.season, ledger.tables, ledger["fills"]
    price, base, side = fills.price, fills.base, fills.side
    tick = ledger.tick_sizes[fills.symbol]
    demand(tables, "fills", "price", (price > 0) & (price % tick == 0), "on the tick grid")
    demand(tables, "fills", "base_price", base > 0, "above zero")
    limit = np.where(
        ledger.present("orders", "limit_price")[fills.order], tables["orders"]["limit_price"].values[fills.order], 0
    )
    maker = fills.maker
    demand(tables, "fills", "liquidity", ~maker | (limit > 0), "TAKER: its order has no limit")
    expect(tables, "fills", "price", limit, where=maker)
    expect(tables, "fills", "base_price", limit, where=maker)
    beyond = (limit > 0) & (side * (price - limit) > 0)
    row = first(beyond)
    if row is not None:
        raise differ(tables, "fills", row, "price", f"no worse than the limit {decimal_text(int(limit[row]))}")
    rows = np.flatnonzero(~maker)
    # A quote has its spread in it.
    spread = 0 if season.with_quotes else season.half_spread_rate
    for row, own, at, worse, step, bound in zip(
        rows.tolist(),
        price[rows].tolist(),
        base[rows].tolist(),
        side[rows].tolist(),
        tick[rows].tolist(),
        limit[rows].tolist(),
        strict=True,
    ):
        if worse > 0:
            moved = -(-at * (SCALE + spread) // SCALE)
            least = -(-moved // step) * step
            wrong = own < (min(least, bound) if bound else least)
        else:
            least = max(step, at * (SCALE - spread) // SCALE // step * step)
            wrong = own > (max(least, bound) if bound else least)
        if wrong:
            raise differ(tables, "fills", row, "price", f"{decimal_text(least)} or worse")


def check_shared_prices(ledger: Ledger) -> None:
    """All agents see one mark per symbol and instant, and one funding rate."""
    tables = ledger.tables
    rows = ledger["positions"]
    row = _first_not_shared(rows.symbol, rows.at, rows.mark)
    if row is not None:
        raise differ(tables, "positions", row[0], "mark_price", decimal_text(row[1]))
    funding = ledger["funding"]
    for field, values in (("mark_price", funding.mark), ("rate", funding.rate), ("rate", funding.known)):
        row = _first_not_shared(funding.symbol, funding.at, values.astype(np.int64))
        if row is not None:
            raise differ(tables, "funding", row[0], field, "the one of all agents at this time")
    # The mark of a settlement is that of the bar end at which it was due: the same as of the positions' row there.
    start, bar = int(ledger["equity"].at[0]), ledger.season.bar_ms
    due = start - (start - funding.at) // bar * bar
    order = np.lexsort((rows.at, rows.symbol))
    span = 1 + int(max(rows.at.max(initial=0), due.max(initial=0)))
    keys = rows.symbol[order] * span + rows.at[order]
    wanted = funding.symbol * span + due
    place = np.searchsorted(keys, wanted)
    inside = np.minimum(place, max(0, len(keys) - 1))
    if len(keys):
        known = keys[inside] == wanted
        expect(tables, "funding", "mark_price", rows.mark[order][inside], where=known)


def _first_not_shared(symbol: Integers, at: Integers, values: Integers) -> tuple[int, int] | None:
    """Return the first row whose value is not that of the first row of its (symbol, time), and that value."""
    if not len(values):
        return None
    order = np.lexsort((at, symbol))
    begins = np.ones(len(order), dtype=np.bool_)
    begins[1:] = (np.diff(symbol[order]) != 0) | (np.diff(at[order]) != 0)
    head = np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))
    index = first(values[order] != values[order][head])
    return None if index is None else (int(order[index]), int(values[order][head[index]]))


def check_postings(ledger: Ledger) -> None:
    """Every posting sums to zero, has a cause of its own, and is what its cause makes of it."""
    season, tables, lines = ledger.season, ledger.tables, ledger["postings"]
    begins = np.ones(len(lines.agent), dtype=np.bool_)
    begins[1:] = (np.diff(lines.agent) != 0) | (np.diff(lines.sequence) != 0)
    posting = np.cumsum(begins) - 1
    heads = np.flatnonzero(begins)
    sums = balances(posting, lines.amount, len(heads))
    broken = next((number for number, value in enumerate(sums) if value), None)
    if broken is not None:
        stored = int(lines.amount[heads[broken]])
        raise differ(tables, "postings", int(heads[broken]), "amount", decimal_text(stored - sums[broken]))
    expect(tables, "postings", "asset", ledger.code_of("postings", "asset", season.asset))
    wanted = postings.make_lines(
        capital=season.capital,
        agent_count=len(season.agents),
        started_at=int(ledger["equity"].at[0]),
        fills=postings.Fills(
            *(ledger["fills"][name] for name in ("agent", "sequence", "at", "realized", "fee")),
        ),
        funding=postings.Settlements(*(ledger["funding"][name] for name in ("agent", "sequence", "at", "amount"))),
        transfers=postings.Transfers(
            *(ledger["transfers"][name] for name in ("agent", "sequence", "at", "amount", "kind", "fill"))
        ),
    )
    fields = {
        "agent": (lines.agent, wanted.agent),
        "sequence": (lines.sequence, wanted.sequence),
        "kind": (lines.kind, wanted.kind),
        "account": (lines.account, postings.account_codes(wanted)),
        "posted_at": (lines.at, wanted.at),
        "amount": (lines.amount, wanted.amount),
    }
    _compare_lines(ledger, fields)
    _check_sources(ledger, wanted, heads, posting)


def _compare_lines(ledger: Ledger, fields: dict[str, tuple[Integers, Integers]]) -> None:
    """Raise for the first line, and in it the first field, that is not the wanted one."""
    stored_count, wanted_count = len(fields["agent"][0]), len(fields["agent"][1])
    count = min(stored_count, wanted_count)
    wrong = np.zeros(count, dtype=np.bool_)
    for stored, wanted in fields.values():
        wrong |= stored[:count] != wanted[:count]
    row = first(wrong)
    if row is None and stored_count == wanted_count:
        return
    row = count if row is None else row
    if row >= wanted_count:
        raise differ(ledger.tables, "postings", row, "sequence", "no such line")
    names = {
        "agent": ledger.season.agents,
        "kind": postings.KINDS,
        "account": postings.account_names(entries=ledger.season.agents, season=ledger.season.name),
    }
    for field, (stored, wanted) in fields.items():
        if row >= stored_count or stored[row] != wanted[row]:
            value = int(wanted[row])
            column = ledger.tables["postings"][field]
            text = names[field][value] if field in names else value_text(column, value)
            raise differ(ledger.tables, "postings", row, field, text)


def _check_sources(ledger: Ledger, wanted: postings.Lines, heads: Integers, posting: Integers) -> None:
    """The ids and sources of postings follow from agent, sequence and cause, and no source serves a kind twice."""
    season, funding = ledger.season, ledger["funding"]
    keys = zip(wanted.agent[heads].tolist(), wanted.sequence[heads].tolist(), strict=True)
    made = ids.posting_ids(seed=season.seed, keys=((season.agents[agent], sequence) for agent, sequence in keys))
    started = [ids.start_source(agent=agent, at_ms=int(ledger["equity"].at[0])) for agent in season.agents]
    settled = zip(funding.agent.tolist(), funding.symbol.tolist(), funding.at.tolist(), strict=True)
    funded = [
        ids.funding_source(agent=season.agents[agent], symbol=season.symbols[symbol], at_ms=at)
        for agent, symbol, at in settled
    ]
    fill_ids = ledger.words("fills", "fill_id")
    causes = {postings.START: started, postings.FUNDING: funded}
    kinds, rows = wanted.kind[heads].tolist(), wanted.cause[heads].tolist()
    sources = [causes.get(kind, fill_ids)[row] for kind, row in zip(kinds, rows, strict=True)]
    seen = set()
    for head, pair in zip(heads.tolist(), zip(kinds, sources, strict=True), strict=True):
        if pair in seen:
            raise differ(ledger.tables, "postings", head, "source_id", f"no second {postings.KINDS[pair[0]]} of it")
        seen.add(pair)
    lines = posting.tolist()
    _expect_words(ledger, "postings", "posting_id", [made[one] for one in lines])
    _expect_words(ledger, "postings", "source_id", [sources[one] for one in lines])


def check_returns(books: Books, ledger: Ledger) -> None:
    """The leaderboard names every agent once, best first, with the equity and the return of its equity rows."""
    season, equity = ledger.season, ledger["equity"]
    standings = books.leaderboard.get("standings")
    if not isinstance(standings, list) or not all(isinstance(one, dict) for one in standings):
        raise BrokenBooks(
            file="leaderboard.json", where={}, field="standings", stored="missing", recomputed="a list of objects"
        )
    stored = [str(one.get("agent")) for one in standings]
    if sorted(stored) != list(season.agents):
        raise BrokenBooks(
            file="leaderboard.json",
            where={},
            field="agents",
            stored=", ".join(stored),
            recomputed=", ".join(season.agents),
        )
    for standing in standings:
        agent = season.agents.index(standing["agent"])
        own = equity.equity[equity.agent == agent]
        opening, last = int(own[0]), int(own[-1])
        where = {"agent": standing["agent"]}
        if standing.get("equity") != decimal_text(last):
            raise BrokenBooks(
                file="leaderboard.json",
                where=where,
                field="equity",
                stored=str(standing.get("equity")),
                recomputed=decimal_text(last),
            )
        # Floats divide to the nearest; twelve digits are what a ratio promises.
        earned = (last - opening) / opening
        told = standing.get("total_return")
        if told is None or isinstance(told, (str, bool)) or abs(float(told) - earned) > 1e-12 * max(1.0, abs(earned)):
            raise BrokenBooks(
                file="leaderboard.json", where=where, field="total_return", stored=str(told), recomputed=repr(earned)
            )


_CHECKS: tuple[tuple[str, Callable[[Ledger], None]], ...] = (
    ("the order of rows", check_order_of_rows),
    ("sequences", check_sequences),
    ("ticks", check_ticks),
    ("fills against orders", check_fills),
    ("orders", check_orders),
    ("positions, margins and cash", check_accounts),
    ("prices that all agents share", check_shared_prices),
    ("postings", check_postings),
)
