"""What is every account worth at a tick, and how do its trailing stops follow?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt

from bitnerve.domain.arithmetic import checked_add
from bitnerve.domain.kernel import inner, kernel, zeros
from bitnerve.domain.trading import account, orders, positions
from bitnerve.domain.trading.account import Exchange
from bitnerve.domain.trading.fills import trailing_level
from bitnerve.domain.trading.margin import initial_margin, maintenance_margin, unrealized

# Columns of an equity row.
CASH, UNREALIZED, EQUITY, MARGIN_USED, MAINTENANCE = range(5)
EQUITY_COLUMNS = 5

# Columns of a position row.
(
    ROW_ACCOUNT,
    ROW_TICK,
    ROW_SYMBOL,
    ROW_QUANTITY,
    ROW_COST,
    ROW_MARK,
    ROW_UNREALIZED,
    ROW_LEVERAGE,
    ROW_ISOLATED,
    ROW_MARGIN,
    ROW_MAINTENANCE,
) = range(11)
ROW_COLUMNS = 11


class Marks(NamedTuple):
    """The series that marking writes: equity [tick, account, column] and open positions, one row each."""

    equity: npt.NDArray[Any]
    positions: npt.NDArray[Any]
    used: npt.NDArray[Any]
    """How many position rows are in use, in its one cell."""


def blank_marks(tick_count: int, account_count: int, row_count: int) -> Marks:
    """Return room for the series of a run."""
    return Marks(
        equity=zeros(tick_count, account_count, EQUITY_COLUMNS), positions=zeros(row_count, ROW_COLUMNS), used=zeros(1)
    )


def with_room(marks: Marks, rows: int) -> Marks:
    """Return the series with room for so many more position rows."""
    return marks._replace(positions=account.grown(marks.positions, int(marks.used[0]), rows))


@inner
def mark_account(exchange: Exchange, marks: Marks, a: int, tick: int) -> None:
    """Write the equity row of an account, and one row per open position, at `exchange.prices[account.MARK]`."""
    instruments = exchange.instruments
    row = marks.equity[tick, a]
    pnl = 0
    used = exchange.accounts[a, account.LOCKED]
    maintenance = 0
    for symbol in range(exchange.positions.shape[1]):
        position = exchange.positions[a, symbol]
        quantity = position[positions.QUANTITY]
        if quantity == 0:
            continue
        mark = exchange.prices[account.MARK, symbol]
        gain = unrealized(instruments, symbol, position, mark)
        margin = position[positions.MARGIN]
        if position[positions.ISOLATED] == 0:
            margin = initial_margin(instruments, symbol, quantity, mark, position[positions.LEVERAGE])
            used = checked_add(used, margin)
        needed = maintenance_margin(instruments, symbol, quantity, mark)
        pnl = checked_add(pnl, gain)
        maintenance = checked_add(maintenance, needed)
        line = marks.positions[marks.used[0]]
        marks.used[0] += 1
        line[ROW_ACCOUNT] = a
        line[ROW_TICK] = tick
        line[ROW_SYMBOL] = symbol
        line[ROW_QUANTITY] = quantity
        line[ROW_COST] = position[positions.COST]
        line[ROW_MARK] = mark
        line[ROW_UNREALIZED] = gain
        line[ROW_LEVERAGE] = position[positions.LEVERAGE]
        line[ROW_ISOLATED] = position[positions.ISOLATED]
        line[ROW_MARGIN] = margin
        line[ROW_MAINTENANCE] = needed
    row[CASH] = exchange.accounts[a, account.CASH]
    row[UNREALIZED] = pnl
    row[EQUITY] = checked_add(row[CASH], pnl)
    row[MARGIN_USED] = used
    row[MAINTENANCE] = maintenance


@inner
def trail(exchange: Exchange, a: int) -> None:
    """Let every trailing stop follow the mark: its level becomes the better of itself and mark × (1 ∓ rate)."""
    for k in range(exchange.accounts[a, account.WORKING_COUNT]):
        order = exchange.orders[exchange.working[a, k]]
        if order[orders.TYPE] != orders.TRAILING_STOP or order[orders.STATUS] != orders.WORKING:
            continue
        # Once fired, an opening one works on like a market order, and reserves at the level that it fired at.
        if order[orders.TRIGGERED] == 1:
            continue
        symbol = order[orders.SYMBOL]
        side = order[orders.SIDE]
        level = trailing_level(
            exchange, symbol, side, exchange.prices[account.MARK, symbol], order[orders.CALLBACK_RATE]
        )
        better = max(order[orders.TRIGGER_PRICE], level) if side < 0 else min(order[orders.TRIGGER_PRICE], level)
        if better != order[orders.TRIGGER_PRICE]:
            order[orders.TRIGGER_PRICE] = better
            orders.alert(exchange.alerts[a], order, exchange.has_mark)


# Columns of an appraisal.
WORTH, GROSS, NET = range(3)
APPRAISAL_COLUMNS = 3


@kernel
def appraise(exchange: Exchange, out: Any) -> None:
    """Write what every account is worth at `exchange.prices[account.MARK]`: equity, and its positions' notional.

    `out` is [account, column]: equity, Σ |notional|, Σ notional, in money units. Nothing else changes.
    """
    for a in range(exchange.accounts.shape[0]):
        worth = exchange.accounts[a, account.CASH]
        gross = 0
        net = 0
        for symbol in range(exchange.positions.shape[1]):
            position = exchange.positions[a, symbol]
            if position[positions.QUANTITY] != 0:
                gain = unrealized(exchange.instruments, symbol, position, exchange.prices[account.MARK, symbol])
                value = checked_add(gain, position[positions.COST])
                worth = checked_add(worth, gain)
                gross = checked_add(gross, abs(value))
                net = checked_add(net, value)
        out[a, WORTH] = worth
        out[a, GROSS] = gross
        out[a, NET] = net
