"""Read what a season's entries decided and did, as the finished run that a replay returns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from django.db import connection

from apps.arenas.models import Entry, Season
from apps.arenas.selectors import agent_of, capital_of, rules_of
from apps.common import exact
from apps.market.selectors import open_window
from apps.market.services import bars_until
from apps.trades.services.desks import READ_ORDER
from bitnerve.domain.kernel import INT64_MAX
from bitnerve.domain.market.instrument import instrument_arrays
from bitnerve.domain.metrics.trades import Fills, FundingPayments
from bitnerve.domain.trading import account, events, marking, orders
from bitnerve.engine.export import LIQUIDITIES, MARGIN_MODES
from bitnerve.engine.run import UNSTATED, AgentCard, DecisionLog, Run


class _Places:
    """Where accounts and instruments stand in a run."""

    def __init__(self, entries: Sequence[Entry], instrument_ids: Sequence[int]) -> None:
        self.accounts = [entry.account_id for entry in entries]
        self._instruments = list(instrument_ids)

    def owner(self, column: str) -> str:
        """Return the expression that turns an account's row id into its place."""
        return f"array_position(ARRAY[{', '.join(map(str, self.accounts))}]::bigint[], {column}) - 1"

    def symbol(self, column: str) -> str:
        """Return the expression that turns an instrument's row id into its column."""
        return f"array_position(ARRAY[{', '.join(map(str, self._instruments))}]::bigint[], {column}) - 1"


def load_run(season: Season) -> Run:
    """Return all that happened in a season up to its newest tick that everybody has been marked at."""
    entries = list(Entry.objects.filter(season=season).select_related("version").order_by("name"))
    window = open_window(season.market)
    recording = window.tables(bars_until(season.market, season.market.collected_until)).recording
    places = _Places(entries, window.instrument_ids)
    rules = rules_of(season)
    with connection.cursor() as cursor:
        ticks, equity = _read_equity(cursor, places)
        log, order_rows = _read_orders(cursor, places)
        happened = _read_events(cursor, places, order_rows)
        held = _read_positions(cursor, places, ticks)
        decisions = _read_decisions(cursor, season, entries, ticks)
    exchange = account.open_exchange(
        instruments=instrument_arrays(recording.instruments),
        rules=rules,
        account_count=len(entries),
        capital=capital_of(season),
        has_mark=False,
    )
    cursors = exchange.cursors.copy()
    cursors[account.ORDER_COUNT], cursors[account.EVENT_COUNT] = len(log), len(happened)
    return Run(
        recording=recording,
        rules=rules,
        capital=capital_of(season),
        tick_ms=season.tick_ms,
        seed=season.seed,
        agents=tuple(_card(entry) for entry in entries),
        exchange=exchange._replace(orders=log, events=happened, cursors=cursors),
        marks=marking.Marks(equity=equity, positions=held, used=np.array([len(held)])),
        ticks=ticks,
        decisions=decisions,
        season=season.slug,
    )


def _card(entry: Entry) -> AgentCard:
    strategy = agent_of(entry).strategy
    return AgentCard(entry.name, strategy.name, strategy.parameters)


def _read_equity(cursor: Any, places: _Places) -> tuple[Any, Any]:
    """Return the instants at which every account was marked, and the figures [tick, account, column]."""
    money = ("cash", "unrealized_pnl", "equity", "margin_used", "maintenance_margin")
    rows = exact.read_integers(
        cursor,
        f"""SELECT {exact.milliseconds("at")}, ({places.owner("account_id")})::bigint,
                   {", ".join(exact.units(name) for name in money)}
            FROM trades_equitypoint WHERE account_id = ANY(%s)""",
        [places.accounts],
        2 + len(money),
    )
    instants, counts = np.unique(rows[:, 0], return_counts=True)
    ticks = instants[counts == len(places.accounts)]
    rows = rows[np.isin(rows[:, 0], ticks)]
    equity = np.zeros((len(ticks), len(places.accounts), marking.EQUITY_COLUMNS), dtype=np.int64)
    equity[np.searchsorted(ticks, rows[:, 0]), rows[:, 1]] = rows[:, 2:]
    return ticks, equity


