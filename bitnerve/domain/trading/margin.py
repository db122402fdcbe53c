"""How much collateral must positions and orders hold, and how much is left?

Sources: Bybit V5 "Initial margin" (notional ÷ leverage); Binance USD-M leverage brackets (rate and deduction of the
tier of the notional).
"""

from __future__ import annotations

from typing import Any

from bitnerve.domain.arithmetic import (
    DOWN,
    UP,
    checked_add,
    mul_div,
    wide_add,
    wide_divide,
    wide_negate,
    wide_product,
    wide_scale,
)
from bitnerve.domain.kernel import inner, kernel
from bitnerve.domain.market import instrument
from bitnerve.domain.market.instrument import Instruments
from bitnerve.domain.trading import account, orders, positions
from bitnerve.domain.trading.account import Exchange
from bitnerve.domain.trading.bands import FILTER_SLACK, room_within_bands
from bitnerve.domain.trading.fees import notional
from bitnerve.domain.units import SCALE, fee_units

FINE = SCALE * SCALE
"""Parts of a money unit in which maintenance is a whole number, so that the liquidation test needs no rounding."""


@inner
def unrealized(instruments: Instruments, symbol: int, position: Any, price: int) -> int:
    """Return ⌊quantity × price⌋ − cost basis."""
    value = notional(instruments, symbol, position[positions.QUANTITY], price, DOWN)
    return checked_add(value, -position[positions.COST])


@kernel
def initial_margin(instruments: Instruments, symbol: int, lots: int, price: int, leverage: int) -> int:
    """Return notional ÷ leverage, up: a venue never forgives the last unit."""
    return mul_div(
        abs(lots) * instruments.table[symbol, instrument.LOT_NUMERATOR],
        price,
        instruments.table[symbol, instrument.LOT_DENOMINATOR] * leverage,
        UP,
    )


@kernel
def tier_of(instruments: Instruments, symbol: int, notional_up: int) -> int:
    """Return the tier of a notional (rounded up, so that the inclusive bound compares exactly); never of a margin."""
    last = instruments.table[symbol, instrument.TIER_COUNT] - 1
    tier = 0
    while tier < last and notional_up > instruments.tiers[symbol, tier, instrument.NOTIONAL_UNTIL]:
        tier += 1
    return tier


@kernel
def maintenance_fine(instruments: Instruments, symbol: int, lots: int, price: int) -> Any:
    """Return the unrounded maintenance margin as a wide number of FINE parts."""
    held = abs(lots) * instruments.table[symbol, instrument.LOT_NUMERATOR]
    parts = SCALE // instruments.table[symbol, instrument.LOT_DENOMINATOR]
    tier = tier_of(instruments, symbol, notional(instruments, symbol, abs(lots), price, UP))
    charged = wide_scale(
        wide_product(held, price), instruments.tiers[symbol, tier, instrument.MAINTENANCE_RATE] * parts
    )
    return wide_add(charged, wide_product(-instruments.tiers[symbol, tier, instrument.DEDUCTION], FINE))


@kernel
def maintenance_margin(instruments: Instruments, symbol: int, lots: int, price: int) -> int:
    """Return notional × rate − deduction of the notional's tier, in money units, up."""
    return max(0, wide_divide(maintenance_fine(instruments, symbol, lots, price), FINE, UP))


@inner
def pnl_fine(instruments: Instruments, symbol: int, position: Any, price: int) -> Any:
    """Return the unrounded PnL of a position as a wide number of FINE parts."""
    held = position[positions.QUANTITY] * instruments.table[symbol, instrument.LOT_NUMERATOR]
    parts = SCALE // instruments.table[symbol, instrument.LOT_DENOMINATOR]
    value = wide_scale(wide_product(held, price), parts * SCALE)
    return wide_add(value, wide_product(-position[positions.COST], FINE))


@inner
def buffer_fine(instruments: Instruments, symbol: int, position: Any, price: int) -> Any:
    """Return PnL − maintenance of a position, nothing rounded, as a wide number of FINE parts."""
    maintenance = maintenance_fine(instruments, symbol, position[positions.QUANTITY], price)
    return wide_add(pnl_fine(instruments, symbol, position, price), wide_negate(maintenance))


@inner
def cross_fine(exchange: Exchange, a: int, prices: Any) -> Any:
    """Return the cross balance minus the maintenance of the cross positions, nothing rounded, in FINE parts."""
    total = wide_product(checked_add(exchange.accounts[a, account.CASH], -exchange.accounts[a, account.LOCKED]), FINE)
    for symbol in range(exchange.positions.shape[1]):
        position = exchange.positions[a, symbol]
        if position[positions.QUANTITY] != 0 and position[positions.ISOLATED] == 0:
            total = wide_add(total, buffer_fine(exchange.instruments, symbol, position, prices[symbol]))
    return total


