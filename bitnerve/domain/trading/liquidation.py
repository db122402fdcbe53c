"""When does an account or an isolated position hold too little, and how is it closed?"""

from __future__ import annotations

from typing import Any

from bitnerve.domain.arithmetic import DOWN, UP, checked_add, mul_div, mul_div_down, wide_less, wide_product
from bitnerve.domain.kernel import inner, kernel
from bitnerve.domain.market import instrument
from bitnerve.domain.trading import account, events, orders, positions
from bitnerve.domain.trading.account import Exchange
from bitnerve.domain.trading.bands import FILTER_SLACK, maintenance_bound
from bitnerve.domain.trading.fees import impact_rate, notional, taker_price
from bitnerve.domain.trading.fills import add_order, end_order, fill_order, new_row, settle_margin, transfer
from bitnerve.domain.trading.margin import cross_balance_down, cross_fine, isolated_fine, maintenance_fine
from bitnerve.domain.units import SCALE

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
    """Close a position as an order of type LIQUIDATION at the standing price, with its fee and any shortfall."""
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
    rate = spread_rate + impact_rate(exchange.rules, notional(instruments, symbol, abs(quantity), base, UP), depth)
    price = taker_price(base, order[orders.SIDE], rate, instruments.table[symbol, instrument.TICK_SIZE])
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
    several threads at once.
    """
    table = exchange.instruments.table
    for a in range(first, until):
        total = exchange.accounts[a, account.CASH]
        needed = 0.0
        close_call = False
        for symbol in range(exchange.positions.shape[1]):
            position = exchange.positions[a, symbol]
            quantity = position[positions.QUANTITY]
            if quantity == 0:
                continue
            value = mul_div_down(
                quantity * table[symbol, instrument.LOT_NUMERATOR],
                marks[symbol],
                table[symbol, instrument.LOT_DENOMINATOR],
            )
            gain = value - position[positions.COST]
            total = checked_add(total, gain)
            bound = maintenance_bound(exchange, symbol, abs(float(value)) + 1.0) + 16.0
            if position[positions.ISOLATED] == 1:
                # What an isolated position is worth covers nobody else.
                worth = float(position[positions.MARGIN] + gain)
                close_call = close_call or worth <= bound * (1.0 + FILTER_SLACK)
                needed += worth
            else:
                needed += bound
        equity[a] = total
        breached[a] = 0
        # Integers of money are exact in floats up to 2^53; beyond, the slack covers their rounding.
        if close_call or float(total) <= needed * (1.0 + FILTER_SLACK) + abs(float(total)) * FILTER_SLACK:
            breached[a] = 1 if any_breach(exchange, a, marks) else 0


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
