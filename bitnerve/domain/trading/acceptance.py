"""May this order rest with the venue, and if not, which rule says no, with which numbers?"""

from __future__ import annotations

from typing import Any

from bitnerve.domain.arithmetic import DOWN
from bitnerve.domain.kernel import inner, kernel
from bitnerve.domain.market import instrument
from bitnerve.domain.trading import account, orders, positions
from bitnerve.domain.trading.account import Exchange
from bitnerve.domain.trading.bands import renew_band
from bitnerve.domain.trading.fees import notional
from bitnerve.domain.trading.fills import add_order, end_order, let_work, trailing_level
from bitnerve.domain.trading.margin import available, exposure, is_plainly_available, order_price, tier_of
from bitnerve.domain.trading.matching import closable_lots
from bitnerve.domain.units import MONEY_MAX, PRICE_MAX, SCALE

LOT_LIMIT = 2**61
"""Lots times lot numerator: sums of a position and an order stay in int64."""


@kernel
def accept(exchange: Exchange, a: int, row: int, facts: Any, at: int) -> int:
    """Check the order written in `row`, the next free one, and let it rest; return its refusal code, 0 for none.

    The prices must stand at the instant of acceptance. `facts` receives (asked, allowed) of the rule that refused;
    money in units, prices in units, quantities in lots. A refused order changes nothing but its own row.
    """
    order = exchange.orders[row]
    exchange.cursors[account.ORDER_COUNT] = row + 1
    facts[0] = 0
    facts[1] = 0
    code = check_form(exchange, order, facts)
    if code == orders.NONE:
        code = check_market(exchange, a, order, facts)
    add_order(exchange, a, row, at)
    if code == orders.NONE and order[orders.REDUCE_ONLY] == 0:
        code = check_margin(exchange, a, row, facts)
    if code != orders.NONE:
        end_order(exchange, row, orders.REJECTED, code, at)
        exchange.accounts[a, account.WORKING_COUNT] -= 1
    return code


@kernel
def resume_orders(exchange: Exchange) -> None:
    """Let every order of the log that still works rest with the venue again, in the order of the log."""
    for row in range(exchange.cursors[account.ORDER_COUNT]):
        if exchange.orders[row, orders.STATUS] == orders.WORKING:
            let_work(exchange, exchange.orders[row, orders.ACCOUNT], row)


@kernel
def cancel_order(exchange: Exchange, a: int, row: int, at: int) -> bool:
    """Cancel an order on request and return whether it still worked."""
    order = exchange.orders[row]
    if order[orders.ACCOUNT] != a or order[orders.STATUS] != orders.WORKING:
        return False
    end_order(exchange, row, orders.CANCELED, orders.BY_REQUEST, at)
    return True


@kernel
def is_off_tick(price: int, tick: int) -> bool:
    """Return whether a price, where one is given, lies off the tick grid or out of range."""
    return price != 0 and (price < 0 or price > PRICE_MAX or price % tick != 0)