@inner
def isolated_fine(exchange: Exchange, a: int, symbol: int, price: int) -> Any:
    """Return the balance minus the maintenance of one isolated position, nothing rounded, in FINE parts."""
    position = exchange.positions[a, symbol]
    margin = wide_product(position[positions.MARGIN], FINE)
    return wide_add(margin, buffer_fine(exchange.instruments, symbol, position, price))


@inner
def cross_balance_down(exchange: Exchange, a: int, prices: Any) -> int:
    """Return the unrounded cross balance, rounded once, down, in money units."""
    total = wide_product(checked_add(exchange.accounts[a, account.CASH], -exchange.accounts[a, account.LOCKED]), FINE)
    for symbol in range(exchange.positions.shape[1]):
        position = exchange.positions[a, symbol]
        if position[positions.QUANTITY] != 0 and position[positions.ISOLATED] == 0:
            total = wide_add(total, pnl_fine(exchange.instruments, symbol, position, prices[symbol]))
    return wide_divide(total, FINE, DOWN)


@inner
def cross_balance(exchange: Exchange, a: int, prices: Any) -> int:
    """Return cash − isolated margins + PnL of the cross positions, in money units."""
    total = checked_add(exchange.accounts[a, account.CASH], -exchange.accounts[a, account.LOCKED])
    for symbol in range(exchange.positions.shape[1]):
        position = exchange.positions[a, symbol]
        if position[positions.QUANTITY] != 0 and position[positions.ISOLATED] == 0:
            total = checked_add(total, unrealized(exchange.instruments, symbol, position, prices[symbol]))
    return total


@inner
def order_price(exchange: Exchange, order: Any) -> int:
    """Return what an order counts at: its limit, else its trigger, else the mark."""
    if order[orders.LIMIT_PRICE] > 0:
        return order[orders.LIMIT_PRICE]
    if order[orders.TRIGGER_PRICE] > 0:
        return order[orders.TRIGGER_PRICE]
    return exchange.prices[account.MARK, order[orders.SYMBOL]]


@inner
def opening_lots(exchange: Exchange, a: int, order: Any) -> int:
    """Return the part of an order that would open a position; call in order of acceptance, `against` reset before.

    What stands against the position reserves nothing, but two orders cannot both close the same lots.
    """
    symbol = order[orders.SYMBOL]
    remaining = order[orders.QUANTITY] - order[orders.FILLED]
    side = 0 if order[orders.SIDE] > 0 else 1
    held = exchange.positions[a, symbol, positions.QUANTITY]
    closable = max(0, -held if side == 0 else held)
    claimed = exchange.prices[account.AGAINST + side, symbol]
    closing = min(remaining, max(0, closable - claimed))
    exchange.prices[account.AGAINST + side, symbol] = claimed + closing
    return remaining - closing


@inner
def first_opening(exchange: Exchange, a: int) -> int:
    """Return the place in the working list from which on all the account's opening orders stand.

    They are looked for from the newest back and counted: most accounts have many stops and few entries, all new.
    """
    left = exchange.accounts[a, account.OPENING_COUNT]
    k = exchange.accounts[a, account.WORKING_COUNT]
    while left > 0:
        k -= 1
        order = exchange.orders[exchange.working[a, k]]
        if order[orders.REDUCE_ONLY] == 0 and order[orders.STATUS] == orders.WORKING:
            left -= 1
    return k


@inner
def forget_claims(exchange: Exchange, a: int, first: int) -> None:
    """Reset the closing quantities that `opening_lots` keeps, for the symbols of the orders from place `first` on."""
    for k in range(first, exchange.accounts[a, account.WORKING_COUNT]):
        symbol = exchange.orders[exchange.working[a, k], orders.SYMBOL]
        exchange.prices[account.AGAINST + 0, symbol] = 0
        exchange.prices[account.AGAINST + 1, symbol] = 0


@inner
def reserved(exchange: Exchange, a: int, excluded: int) -> int:
    """Return the margin and fees that resting orders reserve, without the order in row `excluded`."""
    instruments = exchange.instruments
    first = first_opening(exchange, a)
    forget_claims(exchange, a, first)
    total = 0
    for k in range(first, exchange.accounts[a, account.WORKING_COUNT]):
        row = exchange.working[a, k]
        order = exchange.orders[row]
        if row == excluded or order[orders.REDUCE_ONLY] == 1 or order[orders.STATUS] != orders.WORKING:
            continue
        lots = opening_lots(exchange, a, order)
        if lots > 0:
            symbol = order[orders.SYMBOL]
            price = order_price(exchange, order)
            leverage = exchange.positions[a, symbol, positions.LEVERAGE]
            fee = fee_units(
                notional(instruments, symbol, lots, price, UP), instruments.table[symbol, instrument.TAKER_FEE_RATE]
            )
            total = checked_add(total, initial_margin(instruments, symbol, lots, price, leverage))
            total = checked_add(total, max(0, fee))
    return total


