"""How long does it take to value 100,000 open positions exactly, and to say which accounts are in breach?"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import numpy as np
from numba import njit

from bitnerve.domain.kernel import integers, zeros
from bitnerve.domain.market import instrument
from bitnerve.domain.market.instrument import instrument_arrays
from bitnerve.domain.trading import account, positions
from bitnerve.domain.trading.account import Exchange, Rules
from bitnerve.domain.trading.liquidation import revalue
from bitnerve.domain.units import SCALE
from tests.bench.market import make_instruments
from tests.bench.measure import fastest, figure

ACCOUNTS, SYMBOLS = 1000, 100
SAMPLE = 20
"""Accounts that are valued anew in Python's own integers and Decimals."""
THREADS = 2
AIM_MS = 1.0
RUNS = 200


@njit(cache=False, error_model="numpy", fastmath=True)
def value_bare(cash: Any, quantity: Any, cost: Any, mark: Any, rate: float, equity: Any, breached: Any) -> None:
    """Value the same positions in floats, one maintenance rate for all: what the exact sums are measured against."""
    for a in range(quantity.shape[0]):
        total = cash[a]
        needed = 0.0
        for symbol in range(quantity.shape[1]):
            value = quantity[a, symbol] * mark[symbol]
            total += value - cost[a, symbol]
            needed += abs(value) * rate
        equity[a] = total
        breached[a] = total < needed


def run() -> list[dict[str, Any]]:
    """Return the time of one pulse on one thread and on two; raise when a result is not exact."""
    exchange, marks = _crowd()
    equity, breached = zeros(ACCOUNTS), zeros(ACCOUNTS)
    halves = [(i * ACCOUNTS // THREADS, (i + 1) * ACCOUNTS // THREADS) for i in range(THREADS)]

    def pulse(part: tuple[int, int]) -> None:
        revalue(exchange, *part, marks, equity, breached)

    pulse((0, ACCOUNTS))
    one = fastest(lambda: pulse((0, ACCOUNTS)), times=RUNS)
    with ThreadPoolExecutor(THREADS) as pool:
        equity[:] = 0
        two = fastest(lambda: list(pool.map(pulse, halves)), times=RUNS)
    _check(exchange, marks, equity, breached)
    bare = _bare(exchange, marks)
    decimals = _decimals(exchange, marks)
    peer = f"bare float loop, one thread {1000 * bare:.2f} ms; Python Decimals {decimals:.1f} s"
    work = f"marking {ACCOUNTS * SYMBOLS:,} open positions with liquidation test, exact"
    rows = []
    for name, seconds, aims in (("one thread", one, False), (f"{THREADS} threads", two, True)):
        rows.append(
            figure(
                work=f"{work}, {name}",
                value=1000 * seconds,
                unit="ms",
                aim=f"<= {AIM_MS:g} ms" if aims else "",
                met=1000 * seconds <= AIM_MS if aims else None,
                peer=f"{peer}: {decimals / seconds:,.0f} x faster than those",
            )
        )
    return rows


def _crowd() -> tuple[Exchange, Any]:
    """Return accounts that hold every symbol, long or short, at entries near the marks; every 50th is in breach."""
    generator = np.random.default_rng(0)
    exchange = account.open_exchange(
        instruments=instrument_arrays(make_instruments(SYMBOLS)),
        rules=Rules(),
        account_count=ACCOUNTS,
        capital=1_000_000 * SCALE,
        has_mark=False,
    )
    marks = generator.integers(10**9, 10**13, SYMBOLS)
    quantity = generator.integers(1, 1000, (ACCOUNTS, SYMBOLS)) * generator.choice([-1, 1], (ACCOUNTS, SYMBOLS))
    cost = (quantity * (marks // 100) * generator.uniform(0.99, 1.01, (ACCOUNTS, SYMBOLS))).astype(np.int64)
    exchange.positions[:, :, positions.QUANTITY] = integers(quantity)
    exchange.positions[:, :, positions.COST] = integers(cost)
    exchange.accounts[:, account.CROSS_COUNT] = SYMBOLS
    exchange.accounts[:, account.CASH] = 10_000_000 * SCALE
    exchange.accounts[::50, account.CASH] = 1
    return exchange, integers(marks)


def _check(exchange: Exchange, marks: Any, equity: Any, breached: Any) -> None:
    """Raise unless a sample of the results is what Python's unbounded integers make of it."""
    table, tiers = exchange.instruments.table.tolist(), exchange.instruments.tiers.tolist()
    prices = marks.tolist()
    # Every 50th account is in breach by construction; take some of both kinds.
    for a in list(range(0, ACCOUNTS, ACCOUNTS // SAMPLE)) + list(range(1, ACCOUNTS, ACCOUNTS // SAMPLE)):
        total = int(exchange.accounts[a, account.CASH])
        fine = total * SCALE * 10**8
        for symbol, row in enumerate(exchange.positions[a].tolist()):
            numerator = table[symbol][instrument.LOT_NUMERATOR]
            denominator = table[symbol][instrument.LOT_DENOMINATOR]
            product = row[positions.QUANTITY] * numerator * prices[symbol]
            total += product // denominator - row[positions.COST]
            value = abs(product) * 10**8 // denominator
            tier = 0
            while (
                tier < table[symbol][instrument.TIER_COUNT] - 1
                and value > tiers[symbol][tier][instrument.NOTIONAL_UNTIL] * 10**8
            ):
                tier += 1
            fine += (product * 10**8 // denominator - row[positions.COST] * 10**8) * SCALE
            fine -= value * tiers[symbol][tier][instrument.MAINTENANCE_RATE]
            fine += tiers[symbol][tier][instrument.DEDUCTION] * SCALE * 10**8
        if total != int(equity[a]) or (fine < 0) != bool(breached[a]):
            raise RuntimeError(f"account {a}: {equity[a]} and {breached[a]}, but {total} and {fine < 0} are right")


def _bare(exchange: Exchange, marks: Any) -> float:
    cash = exchange.accounts[:, account.CASH].astype(np.float64)
    quantity = np.ascontiguousarray(exchange.positions[:, :, positions.QUANTITY]).astype(np.float64)
    cost = np.ascontiguousarray(exchange.positions[:, :, positions.COST]).astype(np.float64)
    mark = marks.astype(np.float64) / 100.0
    equity, breached = np.zeros(ACCOUNTS), np.zeros(ACCOUNTS, np.bool_)
    value_bare(cash, quantity, cost, mark, 0.02, equity, breached)
    return fastest(lambda: value_bare(cash, quantity, cost, mark, 0.02, equity, breached), times=RUNS)


def _decimals(exchange: Exchange, marks: Any) -> float:
    """Return what Python Decimals would need for all accounts, extrapolated from a sample."""
    lot, rate = Decimal("0.01"), Decimal("0.02")
    prices = [Decimal(mark) / SCALE for mark in marks.tolist()]
    held = [
        [(Decimal(row[positions.QUANTITY]), Decimal(row[positions.COST]) / SCALE) for row in rows]
        for rows in exchange.positions[:SAMPLE].tolist()
    ]
    start = time.perf_counter()
    for rows in held:
        total = Decimal(10_000_000)
        needed = Decimal(0)
        for (quantity, cost), price in zip(rows, prices, strict=True):
            value = quantity * lot * price
            total += value - cost
            needed += abs(value) * rate
        _ = total < needed
    return (time.perf_counter() - start) * ACCOUNTS / SAMPLE
