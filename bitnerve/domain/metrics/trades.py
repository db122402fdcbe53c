"""Which round trips did an agent make, and what did each earn?

A trade runs from flat to flat in one symbol. A fill that flips the position closes one trade and opens the
next; its fee is split by lots. Net is realized profit minus fees; funding stands beside it, for it is the
price of waiting and not of the idea. A trade is won when its net is above zero. What is still open is no
trade yet.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bitnerve.domain.arithmetic import HALF_EVEN, mul_div
from bitnerve.domain.kernel import INT64_MAX, integers, kernel, zeros

Integers = npt.NDArray[Any]


class Fills(NamedTuple):
    """One agent's fills as columns, in order of `sequence`; money in units."""

    sequence: Integers
    symbol: Integers
    """Small whole numbers from 0."""
    lots: Integers
    """Signed: above zero for a buy."""
    realized_pnl: Integers
    fee: Integers
    """What the fill cost, a liquidation's own fee included; below zero for a rebate."""
    liquidation: npt.NDArray[np.bool_]


class FundingPayments(NamedTuple):
    """One agent's funding as columns, in order of the same `sequence`; an amount below zero was paid."""

    sequence: Integers
    symbol: Integers
    amount: Integers


class Trades(NamedTuple):
    """Closed round trips as columns, in order of closing; money in units."""

    symbol: Integers
    side: Integers
    """1 for a long, −1 for a short."""
    opened: Integers
    """Index of the fill that opened it, and below of the one that closed it."""
    closed: Integers
    realized_pnl: Integers
    fees: Integers
    funding: Integers
    liquidated: Integers
    """1 where a liquidation took part."""

    @property
    def net(self) -> Integers:
        """Realized profit minus fees."""
        return self.realized_pnl - self.fees


def no_fills() -> Fills:
    """Return no fills."""
    none = zeros(0)
    return Fills(none, none, none, none, none, np.zeros(0, dtype=np.bool_))


def no_funding() -> FundingPayments:
    """Return no funding."""
    return FundingPayments(zeros(0), zeros(0), zeros(0))


def round_trips(*, fills: Fills, funding: FundingPayments | None = None) -> Trades:
    """Return the closed trades of one agent; raise `OverflowError` when its sums could leave 64 bits."""
    funding = no_funding() if funding is None else funding
    # No partial sum of a trade can exceed the sum of all magnitudes, so the kernel may add without looking.
    amounts = (fills.realized_pnl, fills.fee, funding.amount)
    if sum(abs(int(amount)) for column in amounts for amount in column.tolist()) > INT64_MAX:
        raise OverflowError("the money of one agent's fills leaves the range of int64")
    symbols = 1 + max((int(symbol) for column in (fills.symbol, funding.symbol) for symbol in column), default=-1)
    columns = zeros(len(Trades._fields), len(fills.lots))
    count = _pair_fills(
        Fills(*(integers(column) for column in fills)),
        FundingPayments(*(integers(column) for column in funding)),
        zeros(symbols),
        zeros(len(Trades._fields), symbols),
        columns,
    )
    return Trades(*columns[:, :count])


def win_ratio(trades: Trades) -> float:
    """Return the share of trades with a net above zero, NaN without trades."""
    return sum(net > 0 for net in trades.net.tolist()) / len(trades.net) if len(trades.net) else math.nan


def profit_factor(trades: Trades) -> float:
    """Return the net of all winners ÷ the net of all losers; NaN where nothing was lost."""
    won = sum(net for net in trades.net.tolist() if net > 0)
    lost = -sum(net for net in trades.net.tolist() if net < 0)
    return float(won / lost) if lost else math.nan


_SYMBOL, _SIDE, _OPENED, _CLOSED, _REALIZED, _FEES, _FUNDING, _LIQUIDATED = range(len(Trades._fields))


@kernel
def _pair_fills(fills: Any, funding: Any, position: Any, running: Any, closed: Any) -> int:
    """Write the closed trades as columns and return their number; `running` holds each symbol's open one."""
    count, payment = 0, 0
    for index in range(fills.lots.size):
        payment = _collect_funding(funding, payment, fills.sequence[index], position, running)
        symbol, lots, held = fills.symbol[index], fills.lots[index], position[fills.symbol[index]]
        if held == 0:
            _open_trade(running, symbol, lots, index)
        flips = held != 0 and (held > 0) != (lots > 0) and abs(lots) > abs(held)
        fee = mul_div(fills.fee[index], abs(held), abs(lots), HALF_EVEN) if flips else fills.fee[index]
        running[_REALIZED, symbol] += fills.realized_pnl[index]
        running[_FEES, symbol] += fee
        if fills.liquidation[index]:
            running[_LIQUIDATED, symbol] = 1
        position[symbol] = held + lots
        if position[symbol] == 0 or flips:
            running[_CLOSED, symbol] = index
            for row in range(running.shape[0]):
                closed[row, count] = running[row, symbol]
            count += 1
        if flips:
            _open_trade(running, symbol, lots, index)
            running[_FEES, symbol] = fills.fee[index] - fee
    return count


@kernel
def _collect_funding(funding: Any, payment: int, until: int, position: Any, running: Any) -> int:
    """Add the payments before `until` to the trades they fell into, and return the next payment's index."""
    while payment < funding.amount.size and funding.sequence[payment] < until:
        symbol = funding.symbol[payment]
        if position[symbol] != 0:
            running[_FUNDING, symbol] += funding.amount[payment]
        payment += 1
    return payment


@kernel
def _open_trade(running: Any, symbol: int, lots: int, index: int) -> None:
    for row in range(running.shape[0]):
        running[row, symbol] = 0
    running[_SYMBOL, symbol] = symbol
    running[_SIDE, symbol] = 1 if lots > 0 else -1
    running[_OPENED, symbol] = index
