"""Read a whole season as it is stored, cell by cell: nothing here is derived that the database holds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from django.db import connection, transaction

from apps.arenas.models import Entry, Season
from apps.common import exact
from apps.market.selectors import MarketIncomplete, Window
from apps.market.services import at_ms, bars_until
from bitnerve.domain.ledger.canonical import books_sha256
from bitnerve.domain.ledger.difference import BrokenBooks
from bitnerve.domain.ledger.tables import ALL_TABLES, DECIMAL, TEXT, Books, Column, Table
from bitnerve.domain.market.recording import Recording
from bitnerve.domain.timeframe import instant_text
from bitnerve.engine.export import instrument_document
from bitnerve.engine.season_market import market_tables
from bitnerve.engine.verify import FORMAT, make_standings

_BYTES = 'COLLATE "C"'
"""Names are ordered as Python orders them, whatever the database's language."""
_LOTS = {"quantity", "filled", "position_quantity", "position_after"}


def read_season(season: Season) -> Books:
    """Return all that is stored of a season, as of one moment; raise `BrokenBooks` for what cannot be put in a table.

    The sha256 of the books and the standings are made from what was read.
    """
    # Many tables must be read as of one moment, for the season may be running.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        season = Season.objects.select_related("market", "arena").get(pk=season.pk)
        entries = list(Entry.objects.filter(season=season).select_related("version", "account").order_by("name"))
        entries.sort(key=lambda entry: entry.name)
        _check_owners(cursor, season, entries)
        _check_grain(cursor, season)
        window = Window(season.market)
        bars = bars_until(season.market, season.market.collected_until)
        try:
            recording = window.tables(bars).recording
        except MarketIncomplete as error:
            raise BrokenBooks(
                file="candles.parquet", where={}, field="rows", stored=str(error), recomputed=f"{bars} bars"
            ) from None
        tables = {**_read_tables(cursor, season), **market_tables(recording, bars)}
        document = _document(season, entries, recording)
    document["books_sha256"] = books_sha256(tables)
    books = Books(tables=tables, season=document, leaderboard={})
    return Books(tables=tables, season=document, leaderboard=make_standings(books, recording))


def _document(season: Season, entries: Sequence[Entry], recording: Recording) -> dict[str, Any]:
    market = season.market
    described: dict[str, Any] = {
        "name": market.slug,
        "source": market.source,
        "starts_at": instant_text(at_ms(market.starts_at)),
        "collected_until": instant_text(at_ms(market.collected_until)),
    }
    if market.source == market.Source.SIMULATED:
        described |= {name: market.parameters[name] for name in ("seed", "symbol_count")}
    return {
        "format": FORMAT,
        "season": season.slug,
        "arena": season.arena.slug,
        "mode": season.mode,
        "state": season.state,
        "starts_at": instant_text(at_ms(season.starts_at)),
        "ends_at": instant_text(at_ms(season.ends_at)),
        "rules": season.rules,
        "instruments": [instrument_document(one) for one in recording.instruments],
        "agents": [_agent_document(entry) for entry in entries],
        "market": described,
        "inputs": [],
        "seed": season.seed,
    }


def _agent_document(entry: Entry) -> dict[str, Any]:
    version = entry.version
    return {
        "name": entry.name,
        "strategy": version.strategy,
        "parameters": dict(sorted(version.parameters.items())),
        "version": {"number": version.number, "brain": version.brain, "sha256": version.sha256},
    }