@inner
def check_form(exchange: Exchange, order: Any, facts: Any) -> int:
    """Check what needs no account: price known, quantity, tick grid, minimum notional."""
    instruments = exchange.instruments
    symbol = order[orders.SYMBOL]
    last = exchange.prices[account.LAST, symbol]
    tick = instruments.table[symbol, instrument.TICK_SIZE]
    mark = exchange.prices[account.MARK, symbol]
    if last <= 0 or mark <= 0:
        return orders.NO_PRICE
    kind = order[orders.TYPE]
    facts[1] = SCALE
    for rate in (order[orders.CALLBACK_RATE], order[orders.TRAILING_RATE]):
        facts[0] = rate
        if not 0 <= rate < SCALE:
            return orders.BAD_PROTECTION
    if kind == orders.TRAILING_STOP:
        # It starts from the mark and is then a stop like any other.
        order[orders.TRIGGER_PRICE] = trailing_level(
            exchange, symbol, order[orders.SIDE], mark, order[orders.CALLBACK_RATE]
        )
    reducing = order[orders.REDUCE_ONLY] == 1
    facts[0] = order[orders.QUANTITY]
    facts[1] = instruments.table[symbol, instrument.MIN_QUANTITY]
    if order[orders.CLOSE_POSITION] == 0 and (
        order[orders.QUANTITY] <= 0 or (not reducing and order[orders.QUANTITY] < facts[1])
    ):
        return orders.BAD_QUANTITY
    facts[1] = LOT_LIMIT // instruments.table[symbol, instrument.LOT_NUMERATOR]
    if order[orders.QUANTITY] > facts[1]:
        return orders.TOO_LARGE
    facts[1] = tick
    for price in (
        order[orders.LIMIT_PRICE],
        order[orders.TRIGGER_PRICE],
        order[orders.STOP_LOSS],
        order[orders.TAKE_PROFIT],
    ):
        facts[0] = price
        if is_off_tick(price, tick):
            return orders.OFF_TICK
    if kind == orders.LIMIT and order[orders.LIMIT_PRICE] == 0:
        return orders.OFF_TICK
    if orders.is_trigger(kind) and order[orders.TRIGGER_PRICE] == 0:
        return orders.OFF_TICK
    price = order[orders.LIMIT_PRICE] if order[orders.LIMIT_PRICE] > 0 else order[orders.TRIGGER_PRICE]
    price = price if price > 0 else last
    size = float(order[orders.QUANTITY]) * float(instruments.table[symbol, instrument.LOT_NUMERATOR]) * float(price)
    if size / float(instruments.table[symbol, instrument.LOT_DENOMINATOR]) > float(MONEY_MAX):
        facts[0] = order[orders.QUANTITY]
        facts[1] = MONEY_MAX
        return orders.TOO_LARGE
    # Down, because less than the minimum by a fraction is less.
    facts[0] = notional(instruments, symbol, order[orders.QUANTITY], price, DOWN)
    facts[1] = instruments.table[symbol, instrument.MIN_NOTIONAL]
    if not reducing and facts[0] < facts[1]:
        return orders.MIN_NOTIONAL
    return orders.NONE


@inner
def check_market(exchange: Exchange, a: int, order: Any, facts: Any) -> int:
    """Check an order against the account's position and the price of the moment."""
    symbol = order[orders.SYMBOL]
    position = exchange.positions[a, symbol]
    last = exchange.prices[account.LAST, symbol]
    if order[orders.REDUCE_ONLY] == 1:
        facts[0] = order[orders.QUANTITY]
        facts[1] = closable_lots(exchange, a, symbol, order[orders.SIDE])
        if facts[1] == 0:
            return orders.NOT_REDUCING
        order[orders.ISOLATED] = position[positions.ISOLATED]
        if order[orders.CLOSE_POSITION] == 1:
            order[orders.QUANTITY] = facts[1]
    facts[0] = order[orders.ISOLATED]
    facts[1] = position[positions.ISOLATED]
    if facts[0] != facts[1] and (position[positions.QUANTITY] != 0 or has_orders(exchange, a, symbol)):
        return orders.MARGIN_MODE
    kind = order[orders.TYPE]
    facts[0] = order[orders.TRIGGER_PRICE]
    facts[1] = exchange.prices[account.MARK, symbol] if order[orders.TRIGGER_BY] == orders.MARK else last
    if orders.is_trigger(kind):
        falling = orders.fires_falling(kind, order[orders.SIDE])
        if orders.is_reached(facts[1], facts[0], falling):
            return orders.WOULD_TRIGGER
    facts[0] = order[orders.LIMIT_PRICE]
    facts[1] = last
    takes = last <= facts[0] if order[orders.SIDE] > 0 else last >= facts[0]
    if kind == orders.LIMIT and order[orders.TIME_IN_FORCE] == orders.POST_ONLY and takes:
        return orders.POST_ONLY_WOULD_TAKE
    return check_protection(exchange, order, facts)


