"""What market do the benchmarks of the engine run on? Random walks on exact grids, the same on every machine."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from bitnerve.domain.market.instrument import Instrument, make_instrument, make_tier
from bitnerve.domain.trading.path import CLOSE, HIGH, LOW, OPEN, QUOTE_VOLUME, VOLUME
from bitnerve.domain.units import SCALE

INTERVAL_MS = 300_000
START_AT = 1_700_000_100_000
TICK = 100_000
"""Price units: a tick of 0.001."""
_CHUNK = 4096


def make_instruments(count: int) -> tuple[Instrument, ...]:
    """Return perpetuals alike in everything but their names, with two margin tiers."""
    tiers = [
        make_tier(
            notional_until=until,
            maintenance_rate=Decimal(rate),
            deduction=Decimal(deduction),
            leverage_max=most,
            field="tier",
        )
        for until, rate, deduction, most in ((Decimal(50_000), "0.01", "0", 50), (None, "0.02", "500", 25))
    ]
    return tuple(
        make_instrument(
            symbol=f"S{number:03}USDT",
            tick_size=Decimal("0.001"),
            lot_size=Decimal("0.01"),
            min_quantity=Decimal("0.01"),
            min_notional=Decimal(5),
            tiers=tiers,
        )
        for number in range(count)
    )


@lru_cache(maxsize=1)
def make_bars(bars: int, symbols: int) -> npt.NDArray[np.int64]:
    """Return random bars [row, bar, symbol] that move 0.2 % each, as kernels read them."""
    generator = np.random.default_rng(0)
    table = np.empty((6, bars, symbols), dtype=np.int64)
    last = np.full(symbols, 100.0)
    for first in range(0, bars, _CHUNK):
        count = min(_CHUNK, bars - first)
        part = table[:, first : first + count]
        close = last * np.exp(np.cumsum(generator.normal(0.0, 0.002, (count, symbols)), axis=0))
        opened = np.vstack([last, close[:-1]])
        last = close[-1]
        wicks = np.abs(generator.normal(0.0, 0.001, (2, count, symbols)))
        part[OPEN] = _on_grid(opened)
        part[CLOSE] = _on_grid(close)
        part[HIGH] = _on_grid(np.maximum(opened, close) * (1.0 + wicks[0]))
        part[LOW] = _on_grid(np.minimum(opened, close) * (1.0 - wicks[1]))
        part[VOLUME] = generator.integers(10**6, 10**7, (count, symbols))
        part[QUOTE_VOLUME] = (part[VOLUME] * close).astype(np.int64) * 10**6
    return table


def _on_grid(prices: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.maximum(1, np.rint(prices * (SCALE / TICK))).astype(np.int64) * TICK
