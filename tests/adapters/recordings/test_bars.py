"""Every rule that bars and settlements can break, and the row that the message names."""

import numpy as np
import pytest

from bitnerve.adapters.recordings import bars, funding, load_recording, rows
from bitnerve.domain.errors import Refusal
from bitnerve.domain.timeframe import BadInstant
from tests.adapters.recordings import samples
from tests.adapters.recordings.samples import MINUTES_5, START

CLEAN = samples.joined(samples.candles("ETHUSDT"), samples.candles("BTCUSDT"))
ROW = 5  # the second bar of BTCUSDT


def refusal_of(folder, frame, **options):
    path = samples.write(folder, "candles.parquet", frame)
    with pytest.raises(Refusal) as caught:
        load_recording(candles=[path], **options)
    return caught.value


def at(step):
    return samples.times([START + round(step * MINUTES_5)])[0]


@pytest.mark.parametrize(
    ("values", "error", "said"),
    [
        ({"ts": at(-1)}, rows.UnsortedTime, "ts must rise; found ts_at 2024-12-31T23:55:00Z, previous_at 2025-"),
        ({"ts": at(0)}, rows.DuplicateTime, "ts must not repeat"),
        ({"ts": at(1.5)}, bars.OffGrid, "ts must be a multiple of 5m; found milliseconds_past 150000"),
        (
            {"ts": samples.times([0])[0]},
            rows.ImplausibleTime,
            "ts must lie in the years 2000 to 2099; found milliseconds 0",
        ),
        ({"open": np.nan}, bars.NotFinite, "open must be finite; found open nan"),
        ({"high": np.inf}, bars.NotFinite, "high must be finite; found high inf"),
        ({"low": 0.0}, bars.PriceOutOfRange, "low must be above 0 and at most 1000000000; found low 0.0"),
        ({"close": -1.0}, bars.PriceOutOfRange, "close must be above 0 and at most 1000000000; found close -1.0"),
        ({"high": 1e9 + 1}, bars.PriceOutOfRange, "high must be above 0 and at most 1000000000"),
        ({"low": 1e-9}, bars.PriceOutOfRange, r"low must be at least 10\^-8; found low 1e-09"),
        ({"open": 101.123456789}, bars.TooFinePrice, "open must have at most 8 decimals; found open 101.123456789"),
        ({"high": 100.0}, bars.BrokenBar, "high must not be below low; found low 100.5, high 100.0"),
        ({"open": 103.0}, bars.BrokenBar, r"open must lie in \[low, high\]; found open 103.0, low 100.5, high 102.5"),
        ({"close": 100.0}, bars.BrokenBar, r"close must lie in \[low, high\]; found close 100.0"),
        ({"volume": -0.5}, bars.VolumeOutOfRange, r"volume must lie in \[0, 1000000000000000\]; found volume -0.5"),
        ({"volume": 1.1e15}, bars.VolumeOutOfRange, "volume must lie in"),
        ({"volume": np.nan}, bars.NotFinite, "volume must be finite; found volume nan"),
        ({"volume": np.inf}, bars.NotFinite, "volume must be finite; found volume inf"),
        ({"volume": 9e8}, bars.VolumeOutOfRange, "volume times close must be at most 90000000000"),
        ({"quote_volume": -1.0}, bars.VolumeOutOfRange, r"quote_volume must lie in \[0, 90000000000\]"),
        ({"quote_volume": 9.1e10}, bars.VolumeOutOfRange, r"quote_volume must lie in \[0, 90000000000\]"),
        ({"quote_volume": np.inf}, bars.NotFinite, "quote_volume must be finite, or missing"),
        ({"quote_volume": 0.0}, bars.VolumeOutOfRange, "quote_volume must be above 0, or missing"),
        ({"interval": "1h"}, bars.MixedIntervals, "interval is '1h', before '5m'"),
        ({"exchange": "bybit"}, bars.AmbiguousMarket, "exchange is 'bybit', before 'binance'"),
        ({"market": "spot"}, bars.AmbiguousMarket, "market is 'spot', before 'perp'"),
    ],
)
def test_a_bad_bar_is_refused_with_its_file_row_symbol_and_numbers(tmp_path, values, error, said):
    refusal = refusal_of(tmp_path, samples.changed(CLEAN, ROW, **values))

    assert type(refusal) is error
    assert str(refusal).startswith("candles.parquet: row 5 (BTCUSDT, ")
    assert refusal.facts["row"] == ROW
    with pytest.raises(error, match=said):
        raise refusal


def test_the_first_offending_row_is_named(tmp_path):
    frame = samples.changed(samples.changed(CLEAN, 7, open=-1.0), 6, open=-2.0)

    assert refusal_of(tmp_path, frame).facts["row"] == 6


