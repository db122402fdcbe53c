"""What happens to one account when a quote or a book arrives between ticks?

There is no path between two quotes: prices jump. A quote plays like the open of a bar, with a touch for each side
instead of one price, and the quoted size, or the book level by level, instead of a bar's volume.
"""

from __future__ import annotations

from typing import Any

from bitnerve.domain.arithmetic import UP
from bitnerve.domain.kernel import INT64_MAX, inner, kernel
from bitnerve.domain.market import instrument
from bitnerve.domain.trading import account, orders, positions
from bitnerve.domain.trading.account import Exchange
from bitnerve.domain.trading.fees import notional
from bitnerve.domain.trading.fills import end_order, put_on_list
from bitnerve.domain.trading.liquidation import liquidate_breached
from bitnerve.domain.trading.matching import execute, expire_if_spent, is_affordable
from bitnerve.domain.units import MONEY_MAX

# Rows of the touch table, [row, symbol]: the latest quote of every symbol, 0 before the first.
BID, ASK, BID_LOTS, ASK_LOTS, MARK = range(5)
TOUCH_ROWS = 5

# Columns of a book, [level, column], the best level first; a book of no levels leaves the touch.
LEVEL_BID, LEVEL_BID_LOTS, LEVEL_ASK, LEVEL_ASK_LOTS = range(4)


@kernel
def play_quote(exchange: Exchange, touch: Any, levels: Any, a: int, symbol: int, step: int, at: int) -> None:
    """Let an account meet the quote of a symbol that has just been written into `touch`, with its book if any.

    `step` numbers the quotes of a season upward; `at` is the quote's time. Orders of the symbol take their turn, the
    whole account is tested for liquidation.
    """
    stand_at_quotes(exchange, touch, a)
    exchange.agenda[0] = 0
    for k in range(exchange.accounts[a, account.WORKING_COUNT]):
        row = exchange.working[a, k]
        if exchange.orders[row, orders.SYMBOL] == symbol:
            put_on_list(exchange.agenda, row)
    resting = exchange.agenda[0]
    for stage in range(3):
        for k in range(1, resting + 1):
            row = exchange.agenda[k]
            if exchange.orders[row, orders.REDUCE_ONLY] == 1 and turn_stage(exchange, touch, row, step) == stage:
                meet(exchange, touch, levels, a, row, step, at)
    liquidate_breached(exchange, a, exchange.prices[account.TARGET_LAST], 0, step, at)
    for k in range(1, resting + 1):
        row = exchange.agenda[k]
        if exchange.orders[row, orders.REDUCE_ONLY] == 0 and turn_stage(exchange, touch, row, step) >= 0:
            meet(exchange, touch, levels, a, row, step, at)
    for stage in range(2):
        for k in range(resting + 1, exchange.agenda[0] + 1):
            row = exchange.agenda[k]
            if turn_stage(exchange, touch, row, step) == stage:
                meet(exchange, touch, levels, a, row, step, at)
    drop_ended(exchange, a, symbol)


@inner
def stand_at_quotes(exchange: Exchange, touch: Any, a: int) -> None:
    """Set marks, and for each position the touch and the money at which it could be closed."""
    for symbol in range(touch.shape[1]):
        is_long = exchange.positions[a, symbol, positions.QUANTITY] >= 0
        price = touch[BID, symbol] if is_long else touch[ASK, symbol]
        lots = touch[BID_LOTS, symbol] if is_long else touch[ASK_LOTS, symbol]
        exchange.prices[account.LIVE, symbol] = 1 if price > 0 else 0
        exchange.prices[account.LAST, symbol] = price
        exchange.prices[account.MARK, symbol] = touch[MARK, symbol]
        exchange.prices[account.TARGET_LAST, symbol] = depth_of(exchange, symbol, lots, price)


@inner
def depth_of(exchange: Exchange, symbol: int, lots: int, price: int) -> int:
    """Return the money quoted at a touch, at least one unit and at most what money can be."""
    table = exchange.instruments.table
    size = float(lots) * float(table[symbol, instrument.LOT_NUMERATOR]) * float(price)
    if size / float(table[symbol, instrument.LOT_DENOMINATOR]) >= float(MONEY_MAX):
        return MONEY_MAX
    return max(1, notional(exchange.instruments, symbol, lots, price, UP))


@inner
def taken_price(touch: Any, order: Any) -> int:
    """Return the touch that an order would take: the ask for a buy, the bid for a sell."""
    return touch[ASK, order[orders.SYMBOL]] if order[orders.SIDE] > 0 else touch[BID, order[orders.SYMBOL]]


@inner
def turn_stage(exchange: Exchange, touch: Any, row: int, step: int) -> int:
    """Return when an order has its turn at a quote: 0 for a reached stop, 1 for a reached target, 2 for others, or -1.

    A trigger by last price looks at the touch that the order would take, the less favorable of the two.
    """
    order = exchange.orders[row]
    price = taken_price(touch, order)
    if order[orders.STATUS] != orders.WORKING or price <= 0 or order[orders.TRIED_IN] == step:
        return -1
    kind = order[orders.TYPE]
    if not orders.is_trigger(kind) or order[orders.TRIGGERED] == 1:
        return 2
    looked_at = touch[MARK, order[orders.SYMBOL]] if order[orders.TRIGGER_BY] == orders.MARK else price
    falling = orders.fires_falling(kind, order[orders.SIDE])
    if not orders.is_reached(looked_at, order[orders.TRIGGER_PRICE], falling):
        return -1
    return 1 if kind == orders.TAKE_PROFIT_MARKET else 0


