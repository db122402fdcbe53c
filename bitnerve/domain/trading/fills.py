"""What does a fill change: cash, position, margin, protections and the orders that hang on it?"""

from __future__ import annotations

from typing import Any

from bitnerve.domain.arithmetic import DOWN, UP, checked_add, mul_div
from bitnerve.domain.kernel import inner
from bitnerve.domain.market import instrument
from bitnerve.domain.trading import account, events, orders, positions
from bitnerve.domain.trading.account import Exchange
from bitnerve.domain.trading.bands import forget_safety, renew_band
from bitnerve.domain.trading.fees import notional
from bitnerve.domain.units import SCALE, cost_removed_units, fee_units, protective_stop


@inner
def end_order(exchange: Exchange, row: int, status: int, code: int, at: int) -> None:
    """Give an order its last status; it leaves the list of working orders when its bar is over."""
    order = exchange.orders[row]
    order[orders.STATUS] = status
    if order[orders.REDUCE_ONLY] == 0:
        exchange.accounts[order[orders.ACCOUNT], account.OPENING_COUNT] -= 1
    order[orders.CODE] = code
    order[orders.ENDED_AT] = at


@inner
def add_order(exchange: Exchange, a: int, row: int, at: int) -> None:
    """Number a freshly written order, let it work, and watch for bars that could meet it."""
    order = exchange.orders[row]
    order[orders.ACCOUNT] = a
    order[orders.SEQUENCE] = events.next_sequence(exchange, a, 1)
    order[orders.TICK] = exchange.accounts[a, account.TICK]
    order[orders.ORDINAL] = exchange.accounts[a, account.ORDINAL]
    exchange.accounts[a, account.ORDINAL] += 1
    order[orders.ACCEPTED_AT] = at
    order[orders.ENDED_AT] = -1
    order[orders.TRIED_IN] = -1
    let_work(exchange, a, row)


@inner
def let_work(exchange: Exchange, a: int, row: int) -> None:
    """Append an order to the account's working orders."""
    count = exchange.accounts[a, account.WORKING_COUNT]
    exchange.working[a, count] = row
    exchange.accounts[a, account.WORKING_COUNT] = count + 1
    order = exchange.orders[row]
    if order[orders.REDUCE_ONLY] == 0:
        exchange.accounts[a, account.OPENING_COUNT] += 1
    orders.alert(exchange.alerts[a], order, exchange.has_mark)


@inner
def put_on_list(cells: Any, number: int) -> None:
    """Append a number to a list that keeps its length in its first cell."""
    cells[0] += 1
    cells[cells[0]] = number


@inner
def new_row(exchange: Exchange) -> int:
    row = exchange.cursors[account.ORDER_COUNT]
    exchange.cursors[account.ORDER_COUNT] = row + 1
    return row


@inner
def add_protection(exchange: Exchange, a: int, entry: int, kind: int, lots: int, level: int, bar: int, at: int) -> None:
    """Write one attached stop, target or trailing stop of an entry; `bar` is the first in which it may fire."""
    row = new_row(exchange)
    order = exchange.orders[row]
    parent = exchange.orders[entry]
    order[orders.SYMBOL] = parent[orders.SYMBOL]
    order[orders.SIDE] = -parent[orders.SIDE]
    order[orders.TYPE] = kind
    order[orders.REDUCE_ONLY] = 1
    order[orders.QUANTITY] = lots
    order[orders.TRIGGER_PRICE] = level
    order[orders.TRIGGER_BY] = parent[orders.TRIGGER_BY]
    order[orders.ISOLATED] = parent[orders.ISOLATED]
    order[orders.PARENT] = entry
    order[orders.ALIVE_FROM] = bar
    if kind == orders.STOP_MARKET:
        order[orders.REASON] = orders.STOP
    elif kind == orders.TAKE_PROFIT_MARKET:
        order[orders.REASON] = orders.TAKE
    else:
        order[orders.REASON] = orders.TRAIL
        order[orders.CALLBACK_RATE] = parent[orders.TRAILING_RATE]
    add_order(exchange, a, row, at)
    put_on_list(exchange.agenda, row)


@inner
def trailing_level(exchange: Exchange, symbol: int, side: int, price: int, rate: int) -> int:
    """Return the level of a trailing stop (its side: -1 protects a long) that follows `price` at `rate`."""
    tick = exchange.instruments.table[symbol, instrument.TICK_SIZE]
    if side < 0:
        return protective_stop(mul_div(price, max(0, SCALE - rate), SCALE, UP), tick, True)
    return max(tick, protective_stop(mul_div(price, SCALE + rate, SCALE, DOWN), tick, False))


