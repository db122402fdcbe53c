"""What happens to accounts while the quotes of a stretch of time pass by?"""

from __future__ import annotations

from typing import Any

from bitnerve.domain.kernel import inner, kernel
from bitnerve.domain.trading import account, offers, orders, positions, quotes
from bitnerve.domain.trading.account import Exchange

# Columns of a tape, [quote, column], in order of time, then symbol. Prices in price units, sizes in lots.
AT = 0
"""Milliseconds."""
SYMBOL = 1
BID = 2
ASK = 3
BID_LOTS = 4
ASK_LOTS = 5
MARK = 6
LAST = 7
"""The price of the last trade."""
COLUMNS = 8


@inner
def concerns(exchange: Exchange, a: int, symbol: int) -> bool:
    """Return whether an account has a position or a working order in a symbol."""
    if exchange.positions[a, symbol, positions.QUANTITY] != 0:
        return True
    for k in range(exchange.accounts[a, account.WORKING_COUNT]):
        if exchange.orders[exchange.working[a, k], orders.SYMBOL] == symbol:
            return True
    return False


@inner
def has_room(exchange: Exchange, a: int) -> bool:
    """Return whether the logs can take all that one quote can make of an account.

    Each working order may fill once and bear three protections, which may fire at once; each position may be closed
    by a liquidation, with an order, a fill, a fee and a shortfall.
    """
    working = exchange.accounts[a, account.WORKING_COUNT]
    turns = 8 * (working + exchange.positions.shape[1]) + 8
    return (
        exchange.cursors[account.ORDER_COUNT] + turns <= exchange.orders.shape[0]
        and exchange.cursors[account.EVENT_COUNT] + turns <= exchange.events.shape[0]
        and 4 * working + 4 <= exchange.working.shape[1]
    )


@kernel
def read_tape(touch: Any, last: Any, tape: Any, first: int, until: int) -> None:
    """Let the touch and the last prices [symbol] follow the quotes [first, until) of a tape, and nothing else."""
    for i in range(first, until):
        symbol = tape[i, SYMBOL]
        touch[offers.BID, symbol] = tape[i, BID]
        touch[offers.ASK, symbol] = tape[i, ASK]
        touch[offers.BID_LOTS, symbol] = tape[i, BID_LOTS]
        touch[offers.ASK_LOTS, symbol] = tape[i, ASK_LOTS]
        touch[offers.MARK, symbol] = tape[i, MARK]
        last[symbol] = tape[i, LAST]


@kernel
def play_tape(
    exchange: Exchange, touch: Any, last: Any, tape: Any, books: Any, place: Any, first: int, until: int, step: int
) -> int:
    """Let every account meet the quotes [first, until) of a tape and return the next one: `until`, or an earlier one.

    `place` holds for each account the first quote that it has not met; `step` is the number of the tape's first quote
    in the season. An earlier quote is returned where the logs are full: the host makes room and calls again.
    """
    for i in range(first, until):
        read_tape(touch, last, tape, i, i + 1)
        symbol = tape[i, SYMBOL]
        for a in range(exchange.accounts.shape[0]):
            if place[a] > i:
                continue
            if concerns(exchange, a, symbol):
                if not has_room(exchange, a):
                    return i
                quotes.play_quote(exchange, touch, books, a, symbol, step + i, tape[i, AT])
            place[a] = i + 1
    return until


@kernel
def stand_at_touch(exchange: Exchange, touch: Any, last: Any) -> None:
    """Set the prices to the moment's: the last trades and the marks, where orders are accepted."""
    for symbol in range(touch.shape[1]):
        exchange.prices[account.LAST, symbol] = last[symbol]
        exchange.prices[account.MARK, symbol] = touch[offers.MARK, symbol]
