"""Take accounts out of the database, and put back what has become of them, all of it or nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection, transaction

from apps.accounts.services import journal
from apps.arenas.models import Entry, Season
from apps.common import exact
from apps.market.selectors import Window
from bitnerve.domain.decisions.decision import Decision
from bitnerve.domain.ledger import chain, ids, postings
from bitnerve.domain.trading import events, marking, orders
from bitnerve.domain.units import SCALE
from bitnerve.engine import carry
from bitnerve.engine.carry import Carried, Changes
from bitnerve.engine.export import LIQUIDITIES, MARGIN_MODES, SIDES
from bitnerve.engine.tables import MarketTables
from bitnerve.engine.wording import spell_request

_STATUSES = (*orders.STATUSES, orders.PARTIAL)


class Superseded(Exception):
    """Somebody else has moved an account since it was read; nothing was written."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Accounts as they were read, in the order of their entries' names."""

    season: Season
    entries: tuple[Entry, ...]
    carried: Carried
    played_until: tuple[int, ...]
    """Milliseconds."""
    revisions: tuple[int, ...]
    chains: tuple[str, ...]
    order_ids: tuple[int, ...]
    """The row id of each carried order, and below its id in the books."""
    order_names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ruled:
    """A decision with its verdict, as it is written down."""

    decision: Decision
    verdict: str
    state: str
    arrived_at: int
    """Milliseconds of the market's time."""
    rows: range
    """The rows of the desk's log that the decision's orders take."""


def take_up(*, season: Season, entries: Sequence[Entry], window: Window) -> Taken:
    """Read the accounts of some entries as they are at one moment."""
    entries = tuple(sorted(entries, key=lambda entry: entry.name))
    account_ids = [entry.account_id for entry in entries]
    index = {pk: number for number, pk in enumerate(account_ids)}
    # Three tables must be read as of one moment, or a fill could be seen without its position.
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        rows = _read_accounts(cursor, account_ids)
        held = _read_positions(cursor, account_ids, index, window)
        log, order_ids, names = _read_orders(cursor, account_ids, index, window)
    accounts = [rows[pk] for pk in account_ids]
    return Taken(
        season=season,
        entries=entries,
        carried=Carried(
            cash=[row["cash"] for row in accounts],
            sequence=[row["sequence"] for row in accounts],
            tick=[row["tick"] for row in accounts],
            ordinal=[row["ordinal"] for row in accounts],
            equity=[row["equity"] for row in accounts],
            equity_peak=[row["equity_peak"] for row in accounts],
            equity_at_midnight=[row["equity_at_midnight"] for row in accounts],
            positions=held,
            orders=log,
        ),
        played_until=tuple(row["played_until"] for row in accounts),
        revisions=tuple(row["revision"] for row in accounts),
        chains=tuple(row["chain_sha256"] for row in accounts),
        order_ids=order_ids,
        order_names=names,
    )


def _read_accounts(cursor: Any, account_ids: Sequence[int]) -> dict[int, dict[str, Any]]:
    money = ("cash", "equity", "equity_peak", "equity_at_midnight")
    plain = ("id", "sequence", "tick", "ordinal", "revision", "chain_sha256")
    columns = ", ".join(
        [
            *plain,
            *(f"{exact.units(name)} AS {name}" for name in money),
            f"{exact.milliseconds('played_until')} AS played",
        ]
    )
    cursor.execute(f"SELECT {columns} FROM accounts_account WHERE id = ANY(%s)", [list(account_ids)])
    names = [*plain, *money, "played_until"]
    return {row[0]: dict(zip(names, row, strict=True)) for row in cursor.fetchall()}


def _read_positions(cursor: Any, account_ids: Sequence[int], index: Mapping[int, int], window: Window) -> carry.Rows:
    cursor.execute(
        f"""SELECT account_id, instrument_id, {exact.lots("quantity")}, {exact.units("cost_basis")},
                   {exact.units("margin")}, leverage, (margin_mode = 'ISOLATED')::int
            FROM trades_position JOIN market_instrument instrument ON instrument.id = instrument_id
            WHERE account_id = ANY(%s)""",
        [list(account_ids)],
    )
    rows = [[index[row[0]], window.column[row[1]], *row[2:]] for row in cursor.fetchall()]
    return np.array(rows, dtype=np.int64).reshape(-1, carry.POSITION_COLUMNS)