def _read_orders(cursor: Any, places: _Places) -> tuple[Any, dict[int, int]]:
    """Return the log by (account, sequence), and the row of each order's id."""
    words = "o.id, o.parent_id"
    cells = {**READ_ORDER, orders.STATUS: _status(), orders.CODE: _refusal()}
    cursor.execute(
        f"""SELECT {words}, {places.owner("o.account_id")}, {places.symbol("o.instrument_id")},
                   {", ".join(cells.values())}
            FROM trades_order o JOIN market_instrument instrument ON instrument.id = o.instrument_id
            WHERE o.account_id = ANY(%s) ORDER BY 3, o.sequence""",
        [places.accounts],
    )
    found = cursor.fetchall()
    place = {row[0]: number for number, row in enumerate(found)}
    log = np.zeros((len(found), orders.COLUMNS), dtype=np.int64)
    if found:
        log[:, orders.PARENT] = [place[row[1]] if row[1] is not None else -1 for row in found]
        log[:, [orders.ACCOUNT, orders.SYMBOL, *cells]] = [row[2:] for row in found]
    return log, place


def _status() -> str:
    listed = ", ".join(f"'{word}'" for word in orders.STATUSES)
    return f"CASE status WHEN '{orders.PARTIAL}' THEN 0 ELSE array_position(ARRAY[{listed}], status::text) - 1 END"


def _refusal() -> str:
    listed = ", ".join(f"'{word}'" for word in orders.CODES[1:])
    return f"coalesce(array_position(ARRAY[{listed}], refusal_code::text), 0)"


def _read_events(cursor: Any, places: _Places, order_rows: dict[int, int]) -> Any:
    """Return fills, funding and transfers by (account, sequence); a fill's CAUSE is an order's row."""
    fills = _read_fills(cursor, places, order_rows)
    parts = [fills, _read_funding(cursor, places), _read_transfers(cursor, places)]
    rows = np.concatenate(parts)
    order = np.lexsort((rows[:, events.SEQUENCE], rows[:, events.ACCOUNT]))
    place = np.empty(len(rows), dtype=np.int64)
    place[order] = np.arange(len(rows))
    rows = rows[order]
    moved = rows[:, events.KIND] > events.FUNDING
    # A transfer names its fill by that one's place among the fills; its symbol is the fill's.
    causes = rows[moved, events.CAUSE]
    rows[moved, events.SYMBOL] = fills[causes, events.SYMBOL]
    rows[moved, events.CAUSE] = place[causes]
    return rows


def _read_fills(cursor: Any, places: _Places, order_rows: dict[int, int]) -> Any:
    cells = {
        events.ACCOUNT: places.owner("f.account_id"),
        events.SEQUENCE: "f.sequence",
        events.AT: exact.milliseconds("f.filled_at"),
        events.SYMBOL: places.symbol("f.instrument_id"),
        events.CAUSE: "f.order_id",
        events.AMOUNT: exact.units("f.realized_pnl"),
        events.QUANTITY: exact.lots("f.quantity"),
        events.PRICE: exact.units("f.price"),
        events.BASE_PRICE: exact.units("f.base_price"),
        events.SIDE: "CASE f.side WHEN 'BUY' THEN 1 ELSE -1 END",
        events.MAKER: f"array_position(ARRAY['{LIQUIDITIES[0]}', '{LIQUIDITIES[1]}'], f.liquidity::text) - 1",
        events.FEE: exact.units("f.fee"),
        events.POSITION_AFTER: exact.lots("f.position_after"),
        events.REASON: f"array_position(ARRAY[{', '.join(repr(word) for word in orders.REASONS)}], f.reason::text) - 1",
        events.NUMBER: "f.number",
    }
    found = _read(
        cursor,
        cells,
        "trades_fill f JOIN market_instrument instrument ON instrument.id = f.instrument_id",
        "f.account_id",
        places,
        "f.account_id, f.sequence",
    )
    found[:, events.KIND] = events.FILL
    found[:, events.CAUSE] = [order_rows[pk] for pk in found[:, events.CAUSE].tolist()]
    return found


