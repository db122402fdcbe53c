"""Small recorded files, written by the tests that read them."""

from pathlib import Path

import numpy as np
import pandas as pd

from bitnerve.domain.timeframe import parse_instant, parse_interval

START = parse_instant("2025-01-01", field="start")
MINUTES_5 = 300_000


def times(at):
    """Milliseconds as a column of UTC timestamps."""
    return pd.to_datetime(np.asarray(at, dtype=np.int64), unit="ms", utc=True).astype("datetime64[ms, UTC]")


def candles(symbol="BTCUSDT", *, count=4, start_at=START, interval="5m", skip=(), **columns):
    """Rising bars of one symbol: bar i opens at 100 + i, closes one higher and trades 2 units."""
    step = np.array([index for index in range(count) if index not in skip])
    base = {
        "exchange": "binance",
        "market": "perp",
        "symbol": symbol,
        "interval": interval,
        "ts": times(start_at + step * parse_interval(interval, field="interval")),
        "open": 100.0 + step,
        "high": 101.5 + step,
        "low": 99.5 + step,
        "close": 101.0 + step,
        "volume": np.full(len(step), 2.0),
        "quote_volume": np.full(len(step), np.nan),
        "trades": pd.array([pd.NA] * len(step), dtype="Int64"),
    }
    return pd.DataFrame(base | columns)


def marks(symbol="BTCUSDT", **columns):
    """Mark bars, half a unit below the candles."""
    bars = candles(symbol, **{"market": "mark", "volume": 0.0} | columns)
    return bars.assign(**{name: bars[name] - 0.5 for name in ("open", "high", "low", "close") if name not in columns})


def funding(symbol="BTCUSDT", *, at=(START,), rate=(0.0001,), exchange="binance"):
    """Funding settlements of one symbol."""
    return pd.DataFrame(
        {"exchange": exchange, "symbol": symbol, "ts": times(at), "funding_rate": np.array(rate, dtype=float)}
    )


def filters(symbol="BTCUSDT", **columns):
    """One row of filters in the schema of Binance."""
    base = {"exchange": "binance", "tick_size": 0.1, "qty_step": 0.001, "min_qty": 0.001, "min_notional": 5.0}
    return pd.DataFrame([{"symbol": symbol, **base, **columns}])


def tiers(name="BTC/USDT:USDT", **columns):
    """Two margin tiers, continuous at 50 000."""
    base = {
        "exchange": "binance",
        "symbol_ccxt": name,
        "tier": [1, 2],
        "currency": "USDT",
        "min_notional": [0.0, 50_000.0],
        "max_notional": [50_000.0, np.nan],
        "maintenance_margin_rate": [0.004, 0.005],
        "max_leverage": [125.0, 100.0],
        "maint_amount_cum": [0.0, 50.0],
    }
    return pd.DataFrame(base | columns)


def changed(frame, row, **values):
    """The frame with other values in one row."""
    result = frame.copy()
    for name, value in values.items():
        result.loc[row, name] = value
    return result


def joined(*frames):
    """Several frames below each other."""
    return pd.concat(frames, ignore_index=True)


def write(folder: Path, name: str, frame: pd.DataFrame, **options) -> Path:
    """Write a frame as a Parquet file and return its path."""
    path = folder / name
    frame.to_parquet(path, index=False, **options)
    return path
