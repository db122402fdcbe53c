"""How does recorded time pass for all accounts: bars, funding, and the marks at a tick?"""

from __future__ import annotations

from typing import Any

from bitnerve.domain.kernel import kernel
from bitnerve.domain.trading import account
from bitnerve.domain.trading.account import Exchange
from bitnerve.domain.trading.funding import fund
from bitnerve.domain.trading.marking import Marks, mark_account, trail
from bitnerve.domain.trading.path import CLOSE, play_bar

# Columns of a funding schedule as kernels read it, in order of the bar end at which a settlement is due.
DUE = 0
"""The bar at whose start (the end of the bar before) it is due."""
FUNDED_AT = 1
SYMBOL = 2
RATE = 3
KNOWN = 4
SCHEDULE_COLUMNS = 5


@kernel
def stand_at_tick(exchange: Exchange, bars: Any, mark: Any, bar: int) -> None:
    """Set the prices to what is known at the start of `bar`: the last closes and the marks."""
    for symbol in range(mark.shape[1]):
        exchange.prices[account.LAST, symbol] = bars[CLOSE, bar - 1, symbol] if bar > 0 else 0
        exchange.prices[account.MARK, symbol] = mark[bar, symbol]


@kernel
def settle_funding(exchange: Exchange, mark: Any, funding: Any, cursor: int, bar: int) -> int:
    """Settle for every account what is due by the start of `bar`, at its marks, and return the new cursor."""
    while cursor < funding.shape[0] and funding[cursor, DUE] <= bar:
        settlement = funding[cursor]
        symbol = settlement[SYMBOL]
        price = mark[bar, symbol]
        for a in range(exchange.accounts.shape[0]):
            fund(exchange, a, symbol, price, settlement[RATE], settlement[KNOWN] == 1, settlement[FUNDED_AT])
        cursor += 1
    return cursor


@kernel
def play_bars(
    exchange: Exchange, bars: Any, mark: Any, funding: Any, cursor: int, first: int, until: int, at: Any
) -> int:
    """Play bars [first, until) for every account, funding after each, and return the new funding cursor.

    `at` holds the opening instant of every bar; `cursor` is the first settlement not yet due.
    """
    accounts = exchange.accounts.shape[0]
    for bar in range(first, until):
        for a in range(accounts):
            play_bar(exchange, bars, a, bar, at[bar])
        cursor = settle_funding(exchange, mark, funding, cursor, bar + 1)
    return cursor


@kernel
def mark_tick(exchange: Exchange, bars: Any, mark: Any, marks: Marks, bar: int, tick: int) -> None:
    """Mark every account at the start of `bar`, let trailing stops follow, and open the tick's order numbers."""
    stand_at_tick(exchange, bars, mark, bar)
    for a in range(exchange.accounts.shape[0]):
        trail(exchange, a)
        mark_account(exchange, marks, a, tick)
        exchange.accounts[a, account.TICK] = bar
        exchange.accounts[a, account.ORDINAL] = 0


@kernel
def play_tick(
    exchange: Exchange,
    bars: Any,
    mark: Any,
    funding: Any,
    cursor: int,
    first: int,
    until: int,
    at: Any,
    marks: Marks,
    tick: int,
) -> tuple[int, int, int]:
    """Play bars [first, until), then mark every account at the tick that ends them.

    Returns the new funding cursor, and the largest and the total number of working orders of the accounts, from
    which the host knows how much room the logs will need.
    """
    cursor = play_bars(exchange, bars, mark, funding, cursor, first, until, at)
    mark_tick(exchange, bars, mark, marks, until, tick)
    most = 0
    total = 0
    for a in range(exchange.accounts.shape[0]):
        most = max(most, exchange.accounts[a, account.WORKING_COUNT])
        total += exchange.accounts[a, account.WORKING_COUNT]
    return cursor, most, total