def _read_funding(cursor: Any, places: _Places) -> Any:
    cells = {
        events.ACCOUNT: places.owner("p.account_id"),
        events.SEQUENCE: "p.sequence",
        events.AT: exact.milliseconds("p.funded_at"),
        events.SYMBOL: places.symbol("p.instrument_id"),
        events.CAUSE: "-1",
        events.AMOUNT: f"coalesce({exact.units('p.amount')}, 0)",
        events.QUANTITY: exact.lots("p.position_quantity"),
        events.PRICE: exact.units("p.mark_price"),
        events.RATE: f"coalesce({exact.units('p.rate')}, 0)",
        events.KNOWN: "(p.rate IS NOT NULL)::int",
    }
    found = _read(
        cursor,
        cells,
        "trades_fundingpayment p JOIN market_instrument instrument ON instrument.id = p.instrument_id",
        "p.account_id",
        places,
        "p.account_id, p.sequence",
    )
    found[:, events.KIND] = events.FUNDING
    return found


def _read_transfers(cursor: Any, places: _Places) -> Any:
    """Return what insurance took and gave; CAUSE is the place of the fill among the fills of `_read_fills`."""
    cells = {
        events.KIND: f"CASE t.kind WHEN 'SHORTFALL' THEN {events.SHORTFALL} ELSE {events.LIQUIDATION_FEE} END",
        events.ACCOUNT: places.owner("t.account_id"),
        events.SEQUENCE: "t.sequence",
        events.AT: exact.milliseconds("t.posted_at"),
        events.CAUSE: "c.place",
        events.AMOUNT: exact.units("l.amount"),
    }
    return _read(
        cursor,
        cells,
        """accounts_posting t
            JOIN accounts_line l ON l.posting_id = t.id AND l.account_name LIKE 'cash:%%'
            JOIN (SELECT account_id, fill_id, row_number() OVER (ORDER BY account_id, sequence) - 1 AS place
                  FROM trades_fill WHERE account_id = ANY(%s)) c
              ON c.account_id = t.account_id AND c.fill_id = t.source_id""",
        "t.kind IN ('LIQUIDATION_FEE', 'SHORTFALL') AND t.account_id",
        places,
        "t.account_id, t.sequence",
        again=True,
    )


def _read(
    cursor: Any, cells: dict[int, str], source: str, whose: str, places: _Places, order: str, *, again: bool = False
) -> Any:
    cursor.execute(
        f"SELECT {', '.join(cells.values())} FROM {source} WHERE {whose} = ANY(%s) ORDER BY {order}",
        [places.accounts] * (2 if again else 1),
    )
    found = cursor.fetchall()
    rows = np.zeros((len(found), account.EVENT_COLUMNS), dtype=np.int64)
    if found:
        rows[:, list(cells)] = found
    return rows


def _read_positions(cursor: Any, places: _Places, ticks: Any) -> Any:
    money = {
        marking.ROW_COST: "cost_basis",
        marking.ROW_MARK: "mark_price",
        marking.ROW_UNREALIZED: "unrealized_pnl",
        marking.ROW_MARGIN: "margin",
        marking.ROW_MAINTENANCE: "maintenance_margin",
    }
    cells = {
        marking.ROW_ACCOUNT: places.owner("account_id"),
        marking.ROW_TICK: exact.milliseconds("at"),
        marking.ROW_SYMBOL: places.symbol("instrument_id"),
        marking.ROW_QUANTITY: exact.lots("quantity"),
        marking.ROW_LEVERAGE: "leverage",
        marking.ROW_ISOLATED: f"array_position(ARRAY['{MARGIN_MODES[0]}', '{MARGIN_MODES[1]}'], margin_mode::text) - 1",
        **{column: exact.units(name) for column, name in money.items()},
    }
    columns = ", ".join(f"({cells[column]})::bigint" for column in range(marking.ROW_COLUMNS))
    rows = exact.read_integers(
        cursor,
        f"""SELECT {columns} FROM trades_positionpoint
            JOIN market_instrument instrument ON instrument.id = instrument_id WHERE account_id = ANY(%s)""",
        [places.accounts],
        marking.ROW_COLUMNS,
    )
    rows = rows[np.isin(rows[:, marking.ROW_TICK], ticks)]
    rows[:, marking.ROW_TICK] = np.searchsorted(ticks, rows[:, marking.ROW_TICK])
    return rows[np.lexsort((rows[:, marking.ROW_SYMBOL], rows[:, marking.ROW_ACCOUNT], rows[:, marking.ROW_TICK]))]


