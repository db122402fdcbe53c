"""What is the state of an exchange: accounts, positions, orders, events, and the prices they meet?"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy.typing as npt

from bitnerve.domain.kernel import zeros
from bitnerve.domain.market.instrument import Instruments
from bitnerve.domain.trading import orders, positions
from bitnerve.domain.units import SCALE

Integers = npt.NDArray[Any]

# Columns of an account.
CASH = 0
"""Wallet balance in money units, locked margin included."""
LOCKED = 1
"""Sum of the margins of the account's isolated positions."""
CROSS_COUNT = 2
"""Open positions in cross margin."""
SEQUENCE = 3
"""The next number of the account's one counter."""
WORKING_COUNT = 4
TICK = 5
ORDINAL = 6
"""The next order number since that tick."""
BANDED = 7
"""1 while the bands among the account's alerts hold."""
SHARE = 8
"""The rate by which the bands of cross positions reach beyond the prices at which they were set."""
WORST = 9
"""What the cross positions are worth together, PnL less maintenance, each at the worst within its band."""
MARGIN_MOST = 10
"""The initial margin that they need together, each at the most within its band."""
OPENING_COUNT = 11
"""Working orders that are not reduce-only."""
COLUMNS = 12

EVENT_COLUMNS = 16

# Cursors: how many rows of the two logs are in use.
ORDER_COUNT, EVENT_COUNT = range(2)

# Rows of the price table: where the market stands for the account whose turn it is. Scratch, no state.
LAST = 0
MARK = 1
TARGET_LAST = 2
"""Three rows: the checkpoints that the last price of each symbol still goes to in its bar."""
TARGET_MARK = 5
LIVE = 8
"""1 where the symbol trades in this bar; of symbols that are not loud only in bars in which a breach is possible."""
LOUD = 9
"""1 where the bar could meet an order of the account."""
WALKS = 10
"""1 where the price is walked through the bar; the others matter to nobody and stay where they were."""
WALKERS = 11
"""A list: its length in column 0, then the symbols that walk."""
AGAINST = 12
"""Two rows: closing quantity already claimed by buys and by sells."""
STEPS = 14
"""Two lists of numerators and denominators, the length in column 0: the λ of the segment's events so far."""
STATE = 16
"""Column 0: whether the account is known to be safe, whatever the prices of the bar may do."""
PRICE_ROWS = 17

UNKNOWN, SAFE, UNSAFE = range(3)


class Rules(NamedTuple):
    """The season's rates; the defaults are the house rules."""

    half_spread_rate: int = 10_000
    impact_rate: int = 100_000
    volume_cap_rate: int = 10_000_000
    market_order_max_bars: int = 12
    liquidation_fee_rate: int = 500_000


class Exchange(NamedTuple):
    """One venue with all its accounts: what every kernel of this folder works on.

    Few and wide arrays rather than one per field: numba hands every array of a tuple to every kernel piece by piece,
    and compiles for minutes where there are forty.
    """

    instruments: Instruments
    rules: Rules
    has_mark: bool
    """Whether mark prices have a path of their own inside a bar."""
    accounts: Integers
    """[account, column]"""
    positions: Integers
    """[account, symbol, column]"""
    alerts: Integers
    """[account, row, symbol]: price ranges within which nothing can happen."""
    working: Integers
    """[account, n]: rows of resting orders, in order of acceptance."""
    agenda: Integers
    """Rows of the orders that the bar in play could meet, the length in column 0; scratch, no state."""
    orders: Integers
    """[row, column]"""
    events: Integers
    """[row, column]"""
    cursors: Integers
    prices: Integers
    """[row, symbol + 1]"""


def open_exchange(
    *, instruments: Instruments, rules: Rules, account_count: int, capital: int, has_mark: bool
) -> Exchange:
    """Return an exchange on which every account holds its capital and 1× leverage, and nothing else."""
    symbol_count = instruments.table.shape[0]
    exchange = Exchange(
        instruments=instruments,
        rules=rules,
        has_mark=has_mark,
        accounts=zeros(account_count, COLUMNS),
        positions=zeros(account_count, symbol_count, positions.COLUMNS),
        alerts=zeros(account_count, positions.ALERT_ROWS, symbol_count),
        working=zeros(account_count, 16),
        agenda=zeros(17),
        orders=zeros(64, orders.COLUMNS),
        events=zeros(64, EVENT_COLUMNS),
        cursors=zeros(2),
        prices=zeros(PRICE_ROWS, symbol_count + 1),
    )
    exchange.accounts[:, CASH] = capital
    # Number 0 is the posting that starts the account.
    exchange.accounts[:, SEQUENCE] = 1
    exchange.positions[:, :, positions.LEVERAGE] = 1
    for low, high in ((positions.ORDER_LOW, positions.ORDER_HIGH), (positions.BAND_LOW, positions.BAND_HIGH)):
        exchange.alerts[:, low] = positions.NO_LOW
        exchange.alerts[:, high] = positions.NO_HIGH
    exchange.accounts[:, BANDED] = 1
    exchange.accounts[:, SHARE] = SCALE // 2
    return exchange


def grown(rows: Integers, used: int, wanted: int) -> Integers:
    """Return a log with room for `wanted` rows beyond the `used` ones: the same, or a copy at least twice as long."""
    if used + wanted <= rows.shape[0]:
        return rows
    larger = zeros(max(2 * rows.shape[0], used + wanted), *rows.shape[1:])
    larger[:used] = rows[:used]
    return larger


def with_room(exchange: Exchange, *, orders: int, events: int, working: int) -> Exchange:
    """Return the exchange with room for so many more orders and events, and working orders of one account.

    What a bar can write is bounded: each working order can have one slice, which can bear three protections; each
    protection and each position can be closed once more, by a trigger or a liquidation with its order, its fee and a
    shortfall. Rows are kept; their arrays may be new ones.
    """
    cursors = exchange.cursors
    rows = exchange.working
    if working > rows.shape[1]:
        rows = zeros(rows.shape[0], 2 * working)
        rows[:, : exchange.working.shape[1]] = exchange.working
    return exchange._replace(
        working=rows,
        agenda=exchange.agenda if rows is exchange.working else zeros(rows.shape[1] + 1),
        orders=grown(exchange.orders, int(cursors[ORDER_COUNT]), orders),
        events=grown(exchange.events, int(cursors[EVENT_COUNT]), events),
    )