def test_the_row_is_counted_in_the_file_when_other_row_groups_are_skipped(tmp_path):
    path = samples.write(tmp_path, "candles.parquet", samples.changed(CLEAN, ROW, open=-1.0), row_group_size=4)

    with pytest.raises(bars.PriceOutOfRange, match=r"row 5 \(BTCUSDT, 2025-01-01T00:05:00Z\)"):
        load_recording(candles=[path], symbols=["BTCUSDT"])


def test_values_at_the_edge_are_taken(tmp_path):
    frame = samples.candles(count=1, open=1e9, high=1e9, low=1e9, close=1e9, volume=90.0)
    recording = load_recording(candles=[samples.write(tmp_path, "candles.parquet", frame)])

    assert recording.candles.open[0, 0] == 10**17
    assert recording.candles.quote_volume[0, 0] == 9 * 10**18


def test_a_volume_that_does_not_fit_into_lots_is_refused(tmp_path):
    frame = samples.candles(volume=1e12, open=0.01, high=0.01, low=0.01, close=0.01)
    filters = samples.write(tmp_path, "filters.parquet", samples.filters(qty_step=1e-8, tick_size=1.0))

    refusal = refusal_of(tmp_path, frame, filters=filters)

    assert type(refusal) is bars.VolumeOutOfRange
    assert "row 0" in str(refusal)
    assert "volume must fit into 64 bits of lots of 1E-8; found volume 1000000000000.0" in str(refusal)


def test_an_unknown_interval_is_refused(tmp_path):
    frame = samples.candles().assign(interval="1M")

    refusal = refusal_of(tmp_path, frame)

    assert type(refusal) is BadInstant
    assert "candles.parquet: row 0 (BTCUSDT, 2025-01-01T00:00:00Z): interval: '1M'" in str(refusal)


def test_intervals_that_differ_between_symbols_are_refused(tmp_path):
    frame = samples.joined(samples.candles("BTCUSDT"), samples.candles("ETHUSDT", interval="1h"))

    refusal = refusal_of(tmp_path, frame)

    assert type(refusal) is bars.MixedIntervals
    assert "row 0 (BTCUSDT, 2025-01-01T00:00:00Z) has an interval of 5m" in str(refusal)
    assert "row 4 (ETHUSDT, 2025-01-01T00:00:00Z) one of 1h" in str(refusal)


def test_intervals_that_differ_between_files_are_refused(tmp_path):
    paths = [
        samples.write(tmp_path, "one.parquet", samples.candles("BTCUSDT")),
        samples.write(tmp_path, "two.parquet", samples.candles("ETHUSDT", interval="1h")),
    ]

    with pytest.raises(bars.MixedIntervals, match=r"one\.parquet.* 5m.*two\.parquet.* 1h"):
        load_recording(candles=paths)


def test_intervals_that_differ_between_marks_are_refused(tmp_path):
    frame = samples.joined(samples.marks("BTCUSDT"), samples.marks("ETHUSDT", interval="1h"))

    refusal = refusal_of(tmp_path, CLEAN, mark=[samples.write(tmp_path, "mark.parquet", frame)])

    assert type(refusal) is bars.MixedIntervals
    assert "mark.parquet: row 0 (BTCUSDT, 2025-01-01T00:00:00Z) has an interval of 5m" in str(refusal)


def test_mark_prices_are_no_candles_and_candles_no_mark_prices(tmp_path):
    candles = samples.write(tmp_path, "candles.parquet", samples.candles())
    mark = samples.write(tmp_path, "mark.parquet", samples.marks())

    with pytest.raises(bars.WrongMarket, match="mark prices are not candles"):
        load_recording(candles=[mark])
    with pytest.raises(bars.WrongMarket, match="market is 'perp': mark prices need 'mark'"):
        load_recording(candles=[candles], mark=[candles])


@pytest.mark.parametrize(
    ("frame", "error", "said"),
    [
        (samples.funding(at=(START, START - 1), rate=(0.0, 0.0)), rows.UnsortedTime, "row 1.*ts must rise"),
        (samples.funding(at=(START, START), rate=(0.0, 0.0)), rows.DuplicateTime, "row 1.*ts must not repeat"),
        (samples.funding(rate=(1.01,)), funding.AbsurdRate, r"row 0.*funding_rate must lie in \[-1, 1\].*found.* 1.01"),
        (samples.funding(rate=(-np.inf,)), funding.AbsurdRate, "row 0.*found funding_rate -inf"),
    ],
)
def test_bad_funding_is_refused(tmp_path, frame, error, said):
    path = samples.write(tmp_path, "funding.parquet", frame)

    refusal = refusal_of(tmp_path, samples.candles(), funding=[path])

    assert type(refusal) is error
    with pytest.raises(error, match=r"funding\.parquet: " + said):
        raise refusal
