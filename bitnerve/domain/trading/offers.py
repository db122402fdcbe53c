"""What does a quote offer, with its book if it has one, and how much of it has an account taken already?"""

from __future__ import annotations

from typing import Any

from bitnerve.domain.arithmetic import DOWN, UP, checked_add, wide_add, wide_divide, wide_product
from bitnerve.domain.kernel import inner
from bitnerve.domain.market import instrument
from bitnerve.domain.trading import account, orders
from bitnerve.domain.trading.account import Exchange
from bitnerve.domain.trading.fees import impact_rate, notional, taker_price
from bitnerve.domain.units import MONEY_MAX

# Rows of the touch table, [row, symbol]: the latest quote of every symbol, 0 before the first.
BID, ASK, BID_LOTS, ASK_LOTS, MARK = range(5)
TOUCH_ROWS = 5

# Columns of the books, [symbol, level, column]: the best level first, zeros after the last. A symbol whose latest quote
# came without a book has zeros alone.
LEVEL_BID, LEVEL_BID_LOTS, LEVEL_ASK, LEVEL_ASK_LOTS = range(4)

TAKEN = account.TARGET_LAST + 1
"""Two rows of the price table that bars alone have another use for: lots taken of this quote, bids and asks."""


@inner
def is_offered(touch: Any, symbol: int, buys: bool) -> bool:
    """Return whether a touch quotes anything at all to a taker of this side."""
    return touch[ASK if buys else BID, symbol] > 0 and touch[ASK_LOTS if buys else BID_LOTS, symbol] > 0


@inner
def has_book(books: Any, symbol: int) -> bool:
    """Return whether the latest quote of a symbol came with a book."""
    return books.shape[1] > 0 and (books[symbol, 0, LEVEL_BID] > 0 or books[symbol, 0, LEVEL_ASK] > 0)


@inner
def taken_price(touch: Any, order: Any) -> int:
    """Return the touch that an order would take: the ask for a buy, the bid for a sell."""
    return touch[ASK, order[orders.SYMBOL]] if order[orders.SIDE] > 0 else touch[BID, order[orders.SYMBOL]]


@inner
def is_beyond_limit(order: Any, price: int) -> bool:
    """Return whether a level is worse than an order's limit."""
    if order[orders.TYPE] != orders.LIMIT:
        return False
    return price > order[orders.LIMIT_PRICE] if order[orders.SIDE] > 0 else price < order[orders.LIMIT_PRICE]


@inner
def room_through(exchange: Exchange, touch: Any, books: Any, row: int) -> int:
    """Return the lots offered at better prices than a resting limit, less what the account has taken already."""
    order = exchange.orders[row]
    symbol = order[orders.SYMBOL]
    buys = order[orders.SIDE] > 0
    lots = touch[ASK_LOTS if buys else BID_LOTS, symbol]
    if has_book(books, symbol):
        lots = 0
        for level in range(books.shape[1]):
            price = books[symbol, level, LEVEL_ASK if buys else LEVEL_BID]
            if price <= 0 or price == order[orders.LIMIT_PRICE] or is_beyond_limit(order, price):
                break
            lots = checked_add(lots, books[symbol, level, LEVEL_ASK_LOTS if buys else LEVEL_BID_LOTS])
    return max(0, lots - exchange.prices[TAKEN + (1 if buys else 0), symbol])


@inner
def note_taken(exchange: Exchange, symbol: int, buys: bool, lots: int) -> None:
    """Count lots as taken of a side of the quote."""
    row = TAKEN + (1 if buys else 0)
    exchange.prices[row, symbol] = checked_add(exchange.prices[row, symbol], lots)


@inner
def last_level(touch: Any, books: Any, symbol: int, buys: bool) -> int:
    """Return the worst price of a side of the book, or its touch where the side is empty."""
    price = touch[ASK if buys else BID, symbol]
    for level in range(books.shape[1]):
        if books[symbol, level, LEVEL_ASK if buys else LEVEL_BID] > 0:
            price = books[symbol, level, LEVEL_ASK if buys else LEVEL_BID]
    return price


@inner
def depth_of(exchange: Exchange, symbol: int, lots: int, price: int) -> int:
    """Return the money quoted at a price, at least one unit and at most what money can be."""
    table = exchange.instruments.table
    size = float(lots) * float(table[symbol, instrument.LOT_NUMERATOR]) * float(price)
    if size / float(table[symbol, instrument.LOT_DENOMINATOR]) >= float(MONEY_MAX):
        return MONEY_MAX
    return max(1, notional(exchange.instruments, symbol, lots, price, UP))


@inner
def depth_of_side(exchange: Exchange, touch: Any, books: Any, symbol: int, buys: bool) -> int:
    """Return the money that a side of the book offers, at its worst price; what carries the impact beyond it."""
    lots = 0
    for level in range(books.shape[1]):
        if books[symbol, level, LEVEL_ASK if buys else LEVEL_BID] > 0:
            lots = checked_add(lots, books[symbol, level, LEVEL_ASK_LOTS if buys else LEVEL_BID_LOTS])
    return depth_of(exchange, symbol, lots, last_level(touch, books, symbol, buys))


@inner
def closing_price(exchange: Exchange, touch: Any, books: Any, symbol: int, whole: int, buys: bool) -> int:
    """Return the price at which a whole position closes in one fill: the touch moved by impact, or the mean of a book.

    The mean runs over the levels that the position eats, and beyond the last of them with impact, like the order that
    only protects; it is exact and rounded once, against the account, to the tick.
    """
    tick = exchange.instruments.table[symbol, instrument.TICK_SIZE]
    side = 1 if buys else -1
    if not has_book(books, symbol):
        base = touch[ASK if buys else BID, symbol]
        depth = depth_of(exchange, symbol, touch[ASK_LOTS if buys else BID_LOTS, symbol], base)
        rate = impact_rate(exchange.rules, notional(exchange.instruments, symbol, whole, base, UP), depth)
        return taker_price(base, side, rate, tick)
    gone = exchange.prices[TAKEN + (1 if buys else 0), symbol]
    left = whole
    total = wide_product(0, 0)
    for level in range(books.shape[1]):
        price = books[symbol, level, LEVEL_ASK if buys else LEVEL_BID]
        if left == 0 or price <= 0:
            break
        offered = books[symbol, level, LEVEL_ASK_LOTS if buys else LEVEL_BID_LOTS]
        lots = min(left, max(0, offered - gone))
        gone = max(0, gone - offered)
        total = wide_add(total, wide_product(lots, price))
        left -= lots
    if left > 0:
        base = last_level(touch, books, symbol, buys)
        depth = depth_of_side(exchange, touch, books, symbol, buys)
        rate = impact_rate(exchange.rules, notional(exchange.instruments, symbol, left, base, UP), depth)
        total = wide_add(total, wide_product(left, taker_price(base, side, rate, tick)))
    return taker_price(wide_divide(total, whole, UP if buys else DOWN), side, 0, tick)
