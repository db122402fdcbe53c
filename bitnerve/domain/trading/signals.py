"""How does a rule trade whose signals are known beforehand, without leaving the kernels?

The fast road of research: the same acceptance, bars, margin, stops and liquidations as everywhere, but the decisions
come as a table instead of a call per tick.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from bitnerve.domain.arithmetic import DOWN, mul_div
from bitnerve.domain.kernel import inner, kernel
from bitnerve.domain.market import instrument
from bitnerve.domain.trading import account, orders, positions
from bitnerve.domain.trading.acceptance import accept
from bitnerve.domain.trading.account import Exchange
from bitnerve.domain.trading.path import CLOSE, play_bar
from bitnerve.domain.units import SCALE, protective_stop

# Signals.
NOTHING, LONG, SHORT, EXIT = 0, 1, -1, 2


class SignalRule(NamedTuple):
    """How every signal is traded: money units per entry, leverage, and the stop's distance as a rate (0 for none)."""

    budget: int
    leverage: int
    stop_rate: int


@inner
def next_row(exchange: Exchange, a: int, symbol: int, side: int) -> int:
    """Return the next free row of the order log, filled in as a market order without a quantity."""
    row = exchange.cursors[account.ORDER_COUNT]
    order = exchange.orders[row]
    order[orders.SYMBOL] = symbol
    order[orders.SIDE] = side
    order[orders.TYPE] = orders.MARKET
    order[orders.PARENT] = -1
    return row


@inner
def act_on(exchange: Exchange, a: int, symbol: int, signal: int, rule: SignalRule, facts: Any, at: int) -> None:
    """Turn one signal into an order: an exit closes the position, an entry needs a flat one."""
    held = exchange.positions[a, symbol, positions.QUANTITY]
    if signal == EXIT:
        if held != 0:
            row = next_row(exchange, a, symbol, -1 if held > 0 else 1)
            order = exchange.orders[row]
            order[orders.REDUCE_ONLY] = 1
            order[orders.CLOSE_POSITION] = 1
            order[orders.REASON] = orders.EXIT
            accept(exchange, a, row, facts, at)
        return
    price = exchange.prices[account.LAST, symbol]
    if held != 0 or price <= 0:
        return
    table = exchange.instruments.table[symbol]
    row = next_row(exchange, a, symbol, signal)
    order = exchange.orders[row]
    order[orders.QUANTITY] = mul_div(
        rule.budget, table[instrument.LOT_DENOMINATOR], price * table[instrument.LOT_NUMERATOR], DOWN
    )
    order[orders.LEVERAGE] = rule.leverage
    if rule.stop_rate > 0:
        level = mul_div(price, SCALE - signal * rule.stop_rate, SCALE, DOWN)
        order[orders.STOP_LOSS] = protective_stop(level, table[instrument.TICK_SIZE], signal > 0)
    accept(exchange, a, row, facts, at)


@inner
def has_signal(signals: Any) -> bool:
    """Return whether a row of signals, [symbol], holds any; made for vector units."""
    found = False
    for symbol in range(signals.shape[0]):
        found |= signals[symbol] != NOTHING
    return found


@inner
def stand_at_closes(exchange: Exchange, bars: Any, bar: int) -> None:
    """Set the prices to what is known at the start of a bar."""
    for symbol in range(bars.shape[2]):
        exchange.prices[account.LAST, symbol] = bars[CLOSE, bar - 1, symbol]
        exchange.prices[account.MARK, symbol] = bars[CLOSE, bar - 1, symbol]


@kernel
def play_signals(
    exchange: Exchange,
    bars: Any,
    at: Any,
    signals: Any,
    rule: SignalRule,
    facts: Any,
    first: int,
    until: int,
    room: int,
) -> int:
    """Trade `signals` [bar, symbol] on account 0 over bars [first, until); return the bar before which it stopped.

    The signal of a closed bar is traded at the open of the next. It stops early when fewer than `room` rows are left
    in the order log or twice as many in the event log, for the host to make room and go on. `facts` is scratch.
    """
    for bar in range(first, until):
        used = exchange.cursors
        if used[account.ORDER_COUNT] + room > exchange.orders.shape[0]:
            return bar
        if used[account.EVENT_COUNT] + 2 * room > exchange.events.shape[0]:
            return bar
        if bar > 0:
            exchange.accounts[0, account.TICK] = bar
            exchange.accounts[0, account.ORDINAL] = 0
            if has_signal(signals[bar - 1]):
                stand_at_closes(exchange, bars, bar)
                for symbol in range(signals.shape[1]):
                    if signals[bar - 1, symbol] != NOTHING:
                        act_on(exchange, 0, symbol, signals[bar - 1, symbol], rule, facts, at[bar])
        play_bar(exchange, bars, 0, bar, at[bar])
    return until
