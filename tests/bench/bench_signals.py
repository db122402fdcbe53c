"""How many bars per second does the moving-average rule with stops trade, next to vectorbt and to bare floats?

200 symbols, one year of 5-minute bars, one thread, the averages counted in. The bare loop knows no order book of its
own: no orders, no margin, no liquidation, no log. It is what a rule costs before there is an exchange.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from bitnerve.domain.market.instrument import instrument_arrays
from bitnerve.domain.trading.path import CLOSE, LOW, OPEN
from bitnerve.domain.trading.signals import EXIT, LONG, SignalRule
from bitnerve.domain.units import SCALE
from bitnerve.engine.backtest import backtest_signals
from tests.bench.market import INTERVAL_MS, START_AT, make_bars, make_instruments
from tests.bench.measure import fastest, figure

SYMBOLS, BARS = 200, 105_120
PEER_SYMBOLS = 40
"""What vectorbt gets: its tables of 200 symbols do not fit beside ours, and a rate needs no more."""
FAST, SLOW = 144, 576
STOP, FEE, SLIPPAGE = 0.03, 0.00055, 0.0001
BUDGET = 1000
RUNS = 6
CAPITAL = 1_000_000
WORK = f"{SYMBOLS} symbols x 1 year of 5m bars, moving averages {FAST}/{SLOW} with 3 % stops"


@njit(cache=False, error_model="numpy")
def cross_averages(close: Any, fast: int, slow: int, signals: Any) -> None:
    """Write LONG where the fast average of closes crosses above the slow one, EXIT where it falls below."""
    bars, symbols = close.shape
    quick = np.zeros(symbols)
    steady = np.zeros(symbols)
    above = np.zeros(symbols, np.bool_)
    # One short loop after the other, which the compiler turns into vector instructions.
    for bar in range(bars):
        for symbol in range(symbols):
            quick[symbol] += close[bar, symbol]
            steady[symbol] += close[bar, symbol]
        if bar >= fast:
            for symbol in range(symbols):
                quick[symbol] -= close[bar - fast, symbol]
        if bar >= slow:
            for symbol in range(symbols):
                steady[symbol] -= close[bar - slow, symbol]
        for symbol in range(symbols):
            now = bar >= slow and quick[symbol] * slow > steady[symbol] * fast
            signals[bar, symbol] = (LONG if now else EXIT) if now != above[symbol] else 0
            above[symbol] = now


@njit(cache=False, error_model="numpy")
def trade_bare(opened: Any, low: Any, close: Any, fast: int, slow: int, stop: float, fee: float) -> Any:
    """Return the cash and the number of entries of the rule in bare floats, in one plain loop."""
    bars, symbols = close.shape
    quick = np.zeros(symbols)
    steady = np.zeros(symbols)
    above = np.zeros(symbols, np.bool_)
    held = np.zeros(symbols)
    level = np.zeros(symbols)
    wanted = np.zeros(symbols, np.int8)
    cash = 0.0
    entries = 0
    for bar in range(bars):
        for symbol in range(symbols):
            price = opened[bar, symbol]
            if wanted[symbol] == LONG and held[symbol] == 0.0:
                held[symbol] = BUDGET / price
                level[symbol] = price * (1.0 - stop)
                cash -= BUDGET * (1.0 + fee)
                entries += 1
            elif wanted[symbol] == EXIT and held[symbol] != 0.0:
                cash += held[symbol] * price * (1.0 - fee)
                held[symbol] = 0.0
            wanted[symbol] = 0
            if held[symbol] != 0.0 and low[bar, symbol] <= level[symbol]:
                cash += held[symbol] * min(price, level[symbol]) * (1.0 - fee)
                held[symbol] = 0.0
            quick[symbol] += close[bar, symbol]
            steady[symbol] += close[bar, symbol]
            if bar >= fast:
                quick[symbol] -= close[bar - fast, symbol]
            if bar >= slow:
                steady[symbol] -= close[bar - slow, symbol]
                now = quick[symbol] * slow > steady[symbol] * fast
                if now != above[symbol]:
                    wanted[symbol] = LONG if now else EXIT
                    above[symbol] = now
    return cash, entries


def run() -> list[dict[str, Any]]:
    """Return our rate against both peers."""
    bars = make_bars(BARS, SYMBOLS)
    # Before the prices: right behind them it slows the averages down by a half, an accident of where its rows then lie.
    signals = np.zeros((BARS, SYMBOLS), dtype=np.int8)
    opened, low, close = (bars[row] / SCALE for row in (OPEN, LOW, CLOSE))
    arguments: dict[str, Any] = {
        "instruments": instrument_arrays(make_instruments(SYMBOLS)),
        "rule": SignalRule(BUDGET * SCALE, 3, round(STOP * SCALE)),
        "capital": CAPITAL * SCALE,
    }
    at = START_AT + np.arange(BARS + 1) * INTERVAL_MS
    short = slice(0, 3 * SLOW)
    cross_averages(close[short], FAST, SLOW, signals[short])
    backtest_signals(bars=bars[:, short], at=at, signals=signals[short], **arguments)
    trade_bare(opened[short], low[short], close[short], FAST, SLOW, STOP, FEE)

    exchange = None

    def ours() -> None:
        nonlocal exchange
        cross_averages(close, FAST, SLOW, signals)
        exchange = backtest_signals(bars=bars, at=at, signals=signals, **arguments)

    def theirs_bare() -> None:
        trade_bare(opened, low, close, FAST, SLOW, STOP, FEE)

    # In turns, so that a machine that is busy for a while is busy for both.
    turns = [(fastest(ours, times=1), fastest(theirs_bare, times=1)) for _ in range(RUNS)]
    seconds, bare = (min(column) for column in zip(*turns, strict=True))
    entries = trade_bare(opened, low, close, FAST, SLOW, STOP, FEE)[1]
    rate = bars.shape[1] * SYMBOLS / seconds / 1e6
    bare_rate = bars.shape[1] * SYMBOLS / bare / 1e6
    if exchange is None:
        raise RuntimeError("nothing was measured")
    orders, events = (int(used) for used in exchange.cursors)
    rows = [
        figure(
            work=WORK,
            value=rate,
            unit="M bars/s",
            aim=">= 40 % of bare floats",
            met=rate >= 0.4 * bare_rate,
            peer=f"bare numba loop {bare_rate:.0f} M bars/s: ours is {rate / bare_rate:.0%} of it "
            f"({entries:,} entries there; {orders:,} orders and {events:,} events here)",
        )
    ]
    theirs = _vectorbt_rate(close)
    rows.append(
        figure(
            work="the same, next to vectorbt",
            value=rate,
            unit="M bars/s",
            aim=">= 25 x vectorbt",
            met=None if theirs is None else rate >= 25.0 * theirs,
            peer="not measured: BITNERVE_BENCH_PYTHON names no interpreter with vectorbt (make bench does)"
            if theirs is None
            else f"vectorbt {theirs:.2f} M bars/s on {PEER_SYMBOLS} of the symbols: ours is {rate / theirs:.0f} x",
        )
    )
    return rows


def _vectorbt_rate(close: Any) -> float | None:
    interpreter = os.environ.get("BITNERVE_BENCH_PYTHON")
    if not interpreter:
        return None
    part = np.ascontiguousarray(close[:, :PEER_SYMBOLS])
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "close.npy"
        np.save(path, part)
        words = [interpreter, str(Path(__file__).with_name("peer_vectorbt.py")), str(path)]
        words += [str(number) for number in (FAST, SLOW, STOP, FEE, SLIPPAGE)]
        done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        raise RuntimeError(f"vectorbt failed:\n{done.stderr[-2000:]}")
    return part.size / float(done.stdout.split()[-1]) / 1e6
