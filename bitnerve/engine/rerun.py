"""What becomes of a season's accounts if its recorded decisions are handed in once more, each when it arrived?

Accounts do not meet in a paper market, so all of them stand on one desk from the first tick on. Each is looked at when
it has met what the recorded one had met, and what happens to it afterwards counts no more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bitnerve.domain.decisions.decision import Decision
from bitnerve.domain.market.instrument import instrument_arrays
from bitnerve.domain.risk.limits import Limits
from bitnerve.domain.strategies.catalog import Agent
from bitnerve.domain.trading import account, events, marking, orders, positions
from bitnerve.domain.trading.account import Exchange, Rules
from bitnerve.engine import carry
from bitnerve.engine.carry import Carried
from bitnerve.engine.desk import Desk, TapeOf
from bitnerve.engine.tables import MarketTables

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Asked:
    """A recorded decision with orders: whose, and the instant at which the venue took them (milliseconds)."""

    account: int
    arrived_at: int
    decision: Decision


@dataclass(slots=True)
class Rerun:
    """All that happened again. Accounts are numbered as the agents; rows are those of the engine."""

    exchange: Exchange
    """Its two logs by (account, sequence), as a finished run has them."""
    verdicts: list[str]
    """One per decision asked."""
    equity: Integers
    """[row, 2 + marking.EQUITY_COLUMNS]: account, milliseconds, figures; by account, then time, the first included."""
    positions_at: Integers
    """[row, marking.ROW_COLUMNS] by (account, time, symbol); ROW_TICK in milliseconds."""
    carried: Carried
    """The accounts as they stand, with every position that is or was open; no orders."""
    played_until: Sequence[int]


def _no_rows(columns: int) -> Integers:
    return np.zeros((0, columns), dtype=np.int64)


@dataclass(slots=True)
class _Kept:
    """What was taken down of accounts, one after the other."""

    orders: list[Integers] = field(default_factory=lambda: [_no_rows(1 + orders.COLUMNS)])
    """Rows of the log, the log's own row number put before each."""
    events: list[Integers] = field(default_factory=lambda: [_no_rows(1 + account.EVENT_COLUMNS)])
    equity: list[Integers] = field(default_factory=list)
    held: list[Integers] = field(default_factory=lambda: [_no_rows(marking.ROW_COLUMNS)])
    positions: list[Integers] = field(default_factory=lambda: [_no_rows(carry.POSITION_COLUMNS)])
    figures: dict[int, tuple[int, ...]] = field(default_factory=dict)
    played_until: dict[int, int] = field(default_factory=dict)


def rerun(
    *,
    market: MarketTables,
    agents: Sequence[Agent],
    capital: int,
    rules: Rules,
    limits: Limits,
    seed: int,
    step: int,
    start_at: int,
    asked: Sequence[Asked],
    played_until: Sequence[int],
    tape_of: TapeOf | None = None,
    report: Callable[[int], None] = lambda _: None,
) -> Rerun:
    """Play a season again from its first tick, at `start_at`, to where each account had got.

    `report` is told the instant that has been reached, in milliseconds.
    """
    candles = market.recording.candles
    first = (start_at - candles.start_at) // candles.interval_ms
    kept = _Kept()
    kept.equity.append(_first_points(len(agents), capital, first))
    if first > market.recording.bar_count:
        # The market has not got as far as the season's start, so nothing can have happened.
        for a in range(len(agents)):
            kept.figures[a] = (capital, 1, first, 0, capital, capital, capital)
            kept.played_until[a] = start_at - 1
        exchange = account.open_exchange(
            instruments=instrument_arrays(market.recording.instruments),
            rules=rules,
            account_count=len(agents),
            capital=capital,
            has_mark=False,
        )
        return _assemble(kept, exchange, ["the market has not begun"] * len(asked), market)
    desk = Desk(
        market=market,
        agents=agents,
        capital=capital,
        rules=rules,
        limits=limits,
        seed=seed,
        step=step,
        carried=_fresh(len(agents), capital, first),
        played_until=[start_at - 1] * len(agents),
        tape_of=tape_of,
    )
    verdicts = [""] * len(asked)
    # Without quotes an account that stands before a bar's first millisecond has crossed into that bar.
    ahead = 0 if tape_of else 1
    stops = [(one.arrived_at, 0, number) for number, one in enumerate(asked)]
    stops += [(until + ahead, 1, a) for a, until in enumerate(played_until)]
    leaving: dict[int, list[int]] = {}
    for at, kind, number in stops:
        if kind:
            leaving.setdefault(at, []).append(number)
    for at, kind, number in sorted(stops):
        if kind and at not in leaving:
            continue
        _play(desk, at, report)
        if kind:
            _take_down(kept, desk, leaving.pop(at))
        else:
            verdicts[number] = desk.submit(asked[number].account, asked[number].decision).verdict
    return _assemble(kept, desk.exchange, verdicts, market)


def _play(desk: Desk, at: int, report: Callable[[int], None]) -> None:
    """Play up to an instant, telling of every bar on the way."""
    while desk.bar + 1 < len(desk.at) and at >= desk.at[desk.bar + 1]:
        desk.play_until(int(desk.at[desk.bar + 1]))
        report(desk.now)
    desk.play_until(at)


