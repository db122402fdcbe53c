"""How does an account go from one worker to the next, and what has changed on the way?

Kernels work on wide tables that live as long as a worker looks at them. Between two looks an account is what is
written here: its row, its positions, its orders that still work with the entries that they protect, and three values
of equity that its governor remembers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bitnerve.domain.kernel import integers
from bitnerve.domain.trading import acceptance, account, marking, orders, positions
from bitnerve.domain.trading.account import Exchange

Rows = npt.NDArray[np.int64]

# Columns of a carried position: whose, in which symbol, then those of `positions` up to and including ISOLATED.
OWNER, SYMBOL = range(2)
POSITION_COLUMNS = 2 + positions.ISOLATED + 1


@dataclass(frozen=True, slots=True)
class Carried:
    """Some accounts as they are carried; rows name accounts by their index, 0 upward."""

    cash: Sequence[int]
    sequence: Sequence[int]
    tick: Sequence[int]
    """The bar of the last tick at which the account was marked."""
    ordinal: Sequence[int]
    equity: Sequence[int]
    """At that tick, as are the peak and the value at midnight."""
    equity_peak: Sequence[int]
    equity_at_midnight: Sequence[int]
    positions: Rows
    """[row, POSITION_COLUMNS]"""
    orders: Rows
    """[row, orders.COLUMNS] by (account, sequence): orders at work, and ended entries of such. PARENT is a row here."""

    def __len__(self) -> int:
        return len(self.cash)


@dataclass(frozen=True, slots=True)
class Changes:
    """What has become of carried accounts: all that must be stored, as rows of the engine."""

    carried: Carried
    """The accounts' own figures as they are now; its positions are those that changed, its orders none."""
    orders: Rows
    """Every order that is new or changed, [row, orders.COLUMNS] by (account, sequence); PARENT is a row of `log`."""
    order_rows: Rows
    """For each of them its row in the log: below `known`, one that was carried in."""
    known: int
    """How many rows of the log were carried in, in their order there."""
    events: Rows
    """[row, account.EVENT_COLUMNS]; the CAUSE of a fill is a row of the log."""
    equity: Rows
    """[row, 2 + marking.EQUITY_COLUMNS]: account, bar, and the figures of each equity row, by bar, then account."""
    positions_at: Rows
    """[row, marking.ROW_COLUMNS] of each open position at an equity row; ROW_TICK is the bar."""


def load(exchange: Exchange, carried: Carried) -> Exchange:
    """Return the exchange with the accounts as they were carried; it has as many, and nothing has happened on it."""
    count, known = len(carried), len(carried.orders)
    working = np.bincount(carried.orders[:, orders.ACCOUNT], minlength=count).max(initial=0)
    exchange = account.with_room(exchange, orders=known, events=0, working=int(working) + 1)
    accounts = exchange.accounts
    for column, values in (
        (account.CASH, carried.cash),
        (account.SEQUENCE, carried.sequence),
        (account.TICK, carried.tick),
        (account.ORDINAL, carried.ordinal),
    ):
        accounts[:, column] = integers(np.array(values, dtype=np.int64))
    accounts[:, account.BANDED] = 0
    for row in carried.positions.tolist():
        owner, symbol, *cells = row
        exchange.positions[owner, symbol, : len(cells)] = cells
        position = exchange.positions[owner, symbol]
        accounts[owner, account.LOCKED] += position[positions.MARGIN]
        accounts[owner, account.CROSS_COUNT] += int(
            position[positions.QUANTITY] != 0 and position[positions.ISOLATED] == 0
        )
    exchange.orders[:known] = integers(carried.orders)
    exchange.cursors[account.ORDER_COUNT] = known
    acceptance.resume_orders(exchange)
    return exchange


def changed_positions(exchange: Exchange, carried: Carried) -> Rows:
    """Return the positions that are not as they were carried, as carried rows."""
    width = positions.ISOLATED + 1
    now = np.asarray(exchange.positions[:, :, :width], dtype=np.int64)
    before = np.zeros_like(now)
    before[:, :, positions.LEVERAGE] = 1
    before[carried.positions[:, OWNER], carried.positions[:, SYMBOL]] = carried.positions[:, 2:]
    owner, symbol = np.nonzero((now != before).any(axis=2))
    return np.column_stack([owner, symbol, now[owner, symbol]]).astype(np.int64).reshape(-1, POSITION_COLUMNS)


def changed_orders(exchange: Exchange, carried: Carried) -> Rows:
    """Return the rows of the log whose orders are new or not as they were carried."""
    count, known = int(exchange.cursors[account.ORDER_COUNT]), len(carried.orders)
    now = np.asarray(exchange.orders[:known], dtype=np.int64)
    changed = np.flatnonzero((now != carried.orders).any(axis=1))
    return np.concatenate([changed, np.arange(known, count)]).astype(np.int64)


def equity_rows(marks: Any, ticks: Sequence[int]) -> Rows:
    """Return what was marked at the first rows of a series as (account, bar, figures), a tick after the other."""
    figures = np.asarray(marks.equity[: len(ticks)], dtype=np.int64)
    owners = figures.shape[1]
    heads = np.stack(
        [np.tile(np.arange(owners), len(ticks)), np.repeat(np.array(ticks, dtype=np.int64), owners)], axis=1
    )
    return np.concatenate([heads, figures.reshape(-1, marking.EQUITY_COLUMNS)], axis=1)
