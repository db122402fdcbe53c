"""When does an account or an isolated position hold too little, and how is it closed?"""

from __future__ import annotations

import math
from typing import Any

from bitnerve.domain.arithmetic import DOWN, UP, checked_add, mul_div, mul_div_down, wide_less, wide_product
from bitnerve.domain.kernel import inner, kernel
from bitnerve.domain.market import instrument
from bitnerve.domain.trading import account, events, orders, positions
from bitnerve.domain.trading.account import Exchange
from bitnerve.domain.trading.bands import FILTER_SLACK, PER_SCALE, bound_tier
from bitnerve.domain.trading.fees import impact_rate, notional, taker_price
from bitnerve.domain.trading.fills import add_order, end_order, fill_order, new_row, settle_margin, transfer
from bitnerve.domain.trading.margin import cross_balance_down, cross_fine, isolated_fine, maintenance_fine
from bitnerve.domain.units import SCALE

ACCOUNTS_AT_ONCE = 128
"""How many accounts `revalue` takes through the symbols together: their positions stay in the cache meanwhile."""
COARSE = 1024.0
"""Money units in which it sums up what an account needs: no sum of those leaves an integer."""
LOOK_CLOSER = 2**61
"""More than any such sum."""
PRODUCT_SAFE = 2.0**51
"""Whole numbers below this divide in floats to the right side of every whole number."""
VALUE_SAFE = 2.0**61
"""A product whose floats stay below this fits into an integer."""

CROSS = -1
"""The margin unit of all cross positions together; an isolated position is its own unit, named by its symbol."""


@inner
def unit_fine(exchange: Exchange, a: int, unit: int, prices: Any) -> Any:
    """Return balance − maintenance of a margin unit, nothing rounded, in FINE parts."""
    if unit == CROSS:
        return cross_fine(exchange, a, prices)
    return isolated_fine(exchange, a, unit, prices[unit])


@inner
def is_breached(exchange: Exchange, a: int, unit: int, prices: Any) -> bool:
    """Return whether a margin unit holds less than its maintenance at these prices."""
    return wide_less(unit_fine(exchange, a, unit, prices), wide_product(0, 0))


@inner
def is_candidate(exchange: Exchange, a: int, symbol: int, isolated: int) -> bool:
    """Return whether a symbol holds a position of this margin mode that trades in this bar."""
    position = exchange.positions[a, symbol]
    return (
        position[positions.QUANTITY] != 0
        and position[positions.ISOLATED] == isolated
        and exchange.prices[account.LIVE, symbol] == 1
    )


@inner
def has_unit(exchange: Exchange, a: int, unit: int) -> bool:
    """Return whether a margin unit holds a position that could be liquidated in this bar."""
    if unit != CROSS:
        return is_candidate(exchange, a, unit, 1)
    for symbol in range(exchange.positions.shape[1]):  # noqa: SIM110 (numba knows no any())
        if is_candidate(exchange, a, symbol, 0):
            return True
    return False


@inner
def largest_position(exchange: Exchange, a: int, unit: int) -> int:
    """Return the symbol of the unit's tradable position with the largest maintenance, or -1 when none trades."""
    if unit != CROSS:
        return unit
    best = -1
    most = wide_product(0, 0)
    for symbol in range(exchange.positions.shape[1]):
        if not is_candidate(exchange, a, symbol, 0):
            continue
        lots = exchange.positions[a, symbol, positions.QUANTITY]
        needed = maintenance_fine(exchange.instruments, symbol, lots, exchange.prices[account.MARK, symbol])
        if best < 0 or wide_less(most, needed):
            best = symbol
            most = needed
    return best


@inner
def cancel_orders(exchange: Exchange, a: int, unit: int, at: int) -> None:
    """Cancel the resting orders of the account, or of an isolated position's symbol."""
    for k in range(exchange.accounts[a, account.WORKING_COUNT]):
        row = exchange.working[a, k]
        order = exchange.orders[row]
        if order[orders.STATUS] == orders.WORKING and (unit == CROSS or order[orders.SYMBOL] == unit):
            end_order(exchange, row, orders.CANCELED, orders.LIQUIDATION_CANCEL, at)