def _read_tables(cursor: Any, season: Season) -> dict[str, Table]:
    start, interval = at_ms(season.market.starts_at), season.market.interval_ms

    def bar(column: str) -> str:
        return f"{start} + {column} * {interval}"

    own = "JOIN accounts_account a ON a.id = {0}.account_id AND a.book = %s"
    traded = "JOIN market_instrument instrument ON instrument.id = {0}.instrument_id"
    ms, units = exact.milliseconds, exact.units
    read = _Reader(cursor, season.slug)
    order_cells = {
        "agent": "a.name", "sequence": "o.sequence", "order_id": "o.order_id", "tick_at": bar("o.tick"),
        "accepted_at": ms("o.accepted_at"), "ended_at": ms("o.ended_at"), "symbol": "instrument.symbol",
        "side": "o.side", "type": "o.type", "reduce_only": "o.reduce_only::int", "margin_mode": "o.margin_mode",
        "quantity": exact.lots("o.quantity"), "limit_price": units("o.limit_price"),
        "trigger_price": units("o.trigger_price"), "leverage": "o.leverage", "status": "o.status",
        "refusal_code": "o.refusal_code", "reason": "o.reason",
    }  # fmt: skip
    term_cells = {
        "agent": "a.name", "sequence": "o.sequence", "parent": "parent.sequence", "time_in_force": "o.time_in_force",
        "trigger_by": "o.trigger_by", "close_position": "o.close_position::int", "triggered": "o.triggered::int",
        "filled": exact.lots("o.filled"), "callback_rate": units("o.callback_rate"),
        "stop_loss": units("o.stop_loss"), "take_profit": units("o.take_profit"),
        "trailing_rate": units("o.trailing_rate"), "leverage_asked": "o.leverage_asked", "alive_from": "o.alive_from",
        "attempts": "o.attempts", "tried_in": "o.tried_in", "fills": "o.fills_count",
    }  # fmt: skip
    fill_cells = {
        "agent": "a.name", "sequence": "f.sequence", "fill_id": "f.fill_id", "order_id": "o.order_id",
        "filled_at": ms("f.filled_at"), "symbol": "instrument.symbol", "side": "f.side",
        "quantity": exact.lots("f.quantity"), "price": units("f.price"), "base_price": units("f.base_price"),
        "liquidity": "f.liquidity", "fee": units("f.fee"), "realized_pnl": units("f.realized_pnl"),
        "position_after": exact.lots("f.position_after"), "reason": "f.reason",
    }  # fmt: skip
    paid_cells = {
        "agent": "a.name", "sequence": "p.sequence", "funded_at": ms("p.funded_at"), "symbol": "instrument.symbol",
        "position_quantity": exact.lots("p.position_quantity"), "mark_price": units("p.mark_price"),
        "rate": units("p.rate"), "amount": units("p.amount"),
    }  # fmt: skip
    held_cells = {
        "agent": "a.name", "at": ms("p.at"), "symbol": "instrument.symbol", "quantity": exact.lots("p.quantity"),
        "cost_basis": units("p.cost_basis"), "mark_price": units("p.mark_price"),
        "unrealized_pnl": units("p.unrealized_pnl"), "leverage": "p.leverage", "margin_mode": "p.margin_mode",
        "margin": units("p.margin"), "maintenance_margin": units("p.maintenance_margin"),
    }  # fmt: skip
    point_cells = {
        "agent": "a.name", "at": ms("e.at"), "cash": units("e.cash"), "unrealized_pnl": units("e.unrealized_pnl"),
        "equity": units("e.equity"), "margin_used": units("e.margin_used"),
        "maintenance_margin": units("e.maintenance_margin"),
    }  # fmt: skip
    line_cells = {
        "agent": "a.name", "sequence": "p.sequence", "posting_id": "p.posting_id", "posted_at": ms("p.posted_at"),
        "kind": "p.kind", "source_id": "p.source_id", "account": "l.account_name", "asset": "l.asset",
        "amount": units("l.amount"),
    }  # fmt: skip
    said_cells = {
        "agent": "a.name", "tick_at": ms("t.at"), "snapshot_sha256": "coalesce(s.sha256, '')", "action": "d.action",
        "confidence": units("d.confidence"), "reason": "NULLIF(d.reason, '')", "verdict": "NULLIF(d.verdict, '')",
    }  # fmt: skip
    arrival_cells = {
        "agent": "a.name", "tick_at": ms("t.at"), "arrived_at": ms("d.arrived_at"), "state": "d.state",
        "orders": "d.orders::text", "chain_sha256": "d.chain_sha256",
    }  # fmt: skip
    account_cells = {
        "agent": "a.name", "capital": units("a.capital"), "cash": units("a.cash"), "locked": units("a.locked"),
        "sequence": "a.sequence", "marked_at": bar("a.tick"), "ordinal": "a.ordinal",
        "played_until": ms("a.played_until"), "equity": units("a.equity"), "equity_peak": units("a.equity_peak"),
        "equity_at_midnight": units("a.equity_at_midnight"), "chain_sha256": "a.chain_sha256",
    }  # fmt: skip
    holding_cells = {
        "agent": "a.name", "symbol": "instrument.symbol", "quantity": exact.lots("h.quantity"),
        "cost_basis": units("h.cost_basis"), "margin": units("h.margin"), "leverage": "h.leverage",
        "margin_mode": "h.margin_mode", "opened_at": ms("h.opened_at"),
    }  # fmt: skip
    decisions = f"""trades_decision d JOIN arenas_entry n ON n.id = d.entry_id
        JOIN accounts_account a ON a.id = n.account_id AND a.book = %s JOIN arenas_tick t ON t.id = d.tick_id
        LEFT JOIN market_snapshot s ON s.id = t.snapshot_id ORDER BY a.name {_BYTES}, t.at"""
    by_number = f"ORDER BY a.name {_BYTES}, {{0}}.sequence"
    placed = f"trades_order o {own.format('o')} {traded.format('o')}"
    return {
        "orders": read.table("orders", order_cells, f"{placed} {by_number.format('o')}"),
        "fills": read.table(
            "fills",
            fill_cells,
            f"trades_fill f {own.format('f')} {traded.format('f')} JOIN trades_order o ON o.id = f.order_id "
            + by_number.format("f"),
        ),
        "funding": read.table(
            "funding",
            paid_cells,
            f"trades_fundingpayment p {own.format('p')} {traded.format('p')} {by_number.format('p')}",
        ),
        "positions": read.table(
            "positions",
            held_cells,
            f"trades_positionpoint p {own.format('p')} {traded.format('p')} "
            f"ORDER BY a.name {_BYTES}, p.at, instrument.symbol {_BYTES}",
        ),
        "equity": read.table(
            "equity", point_cells, f"trades_equitypoint e {own.format('e')} ORDER BY a.name {_BYTES}, e.at"
        ),
        "postings": read.table(
            "postings",
            line_cells,
            f"accounts_posting p {own.format('p')} LEFT JOIN accounts_line l ON l.posting_id = p.id "
            f"ORDER BY a.name {_BYTES}, p.sequence, l.account_name {_BYTES}, l.asset",
        ),
        "decisions": read.table("decisions", said_cells, decisions),
        "arrivals": read.table("arrivals", arrival_cells, decisions),
        "links": read.table(
            "links",
            {"agent": "a.name", "at": ms("e.at"), "chain_sha256": "e.chain_sha256"},
            f"trades_equitypoint e {own.format('e')} ORDER BY a.name {_BYTES}, e.at",
        ),
        "terms": read.table(
            "terms",
            term_cells,
            f"{placed} LEFT JOIN trades_order parent ON parent.id = o.parent_id {by_number.format('o')}",
        ),
        "accounts": read.table(
            "accounts", account_cells, f"accounts_account a WHERE a.book = %s ORDER BY a.name {_BYTES}"
        ),
        "holdings": read.table(
            "holdings",
            holding_cells,
            f"trades_position h {own.format('h')} {traded.format('h')} "
            f"ORDER BY a.name {_BYTES}, instrument.symbol {_BYTES}",
        ),
        "ticks": read.table(
            "ticks",
            {
                "number": "t.number", "at": ms("t.at"), "deadline_at": ms("t.deadline_at"), "state": "t.state",
                "reason": "NULLIF(t.reason, '')", "snapshot_sha256": "s.sha256",
            },
            """arenas_tick t JOIN arenas_season season ON season.id = t.season_id AND season.slug = %s
               LEFT JOIN market_snapshot s ON s.id = t.snapshot_id ORDER BY t.number""",
        ),
        "snapshots": read.table(
            "snapshots",
            {"taken_at": ms("s.taken_at"), "seen_from": ms("s.seen_from"), "sha256": "s.sha256"},
            "market_snapshot s WHERE s.series = %s ORDER BY s.taken_at",
        ),
        "roots": read.table(
            "roots",
            {
                "day": "r.day::text", "at": ms("r.at"), "entry_count": "r.entry_count", "root_sha256": "r.root_sha256",
                "previous_sha256": "NULLIF(r.previous_sha256, '')",
            },
            """leaderboard_dayroot r JOIN arenas_season season ON season.id = r.season_id AND season.slug = %s
               ORDER BY r.day""",
        ),
    }  # fmt: skip