@inner
def meet(exchange: Exchange, touch: Any, levels: Any, a: int, row: int, step: int, at: int) -> None:
    """Let an order take its turn at a quote."""
    order = exchange.orders[row]
    if orders.is_trigger(order[orders.TYPE]):
        order[orders.TRIGGERED] = 1
    if order[orders.TYPE] != orders.LIMIT:
        take(exchange, touch, levels, a, row, step, at)
        return
    first = order[orders.TRIED_IN] < 0
    order[orders.TRIED_IN] = step
    price = taken_price(touch, order)
    limit = order[orders.LIMIT_PRICE]
    through = price < limit if order[orders.SIDE] > 0 else price > limit
    post_only = order[orders.TIME_IN_FORCE] == orders.POST_ONLY
    if through and (post_only or not first):
        # What rests is filled at its limit, and by no more than what came through it.
        lots = touch[ASK_LOTS if order[orders.SIDE] > 0 else BID_LOTS, order[orders.SYMBOL]]
        execute(exchange, a, row, limit, True, lots, 0, 0, False, step, at)
    elif first and not post_only and (through or price == limit):
        take(exchange, touch, levels, a, row, step, at)
    elif order[orders.TIME_IN_FORCE] == orders.FOK:
        end_order(exchange, row, orders.REJECTED, orders.FOK_UNFILLED, at)
    elif order[orders.TIME_IN_FORCE] == orders.IOC:
        expire_if_spent(exchange, row, at)


@inner
def take(exchange: Exchange, touch: Any, levels: Any, a: int, row: int, step: int, at: int) -> None:
    """Fill an order against the book level by level, or at the touch with impact where there is no book."""
    order = exchange.orders[row]
    buys = order[orders.SIDE] > 0
    if levels.shape[0] == 0:
        symbol = order[orders.SYMBOL]
        base = taken_price(touch, order)
        lots = touch[ASK_LOTS if buys else BID_LOTS, symbol]
        depth = depth_of(exchange, symbol, lots, base)
        execute(exchange, a, row, base, False, INT64_MAX, depth, 0, False, step, at)
        return
    force = order[orders.TIME_IN_FORCE]
    if force == orders.FOK and not book_takes_whole(exchange, levels, a, row):
        end_order(exchange, row, orders.REJECTED, orders.FOK_UNFILLED, at)
        return
    # One turn over several levels: the order must not be counted, expired or refused in between.
    order[orders.TIME_IN_FORCE] = orders.GTC
    attempts = order[orders.ATTEMPTS]
    for level in range(levels.shape[0]):
        price = levels[level, LEVEL_ASK if buys else LEVEL_BID]
        lots = levels[level, LEVEL_ASK_LOTS if buys else LEVEL_BID_LOTS]
        if order[orders.STATUS] != orders.WORKING or price <= 0 or is_beyond_limit(order, price):
            break
        order[orders.ATTEMPTS] = 0
        execute(exchange, a, row, price, False, lots, 0, 0, False, step, at)
    order[orders.TIME_IN_FORCE] = force
    if order[orders.STATUS] == orders.WORKING:
        order[orders.ATTEMPTS] = attempts
        expire_if_spent(exchange, row, at)


@inner
def is_beyond_limit(order: Any, price: int) -> bool:
    """Return whether a level is worse than an order's limit."""
    if order[orders.TYPE] != orders.LIMIT:
        return False
    return price > order[orders.LIMIT_PRICE] if order[orders.SIDE] > 0 else price < order[orders.LIMIT_PRICE]


@inner
def book_takes_whole(exchange: Exchange, levels: Any, a: int, row: int) -> bool:
    """Return whether a book offers all of an order within its limit, and the account can pay the worst of it."""
    order = exchange.orders[row]
    buys = order[orders.SIDE] > 0
    left = order[orders.QUANTITY] - order[orders.FILLED]
    for level in range(levels.shape[0]):
        price = levels[level, LEVEL_ASK if buys else LEVEL_BID]
        if price <= 0 or is_beyond_limit(order, price):
            return False
        left -= levels[level, LEVEL_ASK_LOTS if buys else LEVEL_BID_LOTS]
        if left <= 0:
            whole = order[orders.QUANTITY] - order[orders.FILLED]
            return order[orders.REDUCE_ONLY] == 1 or is_affordable(exchange, a, row, whole, price, False)
    return False


@inner
def drop_ended(exchange: Exchange, a: int, symbol: int) -> None:
    """Drop ended orders from the working list and set the symbol's alerts anew."""
    alerts = exchange.alerts[a]
    alerts[positions.ORDER_LOW, symbol] = positions.NO_LOW
    alerts[positions.ORDER_HIGH, symbol] = positions.NO_HIGH
    kept = 0
    for k in range(exchange.accounts[a, account.WORKING_COUNT]):
        row = exchange.working[a, k]
        if exchange.orders[row, orders.STATUS] == orders.WORKING:
            exchange.working[a, kept] = row
            kept += 1
            if exchange.orders[row, orders.SYMBOL] == symbol:
                orders.alert(alerts, exchange.orders[row], exchange.has_mark)
    exchange.accounts[a, account.WORKING_COUNT] = kept
