"""On the recordings the estimators give what CALIBRATION prints: both kinds of market are measured alike."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.adapters.simulated import measures
from tests.adapters.simulated.table import ROWS

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("BITNERVE_RECORDINGS", ROOT.parent / "shared" / "data"))

pytestmark = [
    pytest.mark.recordings,
    pytest.mark.skipif(not (FOLDER / "ohlcv").is_dir(), reason="no market recordings (BITNERVE_RECORDINGS)"),
]

LARGE = ("BTCUSDT", "ETHUSDT")


def wide(name, value):
    """One column of a file, [time, symbol], Bitcoin and Ether first."""
    rows = pd.read_parquet(FOLDER / "ohlcv" / f"{name}.parquet")
    rows = rows.pivot(index="ts", columns="symbol", values=value)
    return rows[[*LARGE, *(symbol for symbol in rows if symbol not in LARGE)]]


def rates(name):
    """Funding in bps, one array per symbol, Bitcoin and Ether first."""
    rows = pd.read_parquet(FOLDER / "funding" / f"{name}.parquet").sort_values("ts")
    series = {symbol: group.funding_rate.to_numpy() * 1e4 for symbol, group in rows.groupby("symbol")}
    return [series.pop(symbol) for symbol in LARGE if symbol in series] + list(series.values())


def book():
    """The one recorded stretch of the book, a row a second."""
    rows = pd.read_parquet(FOLDER / "orderbook" / "binance_usdm_BTCUSDT_20240808_book_1s_top20.parquet")
    depth = [sum(rows[f"{side}_qty_{level}"] for level in range(5)).to_numpy() for side in ("bid", "ask")]
    touch = [(rows[f"{side}_px_0"] * rows[f"{side}_qty_0"]).to_numpy() for side in ("bid", "ask")]
    return (rows.bid_px_0.to_numpy(), rows.ask_px_0.to_numpy(), *touch, *depth)


@pytest.fixture(scope="module")
def figures():
    """All figures of CALIBRATION, from the recordings."""
    perp, volume = wide("binance_perp_5m", "close"), wide("binance_perp_5m", "volume")
    spot, hourly = wide("binance_spot_5m", "close"), wide("binance_perp_1h", "close")
    older = wide("binance_spot_1h_2021_2023", "close").dropna()
    mark = pd.read_parquet(FOLDER / "ohlcv" / "binance_mark_1h.parquet").set_index("ts")
    mark = mark[mark.symbol == "BTCUSDT"].close
    last = perp.BTCUSDT.reindex(mark.index + pd.Timedelta("55min"))
    found = {}
    for symbol in perp:
        found |= measures.one_symbol(symbol.removesuffix("USDT"), perp[symbol].to_numpy())
    for name in ("BTC", "DOGE"):
        closes = perp[f"{name}USDT"].to_numpy()
        at = perp.index.as_unit("ms").asi8
        found |= measures.traded_value(name, at, closes * volume[f"{name}USDT"].to_numpy(), closes)
    found |= measures.many_symbols(spot.to_numpy()) | measures.five_minute_alts(spot.to_numpy())
    found |= measures.hours(hourly.to_numpy()) | measures.days(hourly[hourly.index.hour == 23].to_numpy())
    found |= measures.regimes(older.to_numpy(), "21-23")
    found |= measures.large_funding(rates("binance_funding_marketlab"))
    found |= measures.broad_funding(rates("binance_funding_2026q1"))
    found |= measures.mark_against_last(mark.to_numpy(), last.to_numpy())
    return found | measures.microstructure([book()])


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.key)
def test_estimators_on_recordings_give_the_printed_figure(figures, row):
    if row.target == 0.0 and row.key.endswith("r acf"):
        assert abs(figures[row.key]) <= 0.015
    else:
        # CALIBRATION prints two or three digits, of this one row a single digit.
        half_digit = 0.05 if row.key == "last to mark mean" else 0.006
        assert figures[row.key] == pytest.approx(row.target, rel=0.055, abs=half_digit)


def test_calibration_has_no_row_that_is_not_measured(figures):
    assert {row.key for row in ROWS} <= set(figures)
    assert np.isfinite([figures[row.key] for row in ROWS]).all()
