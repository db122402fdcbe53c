"""How much of an order fills when its turn comes, and at which price?"""

from __future__ import annotations

from bitnerve.domain.arithmetic import UP, checked_add
from bitnerve.domain.kernel import inner, kernel
from bitnerve.domain.market import instrument
from bitnerve.domain.trading import account, orders, positions
from bitnerve.domain.trading.account import Exchange
from bitnerve.domain.trading.fees import impact_rate, notional, taker_price
from bitnerve.domain.trading.fills import end_order, fill_order, move_position, settle_margin
from bitnerve.domain.trading.margin import available, is_plainly_available


@inner
def slice_price(exchange: Exchange, row: int, lots: int, base: int, maker: bool, depth: int, spread_rate: int) -> int:
    """Return the fill price of a slice: the limit for a maker, else the base moved by spread and impact."""
    order = exchange.orders[row]
    if maker:
        return order[orders.LIMIT_PRICE]
    symbol = order[orders.SYMBOL]
    moved = notional(exchange.instruments, symbol, lots, base, UP)
    rate = spread_rate + (impact_rate(exchange.rules, moved, depth) if depth > 0 else 0)
    price = taker_price(base, order[orders.SIDE], rate, exchange.instruments.table[symbol, instrument.TICK_SIZE])
    if order[orders.TYPE] == orders.LIMIT:
        limit = order[orders.LIMIT_PRICE]
        return min(price, limit) if order[orders.SIDE] > 0 else max(price, limit)
    return price


@inner
def is_affordable(exchange: Exchange, a: int, row: int, lots: int, price: int, maker: bool) -> bool:
    """Return whether the account would have margin left after filling `lots` at `price`.

    The fill is made and taken back: nothing but the books themselves knows all that it would change.
    """
    order = exchange.orders[row]
    symbol = order[orders.SYMBOL]
    position = exchange.positions[a, symbol]
    cash = exchange.accounts[a, account.CASH]
    locked = exchange.accounts[a, account.LOCKED]
    cross = exchange.accounts[a, account.CROSS_COUNT]
    quantity = position[positions.QUANTITY]
    cost = position[positions.COST]
    margin = position[positions.MARGIN]
    _, _, _, missing = move_position(exchange, a, symbol, order[orders.SIDE] * lots, price, maker)
    exchange.accounts[a, account.CASH] = checked_add(exchange.accounts[a, account.CASH], missing)
    enough = is_plainly_available(exchange, a, row, symbol) or available(exchange, a, row) >= 0
    exchange.accounts[a, account.CASH] = cash
    exchange.accounts[a, account.LOCKED] = locked
    exchange.accounts[a, account.CROSS_COUNT] = cross
    position[positions.QUANTITY] = quantity
    position[positions.COST] = cost
    position[positions.MARGIN] = margin
    return enough


@inner
def affordable_lots(
    exchange: Exchange, a: int, row: int, lots: int, closing: int, base: int, maker: bool, depth: int, spread_rate: int
) -> int:
    """Return the largest part of a slice after which margin is left; its closing part is never cut."""
    price = slice_price(exchange, row, lots, base, maker, depth, spread_rate)
    if lots <= closing or is_affordable(exchange, a, row, lots, price, maker):
        return lots
    enough = closing
    too_many = lots
    while too_many - enough > 1:
        middle = (enough + too_many) // 2
        price = slice_price(exchange, row, middle, base, maker, depth, spread_rate)
        if is_affordable(exchange, a, row, middle, price, maker):
            enough = middle
        else:
            too_many = middle
    return enough


@kernel
def is_exempt(kind: int, reduce_only: int) -> bool:
    """Return whether the volume cap does not hold an order back: it only takes risk away."""
    return reduce_only == 1 and orders.is_trigger(kind)


@inner
def closable_lots(exchange: Exchange, a: int, symbol: int, side: int) -> int:
    """Return how much of the position an order of this side would close."""
    held = exchange.positions[a, symbol, positions.QUANTITY]
    return max(0, -held if side > 0 else held)


