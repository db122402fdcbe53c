"""What does the engine write down while it runs, so that the books can be made from it?

One log beside the orders, a row per event: fills, funding settlements, and transfers with the insurance account.
One counter per account numbers orders, events and their postings in the order in which they happened.
"""

from __future__ import annotations

from bitnerve.domain.kernel import inner
from bitnerve.domain.trading import account
from bitnerve.domain.trading.account import Exchange

# Kinds.
FILL, FUNDING, LIQUIDATION_FEE, SHORTFALL = range(4)

# Columns of every event.
KIND = 0
ACCOUNT = 1
SEQUENCE = 2
AT = 3
SYMBOL = 4
CAUSE = 5
"""The row of the order that filled; for a transfer, the event row of the fill that caused it; else -1."""
AMOUNT = 6
"""What the account receives: realized PnL before the fee, funding, or a transfer."""
# Columns of a fill.
QUANTITY = 7
"""Lots; of funding, the signed position."""
PRICE = 8
"""Of funding, the mark."""
BASE_PRICE = 9
SIDE = 10
MAKER = 11
FEE = 12
POSITION_AFTER = 13
REASON = 14
NUMBER = 15
"""The how-manieth fill of its order, from 0."""
# Columns of funding that a fill has no use for.
RATE = BASE_PRICE
KNOWN = MAKER


@inner
def next_sequence(exchange: Exchange, a: int, steps: int) -> int:
    """Return the account's next number and move its counter on by `steps`."""
    number = exchange.accounts[a, account.SEQUENCE]
    exchange.accounts[a, account.SEQUENCE] = number + steps
    return number


@inner
def write(exchange: Exchange, kind: int, a: int, symbol: int, cause: int, amount: int, at: int) -> int:
    """Write the common part of an event and return its row.

    A fill and a funding settlement take two numbers, the second for their posting, even if no money moves and so
    no posting is made: the counter must not depend on it. A transfer is nothing but its posting.
    """
    row = exchange.cursors[account.EVENT_COUNT]
    exchange.cursors[account.EVENT_COUNT] = row + 1
    event = exchange.events[row]
    event[KIND] = kind
    event[ACCOUNT] = a
    event[SEQUENCE] = next_sequence(exchange, a, 2 if kind <= FUNDING else 1)
    event[AT] = at
    event[SYMBOL] = symbol
    event[CAUSE] = cause
    event[AMOUNT] = amount
    return row