def _code(column: str, words: Sequence[str]) -> str:
    listed = ", ".join(f"'{word}'" for word in words)
    return f"array_position(ARRAY[{listed}], {column}::text) - 1"


# How each column of an order is read into the engine, and written from it.
READ_ORDER = {
    orders.SIDE: "CASE side WHEN 'BUY' THEN 1 ELSE -1 END",
    orders.TYPE: _code("type", orders.TYPES),
    orders.TRIGGER_PRICE: f"coalesce({exact.units('trigger_price')}, 0)",
    orders.LIMIT_PRICE: f"coalesce({exact.units('limit_price')}, 0)",
    orders.REDUCE_ONLY: "reduce_only::int",
    orders.TRIGGERED: "triggered::int",
    orders.QUANTITY: exact.lots("quantity"),
    orders.FILLED: exact.lots("filled"),
    orders.TRIGGER_BY: _code("trigger_by", orders.TRIGGERS_BY),
    orders.CALLBACK_RATE: exact.units("callback_rate"),
    orders.TIME_IN_FORCE: _code("time_in_force", orders.TIMES_IN_FORCE),
    orders.CLOSE_POSITION: "close_position::int",
    orders.ISOLATED: _code("margin_mode", MARGIN_MODES),
    orders.LEVERAGE: "leverage_asked",
    orders.STOP_LOSS: f"coalesce({exact.units('stop_loss')}, 0)",
    orders.TAKE_PROFIT: f"coalesce({exact.units('take_profit')}, 0)",
    orders.TRAILING_RATE: exact.units("trailing_rate"),
    orders.ALIVE_FROM: "alive_from",
    orders.ATTEMPTS: "attempts",
    orders.TRIED_IN: "tried_in",
    orders.REASON: _code("reason", orders.REASONS),
    orders.SEQUENCE: "o.sequence",
    orders.TICK: "tick",
    orders.ORDINAL: "ordinal",
    orders.ACCEPTED_AT: exact.milliseconds("accepted_at"),
    orders.ENDED_AT: f"coalesce({exact.milliseconds('ended_at')}, -1)",
    orders.FILLS: "fills_count",
}


def _read_orders(
    cursor: Any, account_ids: Sequence[int], index: Mapping[int, int], window: Window
) -> tuple[carry.Rows, tuple[int, ...], tuple[str, ...]]:
    """Return the log of orders at work and the entries that they protect, with row ids and names."""
    cursor.execute(
        f"""WITH working AS (
                SELECT id, parent_id FROM trades_order WHERE account_id = ANY(%s) AND ended_at IS NULL
            )
            SELECT o.id, o.order_id, o.account_id, o.instrument_id, o.parent_id, {", ".join(READ_ORDER.values())}
            FROM trades_order o JOIN market_instrument instrument ON instrument.id = o.instrument_id
            WHERE o.id IN (SELECT id FROM working UNION SELECT parent_id FROM working)""",
        [list(account_ids)],
    )
    found = sorted(cursor.fetchall(), key=lambda row: (index[row[2]], row[5 + list(READ_ORDER).index(orders.SEQUENCE)]))
    place = {row[0]: number for number, row in enumerate(found)}
    log = np.zeros((len(found), orders.COLUMNS), dtype=np.int64)
    for number, (_, _, account_id, instrument_id, parent_id, *cells) in enumerate(found):
        log[number, list(READ_ORDER)] = cells
        log[number, orders.ACCOUNT] = index[account_id]
        log[number, orders.SYMBOL] = window.column[instrument_id]
        # The parent of an ended entry is not needed, only that it has one.
        log[number, orders.PARENT] = -1 if parent_id is None else place.get(parent_id, 0)
        ended = log[number, orders.ENDED_AT] >= 0
        log[number, orders.STATUS] = orders.FILLED_WHOLE if ended else orders.WORKING
    return log, tuple(row[0] for row in found), tuple(row[1] for row in found)


