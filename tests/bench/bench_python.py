"""How many bars per second does a strategy trade that is a Python function, called for every tick and symbol?

The function sees close, both averages and the position of every symbol at every tick. What it asks for goes through
the review door and the venue, as in a replay; stops, fills, margin and marks of every tick are the engine's.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from bitnerve.domain.decisions.decision import Decision, OrderRequest, close
from bitnerve.domain.kernel import zeros
from bitnerve.domain.market.recording import Candles, Recording, mark_from_closes, no_funding
from bitnerve.domain.risk.limits import Limits
from bitnerve.domain.signals.indicators import rolling_mean
from bitnerve.domain.strategies.catalog import choose_agents
from bitnerve.domain.trading import account, orders
from bitnerve.domain.trading.account import Rules
from bitnerve.domain.trading.path import CLOSE, HIGH, LOW, OPEN, QUOTE_VOLUME, VOLUME
from bitnerve.domain.units import SCALE, protective_stop
from bitnerve.engine.tables import make_tables
from bitnerve.engine.world import World
from tests.bench.market import INTERVAL_MS, START_AT, TICK, make_bars, make_instruments
from tests.bench.measure import figure

SYMBOLS, BARS = 200, 10_000
FAST, SLOW = 144, 576
AIM = 300_000
LOTS_OF_BUDGET = 1000 * 100
"""A thousand of the quote asset at a price of one, in lots of 0.01."""

HOLD, ENTER, LEAVE = 0, 1, 2


def decide(price: float, fast: float, slow: float, quantity: int) -> int:
    """Be long while the fast average is above the slow one: the strategy, as a newcomer would write it."""
    if quantity == 0:
        if fast > slow and price > slow:
            return ENTER
    elif fast < slow:
        return LEAVE
    return HOLD


def run() -> list[dict[str, Any]]:
    """Return the rate of whole ticks: the calls, the orders they ask for, and the bars played."""
    table = make_bars(BARS, SYMBOLS)
    recording = _recording(table)
    averages = [rolling_mean(recording.candles.close / SCALE, window=window) for window in (FAST, SLOW)]
    _play(recording, averages, 50)
    seconds, asked, filled = min(_play(recording, averages, BARS) for _ in range(2))
    rate = (BARS - SLOW) * SYMBOLS / seconds
    return [
        figure(
            work=f"a strategy that is a Python function per tick and symbol, {SYMBOLS} symbols",
            value=rate,
            unit="bars/s",
            aim=f">= {AIM:,}",
            met=rate >= AIM,
            peer=f"{(BARS - SLOW) * SYMBOLS:,} calls, {asked:,} orders asked for, {filled:,} fills; "
            f"the calls alone {_calls_alone(averages, table):,.0f} bars/s",
        )
    ]


def _play(recording: Recording, averages: list[Any], ticks: int) -> tuple[float, int, int]:
    """Return (seconds, orders asked for, events) of `ticks` bars after the slow average's warm-up."""
    world = World(
        market=make_tables(recording),
        agents=choose_agents("cash"),
        capital=1_000_000 * SCALE,
        rules=Rules(),
        limits=Limits(orders_max=SYMBOLS),
        seed=1,
        tick_count=BARS + 1,
    )
    symbols = recording.symbols
    closes = recording.candles.close
    asked = 0
    start = time.perf_counter()
    world.start_at(SLOW)
    for _ in range(min(ticks, BARS - SLOW)):
        bar = world.bar - 1
        prices = closes[bar].tolist()
        seen = zip(prices, averages[0][bar].tolist(), averages[1][bar].tolist(), world.quantities[0], strict=True)
        wishes: list[OrderRequest] = []
        for symbol, (price, fast, slow, quantity) in enumerate(seen):
            wish = decide(price / SCALE, fast, slow, quantity)
            if wish == HOLD:
                continue
            if wish == LEAVE:
                wishes.append(close(symbols[symbol], -1))
            elif world.resting_lots(0, symbol) == 0:
                wishes.append(_entry(symbols[symbol], price))
        if wishes:
            asked += len(wishes)
            world.submit(0, Decision("TRADE", "averages", tuple(wishes)))
        world.advance(world.bar + 1)
    seconds = time.perf_counter() - start
    return seconds, asked, int(world.exchange.cursors[account.EVENT_COUNT])


def _entry(symbol: str, price: int) -> OrderRequest:
    return OrderRequest(
        symbol=symbol,
        side=1,
        quantity=LOTS_OF_BUDGET * SCALE // price,
        leverage=3,
        stop_loss=protective_stop(price * 97 // 100, TICK, True),
        reason=orders.ENTRY,
    )


def _calls_alone(averages: list[Any], table: Any) -> float:
    """Return how many bars per second the function alone decides: what is left when the engine costs nothing."""
    rows = [(table[CLOSE, :1000] / SCALE).tolist(), *(average[SLOW : SLOW + 1000].tolist() for average in averages)]
    held = zeros(SYMBOLS).tolist()
    start = time.perf_counter()
    for prices, fasts, slows in zip(*rows, strict=True):
        for price, fast, slow, quantity in zip(prices, fasts, slows, held, strict=True):
            decide(price, fast, slow, quantity)
    return 1000 * SYMBOLS / (time.perf_counter() - start)


def _recording(table: Any) -> Recording:
    rows = {"open": OPEN, "high": HIGH, "low": LOW, "close": CLOSE, "volume": VOLUME, "quote_volume": QUOTE_VOLUME}
    columns = {name: np.ascontiguousarray(table[row]) for name, row in rows.items()}
    candles = Candles(start_at=START_AT, interval_ms=INTERVAL_MS, **columns)
    return Recording(
        instruments=make_instruments(SYMBOLS),
        candles=candles,
        mark=mark_from_closes(candles.close, candles.open[0]),
        mark_path=None,
        funding=no_funding(),
    )