def _fresh(count: int, capital: int, bar: int) -> Carried:
    return Carried(
        cash=[capital] * count,
        sequence=[1] * count,
        tick=[bar] * count,
        ordinal=[0] * count,
        equity=[capital] * count,
        equity_peak=[capital] * count,
        equity_at_midnight=[capital] * count,
        positions=np.zeros((0, carry.POSITION_COLUMNS), dtype=np.int64),
        orders=np.zeros((0, orders.COLUMNS), dtype=np.int64),
    )


def _first_points(count: int, capital: int, bar: int) -> Integers:
    """Return the equity rows with which accounts begin, before any tick."""
    rows = np.zeros((count, 2 + marking.EQUITY_COLUMNS), dtype=np.int64)
    rows[:, 0], rows[:, 1] = np.arange(count), bar
    rows[:, 2 + marking.CASH] = rows[:, 2 + marking.EQUITY] = capital
    return rows


def _take_down(kept: _Kept, desk: Desk, accounts: Sequence[int]) -> None:
    """Take down everything about some accounts."""
    changes, until = desk.changes(), desk.played_until
    numbered = np.column_stack([changes.order_rows, changes.orders]).astype(np.int64)
    kept.orders.append(numbered[np.isin(changes.orders[:, orders.ACCOUNT], accounts)])
    numbered = np.column_stack([np.arange(len(changes.events)), changes.events]).astype(np.int64)
    kept.events.append(numbered[np.isin(changes.events[:, events.ACCOUNT], accounts)])
    kept.equity.append(changes.equity[np.isin(changes.equity[:, 0], accounts)])
    kept.held.append(changes.positions_at[np.isin(changes.positions_at[:, marking.ROW_ACCOUNT], accounts)])
    now = changes.carried
    kept.positions.append(now.positions[np.isin(now.positions[:, carry.OWNER], accounts)])
    columns = (now.cash, now.sequence, now.tick, now.ordinal, now.equity, now.equity_peak, now.equity_at_midnight)
    for a in accounts:
        kept.figures[a] = tuple(int(column[a]) for column in columns)
        kept.played_until[a] = until[a]


def _assemble(kept: _Kept, exchange: Exchange, verdicts: list[str], market: MarketTables) -> Rerun:
    candles = market.recording.candles
    log, place = _by_sequence(np.concatenate(kept.orders), orders.ACCOUNT, orders.SEQUENCE)
    log[:, orders.PARENT] = [place[row] if row >= 0 else -1 for row in log[:, orders.PARENT].tolist()]
    happened, own = _by_sequence(np.concatenate(kept.events), events.ACCOUNT, events.SEQUENCE)
    for row in happened:
        if row[events.KIND] == events.FILL:
            row[events.CAUSE] = place[int(row[events.CAUSE])]
        elif row[events.KIND] != events.FUNDING:
            row[events.CAUSE] = own[int(row[events.CAUSE])]
    cursors = exchange.cursors.copy()
    cursors[account.ORDER_COUNT], cursors[account.EVENT_COUNT] = len(log), len(happened)
    equity, held = np.concatenate(kept.equity), np.concatenate(kept.held)
    equity[:, 1] = candles.start_at + equity[:, 1] * candles.interval_ms
    held[:, marking.ROW_TICK] = candles.start_at + held[:, marking.ROW_TICK] * candles.interval_ms
    cash, sequence, tick, ordinal, worth, peak, midnight = (
        list(column) for column in zip(*(kept.figures[a] for a in range(len(kept.figures))), strict=True)
    )
    rows = np.concatenate(kept.positions)
    keys = (held[:, marking.ROW_SYMBOL], held[:, marking.ROW_TICK], held[:, marking.ROW_ACCOUNT])
    return Rerun(
        exchange=exchange._replace(orders=log, events=happened, cursors=cursors),
        verdicts=verdicts,
        equity=equity[np.lexsort((equity[:, 1], equity[:, 0]))],
        positions_at=held[np.lexsort(keys)],
        carried=Carried(
            cash=cash,
            sequence=sequence,
            tick=tick,
            ordinal=ordinal,
            equity=worth,
            equity_peak=peak,
            equity_at_midnight=midnight,
            positions=rows[np.lexsort((rows[:, carry.SYMBOL], rows[:, carry.OWNER]))],
            orders=log[:0],
        ),
        played_until=[kept.played_until[a] for a in range(len(kept.figures))],
    )


def _by_sequence(numbered: Integers, owner: int, sequence: int) -> tuple[Integers, dict[int, int]]:
    """Return rows by (account, sequence) without the numbers before them, and the place of each number."""
    order = np.lexsort((numbered[:, 1 + sequence], numbered[:, 1 + owner]))
    numbered = numbered[order]
    return numbered[:, 1:].copy(), {number: place for place, number in enumerate(numbered[:, 0].tolist())}


QUANTITY, COST, MARGIN, LEVERAGE, ISOLATED = (
    2 + column
    for column in (
        positions.QUANTITY,
        positions.COST,
        positions.MARGIN,
        positions.LEVERAGE,
        positions.ISOLATED,
    )
)
"""Columns of a carried position."""
