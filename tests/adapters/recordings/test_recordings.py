"""The market recordings themselves, against pandas."""

import os
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from bitnerve.adapters.recordings import load_recording
from bitnerve.adapters.recordings.parquet import open_input, read_rows
from bitnerve.adapters.recordings.tiers import TIER_SCHEMA, read_tiers
from bitnerve.domain.timeframe import parse_instant
from bitnerve.domain.units import SCALE

ROOT = Path(__file__).parents[3]
FOLDER = Path(os.environ.get("BITNERVE_RECORDINGS", ROOT.parent / "shared" / "data"))

pytestmark = [
    pytest.mark.recordings,
    pytest.mark.skipif(not (FOLDER / "ohlcv").is_dir(), reason="no market recordings (BITNERVE_RECORDINGS)"),
]


@pytest.fixture(scope="module")
def perpetuals():
    return load_recording(
        candles=[FOLDER / "ohlcv" / "binance_perp_5m.parquet"],
        mark=[FOLDER / "ohlcv" / "binance_mark_1h.parquet"],
        funding=[FOLDER / "funding" / "binance_funding_marketlab.parquet"],
        tiers=FOLDER / "instruments" / "binance_leverage_tiers.parquet",
        filters=FOLDER / "instruments" / "binance_usdm_filters.parquet",
    )


def units(value, factor=SCALE):
    return int(Decimal(repr(float(value))) * factor // 1)


def index_at(recording, text):
    at = parse_instant(text, field="at")
    return (at - recording.candles.start_at) // recording.candles.interval_ms


def test_perpetuals_are_all_there(perpetuals):
    assert perpetuals.bar_count == 78_624
    assert perpetuals.gaps == ()
    assert len(perpetuals.funding.at) == 6_552
    assert perpetuals.funding.known.all()
    assert len(perpetuals.sources) == 5
    assert not any(instrument.inferred for instrument in perpetuals.instruments)
    assert perpetuals.notes == {
        "markets": ["binance perp"],
        "bars_without_volume": dict.fromkeys(perpetuals.symbols, 5),
    }


@pytest.mark.parametrize(
    ("symbol", "at"),
    [
        ("BTCUSDT", "2025-01-01T00:00Z"),
        ("DOGEUSDT", "2025-03-04T08:35Z"),
        ("INJUSDT", "2025-09-30T23:55Z"),
    ],
)
def test_bars_are_what_pandas_reads(perpetuals, symbol, at):
    path = FOLDER / "ohlcv" / "binance_perp_5m.parquet"
    frame = pd.read_parquet(path, filters=[("symbol", "==", symbol)]).set_index("ts")
    bar, column = frame.loc[pd.Timestamp(at)], perpetuals.symbols.index(symbol)
    row, instrument = index_at(perpetuals, at), perpetuals.instruments[column]
    volume = Decimal(repr(float(bar["volume"])))

    for field in ("open", "high", "low", "close"):
        assert getattr(perpetuals.candles, field)[row, column] == units(bar[field])
    assert perpetuals.candles.volume[row, column] == volume // instrument.lot_size
    assert perpetuals.candles.quote_volume[row, column] == int(volume * units(bar["close"]))


def test_marks_are_the_mark_bars_opens_on_the_hour_and_the_last_closes_between(perpetuals):
    path = FOLDER / "ohlcv" / "binance_mark_1h.parquet"
    frame = pd.read_parquet(path, filters=[("symbol", "==", "ETHUSDT")]).set_index("ts")
    column, row = perpetuals.symbols.index("ETHUSDT"), index_at(perpetuals, "2025-04-07T07:00Z")

    assert perpetuals.mark[row, column] == units(frame.loc[pd.Timestamp("2025-04-07T07:00Z"), "open"])
    assert perpetuals.mark[row + 1, column] == perpetuals.candles.close[row, column]
    assert perpetuals.mark.shape == (78_625, 8)
    assert (perpetuals.mark[-1] == perpetuals.candles.close[-1]).all()
    assert perpetuals.mark_path is None


@pytest.mark.parametrize(("at", "bars"), [("2025-01-29T01:25Z", 2), ("2025-08-29T06:20Z", 3)])
def test_the_market_stands_still_while_the_exchange_is_halted(perpetuals, at, bars):
    row = index_at(perpetuals, at)
    halt = slice(row, row + bars)

    assert (perpetuals.candles.volume[halt] == 0).all()
    assert (perpetuals.candles.quote_volume[halt] == 0).all()
    for field in ("open", "high", "low", "close"):
        assert (getattr(perpetuals.candles, field)[halt] == perpetuals.candles.close[row - 1]).all()
    assert (perpetuals.candles.volume[[row - 1, row + bars]] > 0).all()


def test_filters_of_bybit_are_read():
    recording = load_recording(
        candles=[FOLDER / "ohlcv" / "bybit_perp_5m.parquet"],
        funding=[FOLDER / "funding" / "bybit_funding.parquet"],
        filters=FOLDER / "instruments" / "bybit_linear_filters.parquet",
    )
    ether = recording.instruments[recording.symbols.index("ETHUSDT")]

    assert (ether.tick_size, ether.lot_size, ether.min_notional) == (SCALE // 100, Decimal("0.01"), 5 * SCALE)
    assert ether.inferred  # no file names its tiers


def test_missing_hours_are_reported_and_never_interpolated():
    recording = load_recording(candles=[FOLDER / "ohlcv" / "binance_spot_1h_2021_2023.parquet"])

    assert sum(gap.bars for gap in recording.gaps) == 192
    assert len(recording.gaps) == 80
    for gap in recording.gaps:
        column, row = recording.symbols.index(gap.symbol), (gap.start_at - recording.candles.start_at) // 3_600_000
        missing = slice(row, row + gap.bars)
        assert (recording.candles.volume[missing, column] == 0).all()
        assert (recording.candles.open[missing, column] == recording.candles.close[row - 1, column]).all()


@pytest.mark.parametrize(
    "name", ["binance_1d_to_2023", "binance_perp_1h", "binance_perp_1m", "binance_spot_5m", "bybit_perp_5m"]
)
def test_every_recording_loads_without_help(name):
    recording = load_recording(candles=[FOLDER / "ohlcv" / f"{name}.parquet"])

    assert recording.gaps == ()
    assert all(instrument.inferred for instrument in recording.instruments)


def test_every_contract_of_the_tiers_file_fits():
    opened = open_input(FOLDER / "instruments" / "binance_leverage_tiers.parquet", TIER_SCHEMA)

    assert all(read_tiers(rows) for rows in read_rows(opened, symbols=opened.symbols))
