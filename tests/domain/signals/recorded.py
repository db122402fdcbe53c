"""Which closes and turnovers do the recordings hold, as signals read them?"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[3]


def wide_candles(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return (close, turnover) with a column per symbol, NaN where a bar had no volume; skip where absent."""
    path = Path(os.environ.get("BITNERVE_RECORDINGS", ROOT / "../shared/data")) / "ohlcv" / f"{name}.parquet"
    if not path.exists():
        pytest.skip(f"no recording {name}: set BITNERVE_RECORDINGS")
    candles = pd.read_parquet(path, columns=["symbol", "ts", "close", "volume"])
    close = candles.pivot_table(index="ts", columns="symbol", values="close")
    volume = candles.pivot_table(index="ts", columns="symbol", values="volume")
    close = close.where(volume > 0)
    return close, close * volume


def bar_number(close: pd.DataFrame, *, interval_seconds: int) -> int:
    """Return the number of the first row's bar since the epoch."""
    return int(np.datetime64(close.index[0].to_datetime64(), "s").astype(np.int64)) // interval_seconds