def put_down(
    *,
    taken: Taken,
    changes: Changes,
    played_until: Sequence[int],
    market: MarketTables,
    window: Window,
    tick_id: int | None = None,
    tick_at: int = 0,
    snapshot_sha256: str = "",
    ruled: Mapping[int, Ruled] | None = None,
) -> None:
    """Write what has become of accounts since they were taken up, inside the caller's transaction.

    `ruled` holds, by the number of the entry, the decision it made at the tick. Raises `Superseded` when an account was
    moved by somebody else meanwhile: the caller's transaction must then be rolled back.
    """
    with connection.cursor() as cursor:
        writer = _Writer(cursor, taken, changes, market, window)
        chains = writer.link(tick_at, snapshot_sha256, ruled or {})
        writer.write_accounts(played_until, chains)
        decision_ids = writer.write_decisions(tick_id, ruled or {}, chains)
        writer.write_orders(ruled or {}, decision_ids)
        writer.write_events()
        writer.write_positions()
        writer.write_marks()


class _Writer:
    """Writes the rows of one batch of changes."""

    def __init__(self, cursor: Any, taken: Taken, changes: Changes, market: MarketTables, window: Window) -> None:
        self._cursor, self._taken, self._changes = cursor, taken, changes
        self._market = market
        self._season = taken.season
        self._names = [entry.name for entry in taken.entries]
        self._accounts = np.array([entry.account_id for entry in taken.entries])
        self._instruments = np.array(window.instrument_ids)
        self._order_ids: dict[int, int] = dict(enumerate(taken.order_ids))
        """By the row of the log: the id of an order's row, and its name in the books."""
        self._order_names: dict[int, str] = dict(enumerate(taken.order_names))
        self._equity_links: list[str] = []

    def link(self, tick_at: int, snapshot_sha256: str, ruled: Mapping[int, Ruled]) -> list[str]:
        """Return the newest link of every account; what was marked comes before what was decided."""
        chains = list(self._taken.chains)
        at = self._market.at
        for owner, bar, *figures in self._changes.equity.tolist():
            chains[owner] = chain.link_equity(chains[owner], at_ms=int(at[bar]), figures=figures)
            self._equity_links.append(chains[owner])
        for number, one in ruled.items():
            chains[number] = chain.link_decision(
                chains[number],
                tick_at_ms=tick_at,
                arrived_at_ms=one.arrived_at,
                snapshot_sha256=snapshot_sha256,
                state=one.state,
                action=one.decision.action,
                confidence=confidence_units(one.decision),
                reason=one.decision.reason,
                orders=self._spell(one.decision),
                verdict=one.verdict,
            )
        return chains

    def _spell(self, decision: Decision) -> list[dict[str, Any]]:
        known = {contract.symbol: contract for contract in self._market.recording.instruments}
        return [spell_request(request, known.get(request.symbol)) for request in decision.orders]

    def write_accounts(self, played_until: Sequence[int], chains: Sequence[str]) -> None:
        now = self._changes.carried
        locked = self._locked()
        written = exact.update(
            self._cursor,
            "accounts_account",
            {
                "id": (exact.INTEGER, self._accounts),
                "revision": (exact.INTEGER, [revision + 1 for revision in self._taken.revisions]),
                "cash": (exact.UNITS, now.cash),
                "locked": (exact.UNITS, locked),
                "sequence": (exact.INTEGER, now.sequence),
                "tick": (exact.INTEGER, now.tick),
                "ordinal": (exact.INTEGER, now.ordinal),
                "played_until": (exact.TIME, list(played_until)),
                "equity": (exact.UNITS, now.equity),
                "equity_peak": (exact.UNITS, now.equity_peak),
                "equity_at_midnight": (exact.UNITS, now.equity_at_midnight),
                "chain_sha256": (exact.TEXT, list(chains)),
            },
            keys=["id"],
            also="AND target.revision = row.revision - 1",
        )
        if written != len(self._accounts):
            raise Superseded

    def _locked(self) -> list[int]:
        """Return the margin that each account's isolated positions lock, those that did not change included."""
        margins = {
            (row[carry.OWNER], row[carry.SYMBOL]): row[4]
            for row in (*self._taken.carried.positions.tolist(), *self._changes.carried.positions.tolist())
        }
        locked = [0] * len(self._accounts)
        for (owner, _), margin in margins.items():
            locked[owner] += margin
        return locked

    def write_decisions(self, tick_id: int | None, ruled: Mapping[int, Ruled], chains: Sequence[str]) -> dict[int, int]:
        """Write the decisions and return their row ids by the number of the entry."""
        if not ruled:
            return {}
        numbers, those = list(ruled), list(ruled.values())
        decision_ids = exact.new_ids(self._cursor, "trades_decision", len(ruled))
        exact.insert(
            self._cursor,
            "trades_decision",
            {
                "id": (exact.INTEGER, decision_ids),
                "tick_id": (exact.INTEGER, [tick_id] * len(ruled)),
                "entry_id": (exact.INTEGER, [self._taken.entries[number].pk for number in numbers]),
                "state": (exact.TEXT, [one.state for one in those]),
                "action": (exact.TEXT, [one.decision.action for one in those]),
                "confidence": (exact.UNITS, [confidence_units(one.decision) for one in those]),
                "reason": (exact.TEXT, [one.decision.reason for one in those]),
                "orders": (exact.JSON, [json.dumps(self._spell(one.decision)) for one in those]),
                "verdict": (exact.TEXT, [one.verdict for one in those]),
                "arrived_at": (exact.TIME, [one.arrived_at for one in those]),
                "decided_at": (exact.NOW, [0] * len(ruled)),
                "chain_sha256": (exact.TEXT, [chains[number] for number in numbers]),
            },
        )
        return dict(zip(numbers, decision_ids, strict=True))

    def write_orders(self, ruled: Mapping[int, Ruled], decision_ids: Mapping[int, int]) -> None:
        changes = self._changes
        is_new = changes.order_rows >= changes.known
        new, new_rows = changes.orders[is_new], changes.order_rows[is_new].tolist()
        self._order_ids |= dict(zip(new_rows, exact.new_ids(self._cursor, "trades_order", len(new)), strict=True))
        at = self._market.at
        keys = (
            (self._names[row[orders.ACCOUNT]], int(at[row[orders.TICK]]), row[orders.ORDINAL]) for row in new.tolist()
        )
        self._order_names |= dict(zip(new_rows, ids.order_ids(seed=self._season.seed, keys=keys), strict=True))
        decided = {row: decision_ids[number] for number, one in ruled.items() for row in one.rows}
        if len(new):
            exact.insert(
                self._cursor,
                "trades_order",
                {
                    "id": (exact.INTEGER, [self._order_ids[row] for row in new_rows]),
                    "order_id": (exact.TEXT, [self._order_names[row] for row in new_rows]),
                    "account_id": (exact.INTEGER, self._accounts[new[:, orders.ACCOUNT]]),
                    "instrument_id": (exact.INTEGER, self._instruments[new[:, orders.SYMBOL]]),
                    "decision_id": (exact.INTEGER, [decided.get(row) for row in new_rows]),
                    "parent_id": (
                        exact.INTEGER,
                        [self._order_ids.get(int(row)) if row >= 0 else None for row in new[:, orders.PARENT]],
                    ),
                    "sequence": (exact.INTEGER, new[:, orders.SEQUENCE]),
                    "tick": (exact.INTEGER, new[:, orders.TICK]),
                    "ordinal": (exact.INTEGER, new[:, orders.ORDINAL]),
                    "side": (exact.TEXT, _words(new[:, orders.SIDE] < 0, SIDES)),
                    "type": (exact.TEXT, _words(new[:, orders.TYPE], orders.TYPES)),
                    "reason": (exact.TEXT, _words(new[:, orders.REASON], orders.REASONS)),
                    "time_in_force": (exact.TEXT, _words(new[:, orders.TIME_IN_FORCE], orders.TIMES_IN_FORCE)),
                    "trigger_by": (exact.TEXT, _words(new[:, orders.TRIGGER_BY], orders.TRIGGERS_BY)),
                    "reduce_only": (exact.BOOLEAN, new[:, orders.REDUCE_ONLY]),
                    "close_position": (exact.BOOLEAN, new[:, orders.CLOSE_POSITION]),
                    "limit_price": (exact.UNITS_OR_NONE, new[:, orders.LIMIT_PRICE]),
                    "callback_rate": (exact.UNITS, new[:, orders.CALLBACK_RATE]),
                    "stop_loss": (exact.UNITS_OR_NONE, new[:, orders.STOP_LOSS]),
                    "take_profit": (exact.UNITS_OR_NONE, new[:, orders.TAKE_PROFIT]),
                    "trailing_rate": (exact.UNITS, new[:, orders.TRAILING_RATE]),
                    "leverage_asked": (exact.INTEGER, new[:, orders.LEVERAGE]),
                    "leverage": (exact.INTEGER, self._leverages(new)),
                    "accepted_at": (exact.TIME, new[:, orders.ACCEPTED_AT]),
                    **_moving(new),
                },
            )
        old = changes.orders[~is_new]
        if len(old):
            exact.update(
                self._cursor,
                "trades_order",
                {
                    "id": (exact.INTEGER, [self._order_ids[row] for row in changes.order_rows[~is_new].tolist()]),
                    **_moving(old),
                },
                keys=["id"],
            )

    def _leverages(self, new: carry.Rows) -> list[int]:
        """Return the leverage that each new order was placed at: its own, else the one its symbol had by then."""
        leverages = {(row[0], row[1]): row[5] for row in self._taken.carried.positions.tolist()}
        placed = []
        for row in new.tolist():
            key = row[orders.ACCOUNT], row[orders.SYMBOL]
            asks = row[orders.LEVERAGE] > 0 and not row[orders.REDUCE_ONLY]
            placed.append(row[orders.LEVERAGE] if asks else leverages.get(key, 1))
            if asks and (row[orders.STATUS] != orders.REJECTED or row[orders.CODE] == orders.FOK_UNFILLED):
                leverages[key] = row[orders.LEVERAGE]
        return placed

    def write_events(self) -> None:
        rows = self._changes.events
        kind = rows[:, events.KIND]
        fills, funding = rows[kind == events.FILL], rows[kind == events.FUNDING]
        fill_names = [ids.fill_id(self._order_names[row[events.CAUSE]], row[events.NUMBER]) for row in fills.tolist()]
        if len(fills):
            self._write_fills(fills, fill_names)
        if len(funding):
            self._write_funding(funding)
        if len(rows):
            self._write_postings(fills, funding, fill_names)

    def _write_fills(self, fills: carry.Rows, names: Sequence[str]) -> None:
        exact.insert(
            self._cursor,
            "trades_fill",
            {
                "account_id": (exact.INTEGER, self._accounts[fills[:, events.ACCOUNT]]),
                "order_id": (exact.INTEGER, [self._order_ids[row] for row in fills[:, events.CAUSE].tolist()]),
                "fill_id": (exact.TEXT, names),
                "instrument_id": (exact.INTEGER, self._instruments[fills[:, events.SYMBOL]]),
                "sequence": (exact.INTEGER, fills[:, events.SEQUENCE]),
                "number": (exact.INTEGER, fills[:, events.NUMBER]),
                "filled_at": (exact.TIME, fills[:, events.AT]),
                "side": (exact.TEXT, _words(fills[:, events.SIDE] < 0, SIDES)),
                "quantity": (exact.LOTS, fills[:, events.QUANTITY]),
                "price": (exact.UNITS, fills[:, events.PRICE]),
                "base_price": (exact.UNITS, fills[:, events.BASE_PRICE]),
                "liquidity": (exact.TEXT, _words(fills[:, events.MAKER], LIQUIDITIES)),
                "fee": (exact.UNITS, fills[:, events.FEE]),
                "realized_pnl": (exact.UNITS, fills[:, events.AMOUNT]),
                "position_after": (exact.LOTS, fills[:, events.POSITION_AFTER]),
                "reason": (exact.TEXT, _words(fills[:, events.REASON], orders.REASONS)),
            },
        )

    def _write_funding(self, rows: carry.Rows) -> None:
        known = rows[:, events.KNOWN] == 1
        exact.insert(
            self._cursor,
            "trades_fundingpayment",
            {
                "account_id": (exact.INTEGER, self._accounts[rows[:, events.ACCOUNT]]),
                "instrument_id": (exact.INTEGER, self._instruments[rows[:, events.SYMBOL]]),
                "sequence": (exact.INTEGER, rows[:, events.SEQUENCE]),
                "funded_at": (exact.TIME, rows[:, events.AT]),
                "position_quantity": (exact.LOTS, rows[:, events.QUANTITY]),
                "mark_price": (exact.UNITS, rows[:, events.PRICE]),
                "rate": (exact.UNITS, np.where(known, rows[:, events.RATE], None)),
                "amount": (exact.UNITS, np.where(known, rows[:, events.AMOUNT], None)),
            },
        )

    def _write_postings(self, fills: carry.Rows, funding: carry.Rows, fill_names: Sequence[str]) -> None:
        """Write the postings of a batch and all their lines in one statement."""
        rows = self._changes.events
        fill_of_event = np.cumsum(rows[:, events.KIND] == events.FILL) - 1
        moved = rows[rows[:, events.KIND] > events.FUNDING]
        kinds = np.where(moved[:, events.KIND] == events.SHORTFALL, postings.SHORTFALL, postings.LIQUIDATION_FEE)
        lines = postings.make_lines(
            capital=0,
            agent_count=0,
            started_at=0,
            fills=postings.Fills(*_common(fills), fee=fills[:, events.FEE]),
            funding=postings.Settlements(*_common(funding)),
            transfers=postings.Transfers(*_common(moved), kind=kinds, fill=fill_of_event[moved[:, events.CAUSE]]),
        )
        sources = [
            self._funding_source(funding[cause]) if kind == postings.FUNDING else fill_names[cause]
            for kind, cause in zip(lines.kind.tolist(), lines.cause.tolist(), strict=True)
        ]
        journal.write_lines(
            self._cursor,
            book=self._season.slug,
            seed=self._season.seed,
            names=self._names,
            account_ids=self._accounts,
            lines=lines,
            sources=sources,
        )

    def _funding_source(self, row: Any) -> str:
        return ids.funding_source(
            agent=self._names[row[events.ACCOUNT]],
            symbol=self._market.recording.symbols[row[events.SYMBOL]],
            at_ms=int(row[events.AT]),
        )

    def write_positions(self) -> None:
        rows = self._changes.carried.positions
        if not len(rows):
            return
        owner, symbol, quantity, cost, margin, leverage, isolated = rows.T
        exact.insert(
            self._cursor,
            "trades_position",
            {
                "account_id": (exact.INTEGER, self._accounts[owner]),
                "instrument_id": (exact.INTEGER, self._instruments[symbol]),
                "quantity": (exact.LOTS, quantity),
                "cost_basis": (exact.UNITS, cost),
                "margin": (exact.UNITS, margin),
                "leverage": (exact.INTEGER, leverage),
                "margin_mode": (exact.TEXT, _words(isolated, MARGIN_MODES)),
                "opened_at": (exact.TIME_OR_NONE, self._opened_at(rows)),
            },
            ending="""ON CONFLICT (account_id, instrument_id) DO UPDATE SET quantity = excluded.quantity,
                cost_basis = excluded.cost_basis, margin = excluded.margin, leverage = excluded.leverage,
                margin_mode = excluded.margin_mode,
                opened_at = CASE WHEN excluded.quantity = 0 THEN NULL
                                 ELSE coalesce(excluded.opened_at, trades_position.opened_at) END""",
        )

    def _opened_at(self, rows: carry.Rows) -> list[int]:
        """Return when each position was opened in this batch, −1 for one that was open before or is flat."""
        opened: dict[tuple[int, int], int] = {}
        for row in self._changes.events.tolist():
            if row[events.KIND] != events.FILL:
                continue
            signed = row[events.QUANTITY] * row[events.SIDE]
            after = row[events.POSITION_AFTER]
            before = after - signed
            if after and (before == 0 or (before > 0) != (after > 0)):
                opened[row[events.ACCOUNT], row[events.SYMBOL]] = row[events.AT]
        return [opened.get((row[0], row[1]), -1) for row in rows.tolist()]

    def write_marks(self) -> None:
        rows, held = self._changes.equity, self._changes.positions_at
        if not len(rows):
            return
        at = np.asarray(self._market.at, dtype=np.int64)
        self._make_months(at[rows[:, 1]])
        money = ("cash", "unrealized_pnl", "equity", "margin_used", "maintenance_margin")
        exact.insert(
            self._cursor,
            "trades_equitypoint",
            {
                "account_id": (exact.INTEGER, self._accounts[rows[:, 0]]),
                "at": (exact.TIME, at[rows[:, 1]]),
                **{name: (exact.UNITS, rows[:, 2 + number]) for number, name in enumerate(money)},
                "chain_sha256": (exact.TEXT, self._equity_links),
            },
        )
        if len(held):
            exact.insert(
                self._cursor,
                "trades_positionpoint",
                {
                    "account_id": (exact.INTEGER, self._accounts[held[:, marking.ROW_ACCOUNT]]),
                    "at": (exact.TIME, at[held[:, marking.ROW_TICK]]),
                    "instrument_id": (exact.INTEGER, self._instruments[held[:, marking.ROW_SYMBOL]]),
                    "quantity": (exact.LOTS, held[:, marking.ROW_QUANTITY]),
                    "cost_basis": (exact.UNITS, held[:, marking.ROW_COST]),
                    "mark_price": (exact.UNITS, held[:, marking.ROW_MARK]),
                    "unrealized_pnl": (exact.UNITS, held[:, marking.ROW_UNREALIZED]),
                    "leverage": (exact.INTEGER, held[:, marking.ROW_LEVERAGE]),
                    "margin_mode": (exact.TEXT, _words(held[:, marking.ROW_ISOLATED], MARGIN_MODES)),
                    "margin": (exact.UNITS, held[:, marking.ROW_MARGIN]),
                    "maintenance_margin": (exact.UNITS, held[:, marking.ROW_MAINTENANCE]),
                },
            )

    def _make_months(self, instants: Any) -> None:
        days = np.unique(instants.astype("datetime64[ms]").astype("datetime64[M]")).astype("datetime64[D]").tolist()
        for table in ("trades_equitypoint", "trades_positionpoint"):
            make_months(self._cursor, table, days)