class _Reader:
    """Reads tables of one season."""

    def __init__(self, cursor: Any, slug: str) -> None:
        self._cursor, self._slug = cursor, slug

    def table(self, name: str, cells: Mapping[str, str], source: str) -> Table:
        """Return the rows of a query as a table; the season's slug is its one parameter."""
        steps = bool(_LOTS & cells.keys())
        chosen = [*cells.values(), *([exact.units("instrument.lot_size")] if steps else [])]
        self._cursor.execute(f"SELECT {', '.join(chosen)} FROM {source}", [self._slug])
        found = self._cursor.fetchall()
        columns: list[Sequence[Any]] = list(zip(*found, strict=True)) if found else [()] * len(chosen)
        step = np.array(columns[-1], dtype=np.int64) if steps else None
        kinds = {field.name: field for field in ALL_TABLES[name]}
        table = {}
        for (field, _), values in zip(cells.items(), columns, strict=False):
            if not kinds[field].nullable and None in values:
                raise _missing(name, field, cells, found[values.index(None)])
            table[field] = _column(kinds[field].kind, values, step if field in _LOTS else None)
        return table


def _missing(name: str, field: str, cells: Mapping[str, str], row: Sequence[Any]) -> BrokenBooks:
    """Return the difference at a row that lacks something: a posting without lines, say."""
    keys = [key for key in ("agent", "sequence") if key in cells]
    names = list(cells)
    return BrokenBooks(
        file=f"{name}.parquet",
        where={key: str(row[names.index(key)]) for key in keys},
        field=field,
        stored="missing",
        recomputed="at least two lines" if name == "postings" else "a value",
    )


