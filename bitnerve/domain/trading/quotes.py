"""What happens to one account when a quote or a book arrives between ticks?

There is no path between two quotes: prices jump. A quote plays like the open of a bar, with a touch for each side
instead of one price, and the quoted size, or the book level by level, instead of a bar's volume. What one account has
taken of the quoted sizes, it finds there no more: neither its next order nor its liquidation fills against it again.
"""

from __future__ import annotations

from typing import Any

from bitnerve.domain.arithmetic import checked_add
from bitnerve.domain.kernel import INT64_MAX, inner, kernel
from bitnerve.domain.trading import account, orders, positions
from bitnerve.domain.trading.account import Exchange
from bitnerve.domain.trading.fills import end_order, put_on_list
from bitnerve.domain.trading.liquidation import (
    CROSS,
    cancel_orders,
    close_at,
    has_unit,
    is_breached,
    largest_position,
)
from bitnerve.domain.trading.matching import (
    claim,
    deal,
    execute,
    expire_if_spent,
    fitting_lots,
    is_exempt,
)
from bitnerve.domain.trading.offers import (
    ASK,
    ASK_LOTS,
    BID,
    BID_LOTS,
    LEVEL_ASK,
    LEVEL_ASK_LOTS,
    LEVEL_BID,
    LEVEL_BID_LOTS,
    MARK,
    TAKEN,
    closing_price,
    depth_of,
    depth_of_side,
    has_book,
    is_beyond_limit,
    is_offered,
    last_level,
    note_taken,
    room_through,
    taken_price,
)


@kernel
def play_quote(exchange: Exchange, touch: Any, books: Any, a: int, symbol: int, step: int, at: int) -> None:
    """Let an account meet the quote of a symbol that has just been written into `touch`, and its book into `books`.

    `step` numbers the quotes of a season upward; `at` is the quote's time. Orders of the symbol take their turn, the
    whole account is tested for liquidation.
    """
    stand_at_quotes(exchange, touch, a)
    # Nothing is capped here, but what is counted against a bar's cap must not add up for ever.
    exchange.positions[a, symbol, positions.CAP_USED] = 0
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
                meet(exchange, touch, books, a, row, step, at)
    for unit in range(CROSS, exchange.positions.shape[1]):
        if has_unit(exchange, a, unit) and is_breached(exchange, a, unit, exchange.prices[account.MARK]):
            liquidate_at_quotes(exchange, touch, books, a, unit, step, at)
    for k in range(1, resting + 1):
        row = exchange.agenda[k]
        if exchange.orders[row, orders.REDUCE_ONLY] == 0 and turn_stage(exchange, touch, row, step) >= 0:
            meet(exchange, touch, books, a, row, step, at)
    for stage in range(2):
        for k in range(resting + 1, exchange.agenda[0] + 1):
            row = exchange.agenda[k]
            if turn_stage(exchange, touch, row, step) == stage:
                meet(exchange, touch, books, a, row, step, at)
    drop_ended(exchange, a, symbol)


@inner
def stand_at_quotes(exchange: Exchange, touch: Any, a: int) -> None:
    """Set marks, for each position the touch at which it could be closed, and nothing as taken yet."""
    for symbol in range(touch.shape[1]):
        buys = exchange.positions[a, symbol, positions.QUANTITY] < 0
        exchange.prices[account.LIVE, symbol] = 1 if is_offered(touch, symbol, buys) else 0
        exchange.prices[account.LAST, symbol] = touch[ASK if buys else BID, symbol]
        exchange.prices[account.MARK, symbol] = touch[MARK, symbol]
        exchange.prices[TAKEN, symbol] = 0
        exchange.prices[TAKEN + 1, symbol] = 0


@inner
def turn_stage(exchange: Exchange, touch: Any, row: int, step: int) -> int:
    """Return when an order has its turn at a quote: 0 for a reached stop, 1 for a reached target, 2 for others, or -1.

    A trigger by last price looks at the touch that the order would take, the less favorable of the two.
    """
    order = exchange.orders[row]
    if order[orders.STATUS] != orders.WORKING or order[orders.TRIED_IN] == step:
        return -1
    if not is_offered(touch, order[orders.SYMBOL], order[orders.SIDE] > 0):
        return -1
    kind = order[orders.TYPE]
    if not orders.is_trigger(kind) or order[orders.TRIGGERED] == 1:
        return 2
    by_mark = order[orders.TRIGGER_BY] == orders.MARK
    looked_at = touch[MARK, order[orders.SYMBOL]] if by_mark else taken_price(touch, order)
    falling = orders.fires_falling(kind, order[orders.SIDE])
    if not orders.is_reached(looked_at, order[orders.TRIGGER_PRICE], falling):
        return -1
    return 1 if kind == orders.TAKE_PROFIT_MARKET else 0


@inner
def meet(exchange: Exchange, touch: Any, books: Any, a: int, row: int, step: int, at: int) -> None:
    """Let an order take its turn at a quote."""
    order = exchange.orders[row]
    if orders.is_trigger(order[orders.TYPE]):
        order[orders.TRIGGERED] = 1
    if order[orders.TYPE] != orders.LIMIT:
        take(exchange, touch, books, a, row, step, at)
        return
    first = order[orders.TRIED_IN] < 0
    order[orders.TRIED_IN] = step
    price = taken_price(touch, order)
    limit = order[orders.LIMIT_PRICE]
    through = price < limit if order[orders.SIDE] > 0 else price > limit
    post_only = order[orders.TIME_IN_FORCE] == orders.POST_ONLY
    if through and (post_only or not first):
        # What rests is filled at its limit, and by no more than what came through it.
        room = room_through(exchange, touch, books, row)
        fill_at_touch(exchange, a, row, limit, True, room, 0, step, at)
    elif first and not post_only and (through or price == limit):
        take(exchange, touch, books, a, row, step, at)
    elif order[orders.TIME_IN_FORCE] == orders.FOK:
        end_order(exchange, row, orders.REJECTED, orders.FOK_UNFILLED, at)
    elif order[orders.TIME_IN_FORCE] == orders.IOC:
        expire_if_spent(exchange, row, at)


