"""What does a position pay or receive at a funding time?"""

from __future__ import annotations

from bitnerve.domain.arithmetic import UP, checked_add, wide_divide, wide_product, wide_scale
from bitnerve.domain.kernel import inner, kernel
from bitnerve.domain.market import instrument
from bitnerve.domain.market.instrument import Instruments
from bitnerve.domain.trading import account, events, positions
from bitnerve.domain.trading.account import Exchange
from bitnerve.domain.trading.bands import forget_safety
from bitnerve.domain.trading.fills import change_locked
from bitnerve.domain.units import SCALE


@kernel
def funding_amount(instruments: Instruments, symbol: int, quantity: int, mark: int, rate: int) -> int:
    """Return what an account receives: −quantity × mark × rate. Longs pay a positive rate.

    What is paid rounds up and what is received rounds down, which is one rule: the payment rounds up.
    """
    value = wide_scale(wide_product(quantity * instruments.table[symbol, instrument.LOT_NUMERATOR], mark), rate)
    return -wide_divide(value, instruments.table[symbol, instrument.LOT_DENOMINATOR] * SCALE, UP)


@inner
def fund(exchange: Exchange, a: int, symbol: int, mark: int, rate: int, known: bool, at: int) -> None:
    """Settle one funding time for one open position; an unknown rate is written down and moves nothing."""
    position = exchange.positions[a, symbol]
    quantity = position[positions.QUANTITY]
    if quantity == 0:
        return
    amount = funding_amount(exchange.instruments, symbol, quantity, mark, rate) if known else 0
    row = events.write(exchange, events.FUNDING, a, symbol, -1, amount, at)
    event = exchange.events[row]
    event[events.QUANTITY] = quantity
    event[events.PRICE] = mark
    event[events.RATE] = rate
    event[events.KNOWN] = 1 if known else 0
    exchange.accounts[a, account.CASH] = checked_add(exchange.accounts[a, account.CASH], amount)
    forget_safety(exchange, a)
    if position[positions.ISOLATED] == 1:
        change_locked(exchange, a, symbol, amount)