@kernel
def available(exchange: Exchange, a: int, excluded: int) -> int:
    """Return what may still be locked: cross balance − initial margins − reservations, at the marks.

    `excluded` is the row of an order whose own reservation is left out, or -1.
    """
    total = cross_balance(exchange, a, exchange.prices[account.MARK])
    for symbol in range(exchange.positions.shape[1]):
        position = exchange.positions[a, symbol]
        if position[positions.QUANTITY] != 0 and position[positions.ISOLATED] == 0:
            locked = initial_margin(
                exchange.instruments,
                symbol,
                position[positions.QUANTITY],
                exchange.prices[account.MARK, symbol],
                position[positions.LEVERAGE],
            )
            total = checked_add(total, -locked)
    return checked_add(total, -reserved(exchange, a, excluded))


@inner
def is_plainly_available(exchange: Exchange, a: int, excluded: int, symbol: int) -> bool:
    """Return True only when `available` is above zero by far: filters in floats that decide most cases quickly.

    `symbol` is the position that may have changed since its band was set. After a no the exact sum decides.
    """
    needed = reserved_bound(exchange, a, excluded)
    return room_within_bands(exchange, a, symbol) > needed or room_at_marks(exchange, a) > needed


@inner
def reserved_bound(exchange: Exchange, a: int, excluded: int) -> float:
    """Return more than resting orders reserve, each taken as if nothing stood against a position."""
    table = exchange.instruments.table
    total = 2.0
    for k in range(first_opening(exchange, a), exchange.accounts[a, account.WORKING_COUNT]):
        row = exchange.working[a, k]
        order = exchange.orders[row]
        if order[orders.REDUCE_ONLY] == 1 or row == excluded or order[orders.STATUS] != orders.WORKING:
            continue
        symbol = order[orders.SYMBOL]
        value = float((order[orders.QUANTITY] - order[orders.FILLED]) * table[symbol, instrument.LOT_NUMERATOR])
        value *= float(order_price(exchange, order)) / float(table[symbol, instrument.LOT_DENOMINATOR])
        share = 1.0 / float(exchange.positions[a, symbol, positions.LEVERAGE])
        share += float(max(0, table[symbol, instrument.TAKER_FEE_RATE])) / SCALE + FILTER_SLACK
        total += value * share + 2.0
    return total


@inner
def room_at_marks(exchange: Exchange, a: int) -> float:
    """Return less than what is left to be locked beside the cross positions at the marks."""
    table = exchange.instruments.table
    room = float(exchange.accounts[a, account.CASH] - exchange.accounts[a, account.LOCKED])
    gross = abs(room)
    for symbol in range(exchange.positions.shape[1]):
        position = exchange.positions[a, symbol]
        if position[positions.QUANTITY] == 0 or position[positions.ISOLATED] == 1:
            continue
        value = float(position[positions.QUANTITY] * table[symbol, instrument.LOT_NUMERATOR])
        value *= float(exchange.prices[account.MARK, symbol]) / float(table[symbol, instrument.LOT_DENOMINATOR])
        cost = float(position[positions.COST])
        room += value - cost - abs(value) / float(position[positions.LEVERAGE])
        gross += 2.0 * abs(value) + abs(cost)
    return room - gross * FILTER_SLACK - 16.0 - 2.0 * exchange.positions.shape[1]


@inner
def exposure(exchange: Exchange, a: int, symbol: int) -> int:
    """Return |position| at mark + the resting opening orders of a symbol, in money units: what its tier is taken of."""
    exchange.prices[account.AGAINST, symbol] = 0
    exchange.prices[account.AGAINST + 1, symbol] = 0
    held = abs(exchange.positions[a, symbol, positions.QUANTITY])
    total = notional(exchange.instruments, symbol, held, exchange.prices[account.MARK, symbol], UP)
    for k in range(first_opening(exchange, a), exchange.accounts[a, account.WORKING_COUNT]):
        order = exchange.orders[exchange.working[a, k]]
        if order[orders.SYMBOL] == symbol and order[orders.REDUCE_ONLY] == 0 and order[orders.STATUS] == orders.WORKING:
            lots = opening_lots(exchange, a, order)
            price = order_price(exchange, order)
            total = checked_add(total, notional(exchange.instruments, symbol, lots, price, UP))
    return total