_made_months: set[tuple[str, Any]] = set()


def make_months(cursor: Any, table: str, days: Sequence[Any]) -> None:
    """Have the months of some days in a table that is kept by months."""
    missing = [day for day in days if (table, day) not in _made_months]
    if missing:
        cursor.execute("SELECT make_month(%s, month) FROM unnest(%s::date[]) AS month", [table, missing])


def confidence_units(decision: Decision) -> int | None:
    """Return the confidence that a decision states in rate units."""
    return None if decision.confidence is None else round(decision.confidence * SCALE)


def _common(rows: carry.Rows) -> tuple[Any, Any, Any, Any]:
    return tuple(rows[:, column] for column in (events.ACCOUNT, events.SEQUENCE, events.AT, events.AMOUNT))


def _words(codes: Any, words: Sequence[str]) -> list[str]:
    return [words[code] for code in codes.astype(np.int64).tolist()]


def _moving(rows: carry.Rows) -> dict[str, tuple[exact.Kind, Any]]:
    """Return the columns of orders that change while they work."""
    working = rows[:, orders.STATUS] == orders.WORKING
    status = np.where(working & (rows[:, orders.FILLED] > 0), len(orders.STATUSES), rows[:, orders.STATUS])
    return {
        "status": (exact.TEXT, _words(status, _STATUSES)),
        "refusal_code": (exact.TEXT, [orders.CODES[code] for code in rows[:, orders.CODE].tolist()]),
        "margin_mode": (exact.TEXT, _words(rows[:, orders.ISOLATED], MARGIN_MODES)),
        "triggered": (exact.BOOLEAN, rows[:, orders.TRIGGERED]),
        "quantity": (exact.LOTS, rows[:, orders.QUANTITY]),
        "filled": (exact.LOTS, rows[:, orders.FILLED]),
        "trigger_price": (exact.UNITS_OR_NONE, rows[:, orders.TRIGGER_PRICE]),
        "alive_from": (exact.INTEGER, rows[:, orders.ALIVE_FROM]),
        "attempts": (exact.INTEGER, rows[:, orders.ATTEMPTS]),
        "tried_in": (exact.INTEGER, rows[:, orders.TRIED_IN]),
        "fills_count": (exact.INTEGER, rows[:, orders.FILLS]),
        "ended_at": (exact.TIME_OR_NONE, np.where(working, -1, rows[:, orders.ENDED_AT])),
    }
