"""How long does one new bar take the scan of 1,000 symbols, and how long would pandas take for it?"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pandas as pd

from bitnerve.domain.signals.beta import RULES, BetaScan, scan_bars
from bitnerve.domain.signals.momentum import latest_momentum, momentum
from tests.bench.measure import fastest, figure

SYMBOLS, PUSHES = 1000, 200
BATCH_SYMBOLS, BATCH_BARS = 50, 4000


def run() -> list[dict[str, Any]]:
    """Return one row per figure, with pandas measured in the same run."""
    return [_newest_bar(), _batch(), *_momentum()]


def _newest_bar() -> dict[str, Any]:
    close, turnover = _market(RULES.bars_needed + PUSHES, SYMBOLS)
    scan = BetaScan(symbols=SYMBOLS, bitcoin=0)
    scan.extend(first_bar=0, close=close[:-PUSHES], turnover=turnover[:-PUSHES])
    scan.push(bar=close.shape[0] - PUSHES, close=close[-PUSHES], turnover=turnover[-PUSHES])
    seconds = []
    for bar in range(close.shape[0] - PUSHES + 1, close.shape[0]):
        start = time.perf_counter()
        scan.push(bar=bar, close=close[bar], turnover=turnover[bar])
        seconds.append(time.perf_counter() - start)
    ours = float(np.median(seconds))
    returns = pd.DataFrame(np.diff(np.log(close), axis=0))
    theirs = fastest(lambda: _pandas_newest(returns), times=3)
    return figure(
        work=f"beta scan, one new bar, {SYMBOLS:,} symbols x {len(RULES.windows)} windows",
        value=1000.0 * ours,
        unit="ms (median)",
        aim="<= 1 ms",
        met=ours <= 1e-3,
        peer=f"pandas {1000.0 * theirs:,.0f} ms: ours is {theirs / ours:,.0f} x faster",
    )


def _batch() -> dict[str, Any]:
    close, turnover = _market(BATCH_BARS, BATCH_SYMBOLS)
    ours = fastest(lambda: scan_bars(close=close, turnover=turnover, bitcoin=0, first_bar=0), times=3)
    returns = pd.DataFrame(np.diff(np.log(close), axis=0))
    theirs = fastest(lambda: _pandas_rolling(returns), times=1)
    values = close.size * len(RULES.windows) / 1e6
    return figure(
        work=f"beta scan, {BATCH_BARS:,} bars x {BATCH_SYMBOLS} symbols x {len(RULES.windows)} windows",
        value=values / ours,
        unit="M values of each kind/s",
        aim="> pandas",
        met=ours < theirs,
        peer=f"pandas {values / theirs:.2f} M/s: ours is {theirs / ours:.0f} x",
    )


def _momentum() -> list[dict[str, Any]]:
    close, turnover = _market(30_000, 100)
    market = {"close": close[:, 0], "turnover": turnover[:, 0], "alt_close": close[:, 1:]}
    batch = fastest(lambda: momentum(**market), times=2)
    newest = fastest(lambda: latest_momentum(**market), times=5)
    return [
        figure(work="momentum, 30,000 bars", value=batch, unit="s", aim="<= 1 s", met=batch <= 1.0),
        figure(work="momentum, newest bar", value=1000.0 * newest, unit="ms", aim="<= 20 ms", met=newest <= 0.02),
    ]


def _market(bars: int, symbols: int) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    signal = generator.standard_t(4, bars) * 0.001
    moves = np.outer(signal, generator.uniform(0.5, 2.5, symbols))
    moves += generator.standard_normal((bars, symbols)) * 0.001
    moves[:, 0] = signal
    return 100.0 * np.exp(np.cumsum(moves, axis=0)), generator.lognormal(12.0, 1.0, (bars, symbols))


def _pandas_newest(returns: pd.DataFrame) -> list[pd.DataFrame]:
    """Return what the scan returns of one bar but for ranks, amplification and liquidity, the way one writes it."""
    tables = []
    for window in RULES.windows:
        tail = returns.iloc[-window:]
        slopes = {}
        for name, part in {"beta": tail, "up": tail[tail[0] > 0], "down": tail[tail[0] < 0]}.items():
            centered = part - part.mean()
            slopes[name] = centered.mul(centered[0], axis=0).sum() / (centered[0] ** 2).sum()
        slopes["r_squared"] = slopes["beta"] ** 2 * tail[0].var() / tail.var()
        tables.append(pd.DataFrame(slopes))
    return tables


def _pandas_rolling(returns: pd.DataFrame) -> list[pd.DataFrame]:
    signal = pd.DataFrame(dict.fromkeys(returns, returns[0]))
    tables = []
    for window in RULES.windows:
        for chosen in (signal.notna(), signal > 0, signal < 0):
            rolling = signal.where(chosen).rolling(window, min_periods=2)
            tables.append(rolling.cov(returns.where(chosen)) / rolling.var())
        tables.append(signal.rolling(window, min_periods=2).corr(returns) ** 2)
    return tables