@inner
def claim(exchange: Exchange, a: int, row: int, at: int) -> int:
    """Return how much of an order may still fill; one that only reduces is cut to the position, and ended by none."""
    order = exchange.orders[row]
    closing = closable_lots(exchange, a, order[orders.SYMBOL], order[orders.SIDE])
    if order[orders.CLOSE_POSITION] == 1:
        order[orders.QUANTITY] = order[orders.FILLED] + closing
    whole = order[orders.QUANTITY] - order[orders.FILLED]
    if order[orders.REDUCE_ONLY] == 1:
        whole = min(whole, closing)
        if whole == 0:
            end_order(exchange, row, orders.CANCELED, orders.POSITION_CLOSED, at)
    return whole


@inner
def fitting_lots(
    exchange: Exchange, a: int, row: int, lots: int, base: int, maker: bool, depth: int, spread_rate: int
) -> int:
    """Return how much of a slice the account's margin allows: all of it where the order only reduces."""
    order = exchange.orders[row]
    if order[orders.REDUCE_ONLY] == 1 or lots <= 0:
        return lots
    closing = closable_lots(exchange, a, order[orders.SYMBOL], order[orders.SIDE])
    return affordable_lots(exchange, a, row, lots, closing, base, maker, depth, spread_rate)


@inner
def deal(
    exchange: Exchange,
    a: int,
    row: int,
    lots: int,
    base: int,
    maker: bool,
    depth: int,
    spread_rate: int,
    inside: bool,
    bar: int,
    at: int,
) -> None:
    """Fill a slice of an order at its price, and settle the margin of its position."""
    order = exchange.orders[row]
    symbol = order[orders.SYMBOL]
    price = slice_price(exchange, row, lots, base, maker, depth, spread_rate)
    if not is_exempt(order[orders.TYPE], order[orders.REDUCE_ONLY]):
        exchange.positions[a, symbol, positions.CAP_USED] += lots
    number = fill_order(exchange, a, row, lots, price, base, maker, inside, bar, at)
    settle_margin(exchange, a, symbol, number, at)


@inner
def execute(
    exchange: Exchange,
    a: int,
    row: int,
    base: int,
    maker: bool,
    room: int,
    depth: int,
    spread_rate: int,
    inside: bool,
    bar: int,
    at: int,
) -> None:
    """Give an order its one slice at this point of the market.

    `room` is what the market offers, in lots; orders that only protect are exempt from it. `depth` (money) carries
    the impact, 0 for none; `maker` fills at the limit. Ends the order when nothing of it can live on.
    """
    order = exchange.orders[row]
    order[orders.TRIED_IN] = bar
    whole = claim(exchange, a, row, at)
    if order[orders.STATUS] != orders.WORKING:
        return
    offered = whole if is_exempt(order[orders.TYPE], order[orders.REDUCE_ONLY]) else min(whole, room)
    lots = fitting_lots(exchange, a, row, offered, base, maker, depth, spread_rate)
    if order[orders.TIME_IN_FORCE] == orders.FOK and lots < whole:
        end_order(exchange, row, orders.REJECTED, orders.FOK_UNFILLED, at)
        return
    if offered > 0 and lots == 0:
        end_order(exchange, row, orders.CANCELED, orders.MARGIN, at)
        return
    if lots > 0:
        deal(exchange, a, row, lots, base, maker, depth, spread_rate, inside, bar, at)
    if order[orders.STATUS] == orders.WORKING:
        expire_if_spent(exchange, row, at)


@inner
def expire_if_spent(exchange: Exchange, row: int, at: int) -> None:
    """Count one attempt of an order that does not rest, and end it after its last."""
    order = exchange.orders[row]
    if order[orders.TIME_IN_FORCE] == orders.IOC:
        end_order(exchange, row, orders.EXPIRED, orders.OUT_OF_TIME, at)
    elif order[orders.TYPE] == orders.MARKET or order[orders.TRIGGERED] == 1:
        order[orders.ATTEMPTS] += 1
        if order[orders.ATTEMPTS] >= exchange.rules.market_order_max_bars:
            end_order(exchange, row, orders.EXPIRED, orders.OUT_OF_TIME, at)