@inner
def close_position(exchange: Exchange, a: int, symbol: int, depth: int, spread_rate: int, bar: int, at: int) -> None:
    """Close a position at the standing price, moved by spread and the impact of the whole of it."""
    quantity = exchange.positions[a, symbol, positions.QUANTITY]
    base = exchange.prices[account.LAST, symbol]
    moved = notional(exchange.instruments, symbol, abs(quantity), base, UP)
    rate = spread_rate + impact_rate(exchange.rules, moved, depth)
    tick = exchange.instruments.table[symbol, instrument.TICK_SIZE]
    close_at(exchange, a, symbol, taker_price(base, -1 if quantity > 0 else 1, rate, tick), bar, at)


@inner
def close_at(exchange: Exchange, a: int, symbol: int, price: int, bar: int, at: int) -> None:
    """Close a position as an order of type LIQUIDATION with one fill, its fee and any shortfall."""
    instruments = exchange.instruments
    position = exchange.positions[a, symbol]
    quantity = position[positions.QUANTITY]
    isolated = position[positions.ISOLATED] == 1
    row = new_row(exchange)
    order = exchange.orders[row]
    order[orders.SYMBOL] = symbol
    order[orders.SIDE] = -1 if quantity > 0 else 1
    order[orders.TYPE] = orders.LIQUIDATION
    order[orders.REDUCE_ONLY] = 1
    order[orders.QUANTITY] = abs(quantity)
    order[orders.ISOLATED] = position[positions.ISOLATED]
    order[orders.PARENT] = -1
    order[orders.REASON] = orders.LIQUIDATED
    add_order(exchange, a, row, at)
    base = exchange.prices[account.LAST, symbol]
    number = fill_order(exchange, a, row, abs(quantity), price, base, False, True, bar, at)
    balance = position[positions.MARGIN]
    if not isolated:
        balance = cross_balance_down(exchange, a, exchange.prices[account.MARK])
    charge = mul_div(
        notional(instruments, symbol, abs(quantity), price, DOWN), exchange.rules.liquidation_fee_rate, SCALE, UP
    )
    fee = min(charge, max(0, balance))
    if fee > 0:
        transfer(exchange, a, events.LIQUIDATION_FEE, number, -fee, at)
        if isolated:
            position[positions.MARGIN] -= fee
            exchange.accounts[a, account.LOCKED] -= fee
    settle_margin(exchange, a, symbol, number, at)


@inner
def liquidate(exchange: Exchange, a: int, unit: int, depths: Any, spread_rate: int, bar: int, at: int) -> None:
    """Close positions of a breached unit, the largest maintenance first, until it is in breach no more.

    Prices stand still meanwhile. `depths` is the money traded per symbol, which carries the impact.
    """
    cancel_orders(exchange, a, unit, at)
    while True:
        symbol = largest_position(exchange, a, unit)
        if symbol < 0:
            # Everything left stands still in this bar: there is nobody to trade with.
            return
        close_position(exchange, a, symbol, depths[symbol], spread_rate, bar, at)
        if unit != CROSS or exchange.accounts[a, account.CROSS_COUNT] == 0:
            return
        if not is_breached(exchange, a, unit, exchange.prices[account.MARK]):
            return


@inner
def liquidate_breached(exchange: Exchange, a: int, depths: Any, spread_rate: int, bar: int, at: int) -> None:
    """Test every margin unit at the standing prices and liquidate those in breach: cross first, then by symbol."""
    for unit in range(CROSS, exchange.positions.shape[1]):
        if has_unit(exchange, a, unit) and is_breached(exchange, a, unit, exchange.prices[account.MARK]):
            liquidate(exchange, a, unit, depths, spread_rate, bar, at)


