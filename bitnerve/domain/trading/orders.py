"""What is an order, and in which order do an account's resting orders take their turn?

All orders of a run stand in one log, a row each, in order of acceptance; each account has a list of the rows that
still work. A row is never moved or deleted, so the log is also the export.
"""

from __future__ import annotations

from typing import Any

from bitnerve.domain.kernel import INT64_MAX, inner, kernel
from bitnerve.domain.trading import positions

# Columns of a row. The first eight are all that a look at a resting order needs: one cache line.
STATUS = 0
SYMBOL = 1
SIDE = 2
"""1 buys, -1 sells."""
TYPE = 3
TRIGGER_PRICE = 4
"""The level of a stop, a take-profit or a trailing stop; 0 without one."""
LIMIT_PRICE = 5
REDUCE_ONLY = 6
TRIGGERED = 7
"""1 once an opening stop has fired and works on like a market order."""
ACCOUNT = 8
QUANTITY = 9
FILLED = 10
TRIGGER_BY = 11
CALLBACK_RATE = 12
TIME_IN_FORCE = 13
CLOSE_POSITION = 14
ISOLATED = 15
LEVERAGE = 16
"""The leverage asked for; 0 keeps the symbol's."""
STOP_LOSS = 17
TAKE_PROFIT = 18
TRAILING_RATE = 19
"""Protection attached to an opening order: levels and a callback rate, 0 without."""
PARENT = 20
"""The entry that a protection belongs to; -1 for an order of its own."""
ALIVE_FROM = 21
"""The first bar in which a protection may fire."""
ATTEMPTS = 22
TRIED_IN = 23
"""The last bar in which the order had a turn: one slice a bar."""
REASON = 24
CODE = 25
SEQUENCE = 26
TICK = 27
"""The tick (bar index) at or after which the order was born, and ..."""
ORDINAL = 28
"""... its number among the account's orders since that tick."""
ACCEPTED_AT = 29
ENDED_AT = 30
FILLS = 31
COLUMNS = 32

# Type.
MARKET, LIMIT, STOP_MARKET, TAKE_PROFIT_MARKET, TRAILING_STOP, LIQUIDATION = range(6)
TYPES = ("MARKET", "LIMIT", "STOP_MARKET", "TAKE_PROFIT_MARKET", "TRAILING_STOP", "LIQUIDATION")
# Time in force.
GTC, IOC, FOK, POST_ONLY = range(4)
TIMES_IN_FORCE = ("GTC", "IOC", "FOK", "POST_ONLY")
# What a trigger looks at.
LAST, MARK = range(2)
TRIGGERS_BY = ("LAST", "MARK")
# Status. An order that works is ACKED, or PARTIAL once some of it has filled.
WORKING, FILLED_WHOLE, CANCELED, EXPIRED, REJECTED = range(5)
STATUSES = ("ACKED", "FILLED", "CANCELED", "EXPIRED", "REJECTED")
PARTIAL = "PARTIAL"
# Why an order was placed; its fills carry the same word.
ENTRY, EXIT, STOP, TAKE, TRAIL, LIQUIDATED, TIME = range(7)
REASONS = ("ENTRY", "EXIT", "STOP", "TAKE_PROFIT", "TRAILING", "LIQUIDATION", "TIME")
# Why an order was refused or ended early.
(
    NONE,
    NO_PRICE,
    BAD_QUANTITY,
    TOO_LARGE,
    OFF_TICK,
    MIN_NOTIONAL,
    NOT_REDUCING,
    MARGIN_MODE,
    WOULD_TRIGGER,
    POST_ONLY_WOULD_TAKE,
    BAD_PROTECTION,
    MAX_LEVERAGE,
    LEVERAGE_MARGIN,
    MARGIN,
    FOK_UNFILLED,
    POSITION_CLOSED,
    SIBLING_FILLED,
    LIQUIDATION_CANCEL,
    BY_REQUEST,
    OUT_OF_TIME,
) = range(20)
CODES = (
    None,
    "NO_PRICE",
    "BAD_QUANTITY",
    "TOO_LARGE",
    "OFF_TICK",
    "MIN_NOTIONAL",
    "NOT_REDUCING",
    "MARGIN_MODE",
    "WOULD_TRIGGER",
    "POST_ONLY_WOULD_TAKE",
    "BAD_PROTECTION",
    "MAX_LEVERAGE",
    "LEVERAGE_MARGIN",
    "MARGIN",
    "FOK",
    "POSITION_CLOSED",
    "SIBLING_FILLED",
    "LIQUIDATION",
    "CANCELED",
    "EXPIRED",
)

ALWAYS = INT64_MAX


@kernel
def is_trigger(kind: int) -> bool:
    """Return whether an order of this type waits for a level."""
    return kind in (STOP_MARKET, TAKE_PROFIT_MARKET, TRAILING_STOP)


@kernel
def fires_falling(kind: int, side: int) -> bool:
    """Return whether a trigger waits for the price to fall to its level: a selling stop or a buying target."""
    return (kind != TAKE_PROFIT_MARKET) == (side < 0)


@kernel
def is_reached(price: int, level: int, falling: bool) -> bool:
    """Return whether a price is at or past a trigger's level."""
    return price <= level if falling else price >= level


@inner
def alert(alerts: Any, order: Any, has_mark: bool) -> None:
    """Set an account's alerts so that a bar which could meet this order is noticed."""
    symbol = order[SYMBOL]
    kind = order[TYPE]
    hasty = kind == LIMIT and order[TIME_IN_FORCE] in (IOC, FOK)
    by_mark = has_mark and is_trigger(kind) and order[TRIGGER_BY] == MARK
    if kind == MARKET or order[TRIGGERED] == 1 or hasty or by_mark:
        alerts[positions.ORDER_LOW, symbol] = ALWAYS
        return
    level = order[LIMIT_PRICE] if kind == LIMIT else order[TRIGGER_PRICE]
    falling = order[SIDE] > 0 if kind == LIMIT else fires_falling(kind, order[SIDE])
    if falling:
        alerts[positions.ORDER_LOW, symbol] = max(alerts[positions.ORDER_LOW, symbol], level)
    else:
        alerts[positions.ORDER_HIGH, symbol] = min(alerts[positions.ORDER_HIGH, symbol], level)