def _read_decisions(cursor: Any, season: Season, entries: Sequence[Entry], ticks: Any) -> DecisionLog:
    cursor.execute(
        f"""SELECT {exact.milliseconds("t.at")}, d.entry_id, d.action, {exact.units("d.confidence")}, d.reason,
                   d.verdict, s.sha256
            FROM trades_decision d JOIN arenas_tick t ON t.id = d.tick_id
            JOIN market_snapshot s ON s.id = t.snapshot_id WHERE t.season_id = %s""",
        [season.pk],
    )
    place = {entry.pk: number for number, entry in enumerate(entries)}
    # A tick that was skipped or missed has nobody's decision: its cells say so with an empty text.
    shape = (max(0, len(ticks) - 1), len(entries))
    texts: dict[str, int] = {"": 0}
    codes = {name: np.zeros(shape, dtype=np.int32) for name in ("action", "reason", "verdict")}
    confidence = np.full(shape, UNSTATED, dtype=np.int64)
    snapshots = [""] * shape[0]
    for at, entry_id, action, stated, reason, verdict, sha256 in cursor.fetchall():
        row, column = int(np.searchsorted(ticks, at)), place[entry_id]
        if row >= shape[0]:
            continue
        for name, text in (("action", action), ("reason", reason), ("verdict", verdict)):
            codes[name][row, column] = texts.setdefault(text, len(texts))
        confidence[row, column] = UNSTATED if stated is None else stated
        snapshots[row] = sha256
    return DecisionLog(
        action=codes["action"],
        confidence=confidence,
        reason=codes["reason"],
        verdict=codes["verdict"],
        texts=tuple(texts),
        snapshots=tuple(snapshots),
    )


def read_trades(account_ids: Sequence[int]) -> dict[int, tuple[Fills, Any, FundingPayments]]:
    """Return each account's fills, the time of each in milliseconds, and its funding, as the metrics read them.

    The fee of a fill holds that of the liquidation that it was part of.
    """
    wanted = sorted(account_ids)
    with connection.cursor() as cursor:
        rows = exact.read_integers(
            cursor,
            f"""SELECT f.account_id, f.sequence::bigint, f.instrument_id,
                       CASE f.side WHEN 'BUY' THEN 1 ELSE -1 END * {exact.lots("f.quantity")},
                       {exact.units("f.realized_pnl")},
                       {exact.units("f.fee - coalesce(charge.amount, 0)")},
                       (f.reason = 'LIQUIDATION')::int::bigint, {exact.milliseconds("f.filled_at")}
                FROM trades_fill f JOIN market_instrument instrument ON instrument.id = f.instrument_id
                LEFT JOIN accounts_posting p
                    ON p.account_id = f.account_id AND p.kind = 'LIQUIDATION_FEE' AND p.source_id = f.fill_id
                LEFT JOIN accounts_line charge ON charge.posting_id = p.id AND charge.account_name LIKE 'cash:%%'
                WHERE f.account_id = ANY(%s) ORDER BY f.account_id, f.sequence""",
            [wanted],
            8,
        )
        paid = exact.read_integers(
            cursor,
            f"""SELECT account_id, sequence::bigint, instrument_id, coalesce({exact.units("amount")}, 0)
                FROM trades_fundingpayment WHERE account_id = ANY(%s) ORDER BY account_id, sequence""",
            [wanted],
            4,
        )
    bounds = [np.searchsorted(table[:, 0], [*wanted, INT64_MAX]).tolist() for table in (rows, paid)]
    return {
        pk: _trades(*(table[at[n] : at[n + 1], 1:] for table, at in zip((rows, paid), bounds, strict=True)))
        for n, pk in enumerate(wanted)
    }


def _trades(rows: Any, paid: Any) -> tuple[Fills, Any, FundingPayments]:
    symbols = np.unique(np.concatenate([rows[:, 1], paid[:, 1]]))
    fills = Fills(
        sequence=rows[:, 0],
        symbol=np.searchsorted(symbols, rows[:, 1]),
        lots=rows[:, 2],
        realized_pnl=rows[:, 3],
        fee=rows[:, 4],
        liquidation=rows[:, 5] == 1,
    )
    return fills, rows[:, 6], FundingPayments(paid[:, 0], np.searchsorted(symbols, paid[:, 1]), paid[:, 2])