@inner
def has_orders(exchange: Exchange, a: int, symbol: int) -> bool:
    """Return whether any order of a symbol works."""
    for k in range(exchange.accounts[a, account.WORKING_COUNT]):
        order = exchange.orders[exchange.working[a, k]]
        if order[orders.SYMBOL] == symbol and order[orders.STATUS] == orders.WORKING:
            return True
    return False


@inner
def check_protection(exchange: Exchange, order: Any, facts: Any) -> int:
    """Check that an attached stop lies on the losing side of the entry's price, and a target on the winning side."""
    side = order[orders.SIDE]
    price = exchange.prices[account.LAST, order[orders.SYMBOL]]
    if order[orders.LIMIT_PRICE] > 0 or order[orders.TRIGGER_PRICE] > 0:
        price = order_price(exchange, order)
    facts[1] = price
    facts[0] = order[orders.STOP_LOSS]
    if facts[0] > 0 and side * (price - facts[0]) <= 0:
        return orders.BAD_PROTECTION
    facts[0] = order[orders.TAKE_PROFIT]
    if facts[0] > 0 and side * (facts[0] - price) <= 0:
        return orders.BAD_PROTECTION
    return orders.NONE


@inner
def check_margin(exchange: Exchange, a: int, row: int, facts: Any) -> int:
    """Check tier and margin with the order in place, and change leverage and margin mode along with it, or neither."""
    instruments = exchange.instruments
    order = exchange.orders[row]
    symbol = order[orders.SYMBOL]
    position = exchange.positions[a, symbol]
    old_leverage = position[positions.LEVERAGE]
    old_mode = position[positions.ISOLATED]
    leverage = order[orders.LEVERAGE] if order[orders.LEVERAGE] > 0 else old_leverage
    size = exposure(exchange, a, symbol)
    tier = tier_of(instruments, symbol, size)
    facts[0] = leverage
    facts[1] = instruments.tiers[symbol, tier, instrument.LEVERAGE_MAX_OF_TIER]
    # Above the bound of the last tier no leverage is allowed at all.
    if leverage > facts[1] or size > instruments.tiers[symbol, tier, instrument.NOTIONAL_UNTIL]:
        return orders.MAX_LEVERAGE
    position[positions.LEVERAGE] = leverage
    position[positions.ISOLATED] = order[orders.ISOLATED]
    if is_plainly_available(exchange, a, -1, symbol):
        settle_leverage(exchange, a, symbol, old_leverage)
        return orders.NONE
    code = orders.NONE
    if leverage != old_leverage and available(exchange, a, row) < 0:
        code = orders.LEVERAGE_MARGIN
    facts[1] = available(exchange, a, row)
    left = available(exchange, a, -1)
    facts[0] = facts[1] - left
    # What opens nothing reserves nothing, and passes however little is available.
    if code == orders.NONE and facts[0] > 0 and left < 0:
        code = orders.MARGIN
    if code != orders.NONE:
        position[positions.LEVERAGE] = old_leverage
        position[positions.ISOLATED] = old_mode
    settle_leverage(exchange, a, symbol, old_leverage)
    return code


@inner
def settle_leverage(exchange: Exchange, a: int, symbol: int, old_leverage: int) -> None:
    """Let the bands know of a leverage that has changed under a position."""
    position = exchange.positions[a, symbol]
    if position[positions.LEVERAGE] != old_leverage and position[positions.QUANTITY] != 0:
        renew_band(exchange, a, symbol)


@kernel
def cancel_orders_of(exchange: Exchange, a: int, symbol: int, at: int) -> None:
    """Cancel every resting order of a symbol, because its owner asked for it."""
    for k in range(exchange.accounts[a, account.WORKING_COUNT]):
        row = exchange.working[a, k]
        order = exchange.orders[row]
        if order[orders.SYMBOL] == symbol and order[orders.STATUS] == orders.WORKING:
            end_order(exchange, row, orders.CANCELED, orders.BY_REQUEST, at)
