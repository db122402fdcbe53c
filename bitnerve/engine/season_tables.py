"""Which tables follow from a season that was played again, so that they can be compared with those that are stored?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bitnerve.domain.ledger.tables import (
    BOOLEAN,
    INTEGER,
    TIME,
    Table,
    decimals,
    make_column,
    quantities,
    texts,
)
from bitnerve.domain.trading import events, marking, orders
from bitnerve.engine import rerun
from bitnerve.engine.export import MARGIN_MODES, EventLog, book_tables, equity_table, lot_step
from bitnerve.engine.rerun import Rerun
from bitnerve.engine.run import Run

Integers = npt.NDArray[np.int64]


def make_season_tables(*, run: Run, again: Rerun, asset: str) -> dict[str, Table]:
    """Return all tables that follow from the decisions and the market: books, terms of orders, accounts, holdings.

    `run` holds the logs and positions of `again`; its ticks are all instants at which anybody was marked.
    """
    names = tuple(card.name for card in run.agents)
    rows = again.equity
    return {
        **book_tables(run=run, asset=asset),
        "equity": equity_table(names=names, agent=rows[:, 0], at=rows[:, 1], figures=rows[:, 2:]),
        "terms": _terms(run),
        "accounts": _accounts(run, again),
        "holdings": _holdings(run, again),
    }


def _terms(run: Run) -> Table:
    rows = EventLog(run).orders
    parent = rows[:, orders.PARENT]
    sequences = rows[np.maximum(parent, 0), orders.SEQUENCE] if len(rows) else parent
    stop, target = rows[:, orders.STOP_LOSS], rows[:, orders.TAKE_PROFIT]
    steps = _steps(run)[rows[:, orders.SYMBOL]]
    return {
        "agent": texts(rows[:, orders.ACCOUNT], tuple(card.name for card in run.agents)),
        "sequence": make_column(INTEGER, rows[:, orders.SEQUENCE]),
        "parent": make_column(INTEGER, np.where(parent >= 0, sequences, 0), present=parent >= 0),
        "time_in_force": texts(rows[:, orders.TIME_IN_FORCE], orders.TIMES_IN_FORCE),
        "trigger_by": texts(rows[:, orders.TRIGGER_BY], orders.TRIGGERS_BY),
        "close_position": make_column(BOOLEAN, rows[:, orders.CLOSE_POSITION]),
        "triggered": make_column(BOOLEAN, rows[:, orders.TRIGGERED]),
        "filled": quantities(rows[:, orders.FILLED], steps),
        "callback_rate": decimals(rows[:, orders.CALLBACK_RATE]),
        "stop_loss": decimals(stop, present=stop != 0),
        "take_profit": decimals(target, present=target != 0),
        "trailing_rate": decimals(rows[:, orders.TRAILING_RATE]),
        "leverage_asked": make_column(INTEGER, rows[:, orders.LEVERAGE]),
        "alive_from": make_column(INTEGER, rows[:, orders.ALIVE_FROM]),
        "attempts": make_column(INTEGER, rows[:, orders.ATTEMPTS]),
        "tried_in": make_column(INTEGER, rows[:, orders.TRIED_IN]),
        "fills": make_column(INTEGER, rows[:, orders.FILLS]),
    }


def _steps(run: Run) -> Integers:
    return np.array([lot_step(instrument) for instrument in run.recording.instruments], dtype=np.int64)


def _accounts(run: Run, again: Rerun) -> Table:
    names = tuple(card.name for card in run.agents)
    now, candles = again.carried, run.recording.candles
    locked = np.zeros(len(names), dtype=np.int64)
    np.add.at(locked, now.positions[:, 0], now.positions[:, rerun.MARGIN])
    marked_at = candles.start_at + np.array(now.tick, dtype=np.int64) * candles.interval_ms
    return {
        "agent": texts(np.arange(len(names)), names),
        "capital": decimals(np.full(len(names), run.capital)),
        "cash": decimals(now.cash),
        "locked": decimals(locked),
        "sequence": make_column(INTEGER, now.sequence),
        "marked_at": make_column(TIME, marked_at),
        "ordinal": make_column(INTEGER, now.ordinal),
        "played_until": make_column(TIME, again.played_until),
        "equity": decimals(now.equity),
        "equity_peak": decimals(now.equity_peak),
        "equity_at_midnight": decimals(now.equity_at_midnight),
    }


def _holdings(run: Run, again: Rerun) -> Table:
    rows = again.carried.positions
    opened_at = _opened_at(EventLog(run).fills)
    opened = np.array([opened_at.get((row[0], row[1]), -1) for row in rows.tolist()], dtype=np.int64)
    return {
        "agent": texts(rows[:, 0], tuple(card.name for card in run.agents)),
        "symbol": texts(rows[:, 1], run.symbols),
        "quantity": quantities(rows[:, rerun.QUANTITY], _steps(run)[rows[:, 1]]),
        "cost_basis": decimals(rows[:, rerun.COST]),
        "margin": decimals(rows[:, rerun.MARGIN]),
        "leverage": make_column(INTEGER, rows[:, rerun.LEVERAGE]),
        "margin_mode": texts(rows[:, rerun.ISOLATED], MARGIN_MODES),
        "opened_at": make_column(TIME, opened, present=opened >= 0),
    }


def _opened_at(fills: Integers) -> Mapping[tuple[int, int], int]:
    """Return when each position that is held now was opened, by account and symbol."""
    opened: dict[tuple[int, int], int] = {}
    for row in fills.tolist():
        key = row[events.ACCOUNT], row[events.SYMBOL]
        after = row[events.POSITION_AFTER]
        before = after - row[events.QUANTITY] * row[events.SIDE]
        if not after:
            opened.pop(key, None)
        elif before == 0 or (before > 0) != (after > 0):
            opened[key] = row[events.AT]
    return opened


def marks_of(again: Rerun) -> tuple[marking.Marks, Integers]:
    """Return the open positions at ticks as a run has them, with the instants that number its ticks."""
    ticks = np.unique(again.equity[:, 1])
    held = again.positions_at.copy()
    held[:, marking.ROW_TICK] = np.searchsorted(ticks, held[:, marking.ROW_TICK])
    blank: Any = np.zeros((0, 0, marking.EQUITY_COLUMNS), dtype=np.int64)
    return marking.Marks(equity=blank, positions=held, used=np.array([len(held)])), ticks