@kernel
def revalue(exchange: Exchange, first: int, until: int, marks: Any, equity: Any, breached: Any) -> None:
    """Write the equity, in money units, of accounts [first, until) at `marks` [symbol], and who is in breach.

    The pulse between ticks: exact, and nothing but two results per account. Ranges of accounts may be given to
    several threads at once. Symbol by symbol over a few accounts at a time, so that what is the same for all of them
    is worked out once and their positions stay in the cache. Meanwhile `breached` holds what an account needs.
    """
    for start in range(first, until, ACCOUNTS_AT_ONCE):
        end = min(start + ACCOUNTS_AT_ONCE, until)
        for a in range(start, end):
            equity[a] = exchange.accounts[a, account.CASH]
            breached[a] = 0
        for symbol in range(exchange.positions.shape[1]):
            revalue_symbol(exchange, start, end, symbol, marks[symbol], equity, breached)
        for a in range(start, end):
            # Integers of money are exact in floats up to 2^53; beyond, the slack covers their rounding.
            total = float(equity[a])
            needed = float(breached[a]) * COARSE
            close_call = total <= needed + (abs(needed) + abs(total)) * FILTER_SLACK
            breached[a] = 1 if close_call and any_breach(exchange, a, marks) else 0


@inner
def revalue_symbol(
    exchange: Exchange, first: int, until: int, symbol: int, mark: int, equity: Any, needed: Any
) -> None:
    """Add what positions in one symbol earn to `equity`, and more than what they must leave to `needed` (COARSE)."""
    table = exchange.instruments.table
    numerator = table[symbol, instrument.LOT_NUMERATOR]
    denominator = table[symbol, instrument.LOT_DENOMINATOR]
    most = 0
    for a in range(first, until):
        most = max(most, abs(exchange.positions[a, symbol, positions.QUANTITY]))
    if most == 0:
        return
    lot_value = mul_div_down(numerator, mark, denominator)
    # Of the fraction of a unit that a lot is worth beyond that; both products wrap alike where they do.
    rest = numerator * mark - lot_value * denominator
    plain = float(most) * float(rest) < PRODUCT_SAFE and float(most) * (float(lot_value) + 1.0) < VALUE_SAFE
    tiers = exchange.instruments.tiers[symbol]
    largest = float(most) * (float(lot_value) + 1.0) + 1.0
    top = bound_tier(exchange, symbol, largest)
    for a in range(first, until):
        position = exchange.positions[a, symbol]
        quantity = position[positions.QUANTITY]
        if quantity == 0:
            continue
        if plain:
            # A quotient of whole numbers below 2^51 lies farther from the next whole number than its float does.
            value = quantity * lot_value + math.floor(float(quantity * rest) / float(denominator))
        else:
            value = mul_div_down(quantity * numerator, mark, denominator)
        gain = value - position[positions.COST]
        equity[a] = checked_add(equity[a], gain)
        size = abs(float(value)) + 1.0
        rate = tiers[0, instrument.MAINTENANCE_RATE]
        for tier in range(1, top + 1):
            reached = size * (1.0 + FILTER_SLACK) >= float(tiers[tier - 1, instrument.NOTIONAL_UNTIL])
            rate = tiers[tier, instrument.MAINTENANCE_RATE] if reached else rate
        bound = size * float(rate) * PER_SCALE + 16.0
        if position[positions.ISOLATED] == 1:
            # What an isolated position is worth covers nobody else.
            worth = float(position[positions.MARGIN] + gain)
            if worth <= bound * (1.0 + FILTER_SLACK):
                needed[a] = max(needed[a], LOOK_CLOSER)
            bound = worth
        needed[a] += int(bound / COARSE) + 1


@inner
def any_breach(exchange: Exchange, a: int, marks: Any) -> bool:
    """Return whether a margin unit of the account that holds something is in breach at these marks; exact."""
    for unit in range(CROSS, exchange.positions.shape[1]):
        if unit == CROSS:
            holds = exchange.accounts[a, account.CROSS_COUNT] > 0
        else:
            position = exchange.positions[a, unit]
            holds = position[positions.QUANTITY] != 0 and position[positions.ISOLATED] == 1
        if holds and is_breached(exchange, a, unit, marks):
            return True
    return False