@inner
def fill_at_touch(
    exchange: Exchange, a: int, row: int, base: int, maker: bool, room: int, depth: int, step: int, at: int
) -> None:
    """Give an order its one slice at a price, and note it as taken."""
    order = exchange.orders[row]
    before = order[orders.FILLED]
    execute(exchange, a, row, base, maker, room, depth, 0, False, step, at)
    note_taken(exchange, order[orders.SYMBOL], order[orders.SIDE] > 0, order[orders.FILLED] - before)


@inner
def take(exchange: Exchange, touch: Any, books: Any, a: int, row: int, step: int, at: int) -> None:
    """Fill an order against the book level by level, or at the touch with impact where there is no book."""
    order = exchange.orders[row]
    symbol = order[orders.SYMBOL]
    buys = order[orders.SIDE] > 0
    if has_book(books, symbol):
        take_levels(exchange, touch, books, a, row, step, at)
        return
    base = taken_price(touch, order)
    lots = touch[ASK_LOTS if buys else BID_LOTS, symbol]
    room = INT64_MAX
    if order[orders.TYPE] == orders.LIMIT:
        # A limit pays no impact beyond itself, so it gets no more than what is quoted.
        room = max(0, lots - exchange.prices[TAKEN + (1 if buys else 0), symbol])
    fill_at_touch(exchange, a, row, base, False, room, depth_of(exchange, symbol, lots, base), step, at)


@inner
def take_levels(exchange: Exchange, touch: Any, books: Any, a: int, row: int, step: int, at: int) -> None:
    """Give an order its one turn at a book: a fill a level, until it is filled, margin ends, or the book does.

    An order that only protects is exempt from what is offered, as it is from a bar's cap: what the levels do not hold
    fills beyond the last of them.
    """
    order = exchange.orders[row]
    symbol = order[orders.SYMBOL]
    buys = order[orders.SIDE] > 0
    order[orders.TRIED_IN] = step
    left = claim(exchange, a, row, at)
    if order[orders.STATUS] != orders.WORKING:
        return
    exempt = is_exempt(order[orders.TYPE], order[orders.REDUCE_ONLY])
    if order[orders.TIME_IN_FORCE] == orders.FOK and not (exempt or book_takes_whole(exchange, books, a, row, left)):
        end_order(exchange, row, orders.REJECTED, orders.FOK_UNFILLED, at)
        return
    gone = exchange.prices[TAKEN + (1 if buys else 0), symbol]
    filled = 0
    cut = False
    for level in range(books.shape[1]):
        price = books[symbol, level, LEVEL_ASK if buys else LEVEL_BID]
        if left == 0 or cut or price <= 0 or is_beyond_limit(order, price):
            break
        offered = books[symbol, level, LEVEL_ASK_LOTS if buys else LEVEL_BID_LOTS]
        lots = min(left, max(0, offered - gone))
        gone = max(0, gone - offered)
        fitting = fitting_lots(exchange, a, row, lots, price, False, 0, 0)
        cut = fitting < lots
        if fitting > 0:
            deal(exchange, a, row, fitting, price, False, 0, 0, False, step, at)
            note_taken(exchange, symbol, buys, fitting)
        filled += fitting
        left -= fitting
    if exempt and left > 0:
        base = last_level(touch, books, symbol, buys)
        depth = depth_of_side(exchange, touch, books, symbol, buys)
        deal(exchange, a, row, left, base, False, depth, 0, False, step, at)
        note_taken(exchange, symbol, buys, left)
    elif cut and filled == 0:
        end_order(exchange, row, orders.CANCELED, orders.MARGIN, at)
    if order[orders.STATUS] == orders.WORKING:
        expire_if_spent(exchange, row, at)


@inner
def book_takes_whole(exchange: Exchange, books: Any, a: int, row: int, whole: int) -> bool:
    """Return whether a book offers all of an order within its limit, and the account can pay the worst of it."""
    order = exchange.orders[row]
    symbol = order[orders.SYMBOL]
    buys = order[orders.SIDE] > 0
    left = checked_add(whole, exchange.prices[TAKEN + (1 if buys else 0), symbol])
    for level in range(books.shape[1]):
        price = books[symbol, level, LEVEL_ASK if buys else LEVEL_BID]
        if price <= 0 or is_beyond_limit(order, price):
            return False
        left -= books[symbol, level, LEVEL_ASK_LOTS if buys else LEVEL_BID_LOTS]
        if left <= 0:
            return fitting_lots(exchange, a, row, whole, price, False, 0, 0) == whole
    return False


@inner
def liquidate_at_quotes(exchange: Exchange, touch: Any, books: Any, a: int, unit: int, step: int, at: int) -> None:
    """Close positions of a breached unit, the largest maintenance first, until it is in breach no more.

    As on bars, with each position at what its latest quote offers. No order of the unit is left to take after it.
    """
    cancel_orders(exchange, a, unit, at)
    while True:
        symbol = largest_position(exchange, a, unit)
        if symbol < 0:
            return
        lots = exchange.positions[a, symbol, positions.QUANTITY]
        price = closing_price(exchange, touch, books, symbol, abs(lots), lots < 0)
        close_at(exchange, a, symbol, price, step, at)
        if unit != CROSS or exchange.accounts[a, account.CROSS_COUNT] == 0:
            return
        if not is_breached(exchange, a, unit, exchange.prices[account.MARK]):
            return


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