def _column(kind: int, values: Sequence[Any], step: Any) -> Column:
    present = np.array([value is not None for value in values], dtype=np.bool_)
    known = None if present.all() else present
    if kind == TEXT:
        words: dict[str, int] = {}
        codes = [0 if value is None else words.setdefault(value, len(words)) for value in values]
        return Column(TEXT, np.array(codes, dtype=np.int64), words=list(words), present=known)
    plain = np.array([0 if value is None else int(value) for value in values], dtype=np.int64)
    return Column(kind, plain, step=step if kind == DECIMAL else None, present=known)


def _check_owners(cursor: Any, season: Season, entries: Sequence[Entry]) -> None:
    """Every account of the book has its entry, and every posting stands in the book of its account."""
    cursor.execute("SELECT name FROM accounts_account WHERE book = %s", [season.slug])
    names = {row[0] for row in cursor.fetchall()}
    for name in sorted(names ^ {entry.account.name for entry in entries}):
        raise BrokenBooks(
            file="accounts.parquet", where={"agent": name}, field="entry", stored="missing", recomputed="one"
        )
    for entry in entries:
        if entry.account.name != entry.name or entry.account.book != season.slug:
            raise BrokenBooks(
                file="accounts.parquet",
                where={"agent": entry.name},
                field="name",
                stored=str(entry.account),
                recomputed=f"{season.slug}/{entry.name}",
            )
    cursor.execute(
        """SELECT a.name, p.sequence, p.book, p.line_count, count(l.posting_id)
           FROM accounts_posting p JOIN accounts_account a ON a.id = p.account_id
           LEFT JOIN accounts_line l ON l.posting_id = p.id WHERE a.book = %s OR p.book = %s
           GROUP BY a.name, a.book, p.id HAVING a.book <> p.book OR count(l.posting_id) <> p.line_count
           ORDER BY a.name, p.sequence LIMIT 1""",
        [season.slug, season.slug],
    )
    for name, sequence, book, promised, lines in cursor.fetchall():
        strange = book != season.slug or promised == lines
        raise BrokenBooks(
            file="postings.parquet",
            where={"agent": name, "sequence": str(sequence)},
            field="book" if strange else "lines",
            stored=book if strange else str(lines),
            recomputed=season.slug if strange else str(promised),
        )


_PRICES = {
    "fills": ("trades_fill", ("price", "base_price")),
    "funding": ("trades_fundingpayment", ("mark_price",)),
    "positions": ("trades_positionpoint", ("mark_price",)),
}
_QUANTITIES = {
    "orders": ("trades_order", ("quantity", "filled")),
    "fills": ("trades_fill", ("quantity", "position_after")),
    "funding": ("trades_fundingpayment", ("position_quantity",)),
    "positions": ("trades_positionpoint", ("quantity",)),
    "holdings": ("trades_position", ("quantity",)),
}
_MARKET = {
    "candles": ("market_candle", ("open", "high", "low", "close")),
    "marks": ("market_mark", ("price",)),
}


def _check_grain(cursor: Any, season: Season) -> None:
    """Nothing is finer than the engine's units, or reading it would round it away."""
    for whose, kinds, odd in (
        ("account", _PRICES, "x.{0} <> trunc(x.{0}, 8)"),
        ("account", _QUANTITIES, "mod(x.{0}, i.lot_size) <> 0"),
        ("market", _MARKET, "x.{0} <> trunc(x.{0}, 8)"),
        ("market", {"candles": ("market_candle", ("volume",))}, "mod(x.{0}, i.lot_size) <> 0"),
    ):
        for name, (table, columns) in kinds.items():
            for column in columns:
                owner, bound = "i.symbol", "i.market_id = %s"
                joined, key = "", season.market_id
                if whose == "account":
                    owner, bound, key = "a.name", "a.book = %s", season.slug
                    joined = "JOIN accounts_account a ON a.id = x.account_id"
                cursor.execute(
                    f"""SELECT {owner}, i.symbol, x.{column} FROM {table} x {joined}
                        JOIN market_instrument i ON i.id = x.instrument_id
                        WHERE {bound} AND {odd.format(column)} LIMIT 1""",
                    [key],
                )
                for agent, symbol, value in cursor.fetchall():
                    raise BrokenBooks(
                        file=f"{name}.parquet",
                        where={"agent": agent, "symbol": symbol} if whose == "account" else {"symbol": symbol},
                        field=column,
                        stored=str(value),
                        recomputed="no finer than its units",
                    )