@inner
def protect(exchange: Exchange, a: int, entry: int, opened: int, price: int, inside: bool, bar: int, at: int) -> None:
    """Attach an entry's protection to what has just filled of it, or enlarge what is attached already."""
    parent = exchange.orders[entry]
    # Inside the bar of its entry the path may have touched the target before: only the stop is alive.
    target_bar = bar + 1 if inside else bar
    attached = False
    for k in range(1, exchange.agenda[0] + 1):
        order = exchange.orders[exchange.agenda[k]]
        if order[orders.PARENT] == entry and order[orders.STATUS] == orders.WORKING:
            attached = True
            order[orders.QUANTITY] += opened
            if order[orders.TYPE] == orders.TAKE_PROFIT_MARKET:
                order[orders.ALIVE_FROM] = target_bar
    # A leg that was canceled stays away while another lives.
    if attached:
        return
    if parent[orders.STOP_LOSS] > 0:
        add_protection(exchange, a, entry, orders.STOP_MARKET, opened, parent[orders.STOP_LOSS], bar, at)
    if parent[orders.TAKE_PROFIT] > 0:
        level = parent[orders.TAKE_PROFIT]
        add_protection(exchange, a, entry, orders.TAKE_PROFIT_MARKET, opened, level, target_bar, at)
    if parent[orders.TRAILING_RATE] > 0:
        level = trailing_level(
            exchange, parent[orders.SYMBOL], -parent[orders.SIDE], price, parent[orders.TRAILING_RATE]
        )
        add_protection(exchange, a, entry, orders.TRAILING_STOP, opened, level, bar, at)


@inner
def cancel_where_flat(exchange: Exchange, a: int, symbol: int, at: int) -> None:
    """Cancel the reduce-only orders of a symbol whose position has gone."""
    for k in range(1, exchange.agenda[0] + 1):
        row = exchange.agenda[k]
        order = exchange.orders[row]
        if order[orders.SYMBOL] == symbol and order[orders.REDUCE_ONLY] == 1 and order[orders.STATUS] == orders.WORKING:
            end_order(exchange, row, orders.CANCELED, orders.POSITION_CLOSED, at)


@inner
def cancel_siblings(exchange: Exchange, a: int, entry: int, at: int) -> None:
    """Cancel the other protections of an entry: one cancels the other."""
    for k in range(1, exchange.agenda[0] + 1):
        row = exchange.agenda[k]
        order = exchange.orders[row]
        if order[orders.PARENT] == entry and order[orders.STATUS] == orders.WORKING:
            end_order(exchange, row, orders.CANCELED, orders.SIBLING_FILLED, at)


@inner
def transfer(exchange: Exchange, a: int, kind: int, fill: int, amount: int, at: int) -> None:
    """Move money between an account and the insurance account, because of a fill."""
    events.write(exchange, kind, a, exchange.events[fill, events.SYMBOL], fill, amount, at)
    exchange.accounts[a, account.CASH] = checked_add(exchange.accounts[a, account.CASH], amount)
    forget_safety(exchange, a)


@inner
def change_locked(exchange: Exchange, a: int, symbol: int, amount: int) -> None:
    """Change the margin of an isolated position, and the account's sum of them."""
    exchange.positions[a, symbol, positions.MARGIN] = checked_add(
        exchange.positions[a, symbol, positions.MARGIN], amount
    )
    exchange.accounts[a, account.LOCKED] = checked_add(exchange.accounts[a, account.LOCKED], amount)


@inner
def settle_margin(exchange: Exchange, a: int, symbol: int, fill: int, at: int) -> None:
    """Free the margin of an isolated position that has closed, and let insurance pay what is missing.

    A cross account is made good once it holds no cross position any more: exactly to zero.
    """
    position = exchange.positions[a, symbol]
    if position[positions.QUANTITY] == 0 and position[positions.MARGIN] != 0:
        missing = -position[positions.MARGIN]
        change_locked(exchange, a, symbol, missing)
        if missing > 0:
            transfer(exchange, a, events.SHORTFALL, fill, missing, at)
    free = checked_add(exchange.accounts[a, account.CASH], -exchange.accounts[a, account.LOCKED])
    if free < 0 and exchange.accounts[a, account.CROSS_COUNT] == 0:
        transfer(exchange, a, events.SHORTFALL, fill, -free, at)


@inner
def move_position(
    exchange: Exchange, a: int, symbol: int, signed_lots: int, price: int, maker: bool
) -> tuple[int, int, int, int]:
    """Apply a fill to cash and position and return (realized PnL, fee, lots opened, what a flip lacked).

    An isolated margin takes the realized PnL and the fee of the closed part, then frees that part's share, then locks
    the initial margin of the opened part less its fee. A flip ends one position and begins another: nothing of the
    old margin stays, and what it lacks is for insurance to pay. A position that only closes keeps its margin until
    `settle_margin`.
    """
    instruments = exchange.instruments
    position = exchange.positions[a, symbol]
    held = position[positions.QUANTITY]
    lot_value = notional(instruments, symbol, 1, price, DOWN)
    quantity, cost, realized, closed = positions.changed(held, position[positions.COST], signed_lots, lot_value)
    opened = abs(signed_lots) - closed
    fee = fill_fee(exchange, symbol, abs(signed_lots), price, maker)
    missing = 0
    exchange.accounts[a, account.CASH] = checked_add(exchange.accounts[a, account.CASH], checked_add(realized, -fee))
    if position[positions.ISOLATED] == 1:
        closing_fee = fill_fee(exchange, symbol, closed, price, maker)
        change_locked(exchange, a, symbol, checked_add(realized, -closing_fee))
        margin = position[positions.MARGIN]
        if 0 < closed < abs(held):
            change_locked(exchange, a, symbol, -cost_removed_units(max(0, margin), closed, abs(held)))
        if opened > 0:
            if closed > 0:
                missing = max(0, -margin)
                change_locked(exchange, a, symbol, -margin)
            locked = -(-mul_div(opened, lot_value, 1, DOWN) // position[positions.LEVERAGE])
            change_locked(exchange, a, symbol, checked_add(locked, closing_fee - fee))
    else:
        exchange.accounts[a, account.CROSS_COUNT] += (1 if quantity != 0 else 0) - (1 if held != 0 else 0)
    position[positions.QUANTITY] = quantity
    position[positions.COST] = cost
    return realized, fee, opened, missing


@inner
def fill_fee(exchange: Exchange, symbol: int, lots: int, price: int, maker: bool) -> int:
    """Return the fee of a fill: a rate of its notional, whichever the leverage."""
    instruments = exchange.instruments
    column = instrument.MAKER_FEE_RATE if maker else instrument.TAKER_FEE_RATE
    return fee_units(notional(instruments, symbol, lots, price, DOWN), instruments.table[symbol, column])


@inner
def fill_order(
    exchange: Exchange, a: int, row: int, lots: int, price: int, base: int, maker: bool, inside: bool, bar: int, at: int
) -> int:
    """Fill `lots` of an order at a price on the tick grid, write the event down, and return its row.

    The caller settles the margin afterwards: a liquidation fee may come between.
    """
    order = exchange.orders[row]
    symbol = order[orders.SYMBOL]
    held = exchange.positions[a, symbol, positions.QUANTITY]
    realized, fee, opened, missing = move_position(exchange, a, symbol, order[orders.SIDE] * lots, price, maker)
    after = exchange.positions[a, symbol, positions.QUANTITY]

    number = events.write(exchange, events.FILL, a, symbol, row, realized, at)
    event = exchange.events[number]
    event[events.SIDE] = order[orders.SIDE]
    event[events.QUANTITY] = lots
    event[events.PRICE] = price
    event[events.BASE_PRICE] = base
    event[events.MAKER] = 1 if maker else 0
    event[events.FEE] = fee
    event[events.POSITION_AFTER] = after
    event[events.REASON] = order[orders.REASON]
    event[events.NUMBER] = order[orders.FILLS]
    if missing > 0:
        transfer(exchange, a, events.SHORTFALL, number, missing, at)

    renew_band(exchange, a, symbol)
    order[orders.FILLS] += 1
    order[orders.FILLED] += lots
    # What reduces is cut to the position: once that is flat, nothing of the order is left.
    if order[orders.FILLED] >= order[orders.QUANTITY] or (order[orders.REDUCE_ONLY] == 1 and after == 0):
        end_order(exchange, row, orders.FILLED_WHOLE, orders.NONE, at)
    if order[orders.PARENT] >= 0:
        cancel_siblings(exchange, a, order[orders.PARENT], at)
    if held != 0 and (after == 0 or (after > 0) != (held > 0)):
        cancel_where_flat(exchange, a, symbol, at)
    if opened > 0 and order[orders.REDUCE_ONLY] == 0:
        protect(exchange, a, row, opened, price, inside, bar, at)
    return number
