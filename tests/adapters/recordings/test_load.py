"""What a recording holds when its files are good."""

import numpy as np
import pytest

from bitnerve.adapters.recordings import find_difference, load_recording
from bitnerve.adapters.recordings.load import BadWindow
from bitnerve.domain.market.recording import Gap
from bitnerve.domain.units import SCALE
from tests.adapters.recordings import samples
from tests.adapters.recordings.samples import MINUTES_5, START


def load(folder, frame, **options):
    return load_recording(candles=[samples.write(folder, "candles.parquet", frame)], **options)


def units(*values):
    return [round(value * SCALE) for value in values]


def test_load_recording_sorts_columns_by_symbol_and_rows_by_time(tmp_path):
    recording = load(
        tmp_path, samples.joined(samples.candles("ETHUSDT"), samples.candles("BTCUSDT", low=90.0, open=100.5))
    )

    assert recording.symbols == ("BTCUSDT", "ETHUSDT")
    assert recording.candles.open.flags.c_contiguous
    assert recording.candles.open.tolist()[:2] == [units(100.5, 100), units(100.5, 101)]
    assert recording.candles.start_at == START
    assert recording.bar_count == 4


def test_rows_of_several_symbols_may_be_interleaved(tmp_path):
    frame = samples.joined(samples.candles("ETHUSDT"), samples.candles("BTCUSDT"))
    apart, mixed = tmp_path / "apart", tmp_path / "mixed"
    apart.mkdir(), mixed.mkdir()

    assert find_difference(load(apart, frame), load(mixed, frame.sort_values("ts", kind="stable"))) is None


def test_a_missing_bar_stands_still_at_the_last_close_and_is_listed_as_a_gap(tmp_path):
    recording = load(tmp_path, samples.candles(count=6, skip=(2, 3)))

    for field in ("open", "high", "low", "close"):
        assert getattr(recording.candles, field)[2:4, 0].tolist() == units(102, 102)
    assert recording.candles.volume[2:4, 0].tolist() == [0, 0]
    assert recording.candles.quote_volume[2:4, 0].tolist() == [0, 0]
    assert recording.gaps == (Gap("BTCUSDT", START + 2 * MINUTES_5, START + 4 * MINUTES_5, 2),)


@pytest.mark.parametrize("volume", [0.0, 0.4])
def test_a_bar_without_a_lot_of_volume_stands_still_and_is_no_gap(tmp_path, volume):
    frame = samples.changed(samples.candles(), 1, volume=volume, close=101.5, quote_volume=0.0)
    filters = samples.write(tmp_path, "filters.parquet", samples.filters(qty_step=0.5, min_qty=0.5))
    recording = load(tmp_path, samples.changed(frame, 1, quote_volume=np.nan), filters=filters)

    for field in ("open", "high", "low", "close"):
        assert getattr(recording.candles, field)[:3, 0].tolist()[1] == units(101)[0]
    assert recording.candles.volume[:, 0].tolist() == [4, 0, 4, 4]
    assert recording.candles.quote_volume[1, 0] == 0
    assert recording.gaps == ()


def test_a_first_bar_without_volume_stands_still_at_its_own_close(tmp_path):
    recording = load(tmp_path, samples.changed(samples.candles(), 0, volume=0.0))

    assert recording.candles.open[:2, 0].tolist() == units(101, 101)
    assert recording.mark[0, 0] == units(101)[0]


def test_a_symbol_has_no_prices_before_its_first_bar_and_its_last_close_after_its_last(tmp_path):
    late = samples.candles("ETHUSDT", count=2, start_at=START + MINUTES_5)
    recording = load(tmp_path, samples.joined(samples.candles("BTCUSDT"), late))

    assert recording.candles.close[:, 1].tolist() == units(0, 101, 102, 102)
    assert recording.candles.volume[:, 1].tolist() == [0, 2, 2, 0]
    assert recording.mark[:, 1].tolist() == units(0, 100, 101, 102, 102)
    assert recording.gaps == ()


def test_quote_volume_is_volume_times_close_where_it_is_missing(tmp_path):
    frame = samples.candles(volume=[0.12345, 2.0, 3.0, 1e-8], quote_volume=[np.nan, 250.5, np.nan, np.nan])
    frame = frame.assign(close=[101.3, 102.0, 103.0, 104.0])
    filters = samples.write(tmp_path, "filters.parquet", samples.filters(qty_step=1e-8, tick_size=1.0))
    recording = load(tmp_path, frame, filters=filters)

    expected = [1250548500, 25050000000, 30900000000, 104]
    assert recording.candles.quote_volume[:, 0].tolist() == expected


def test_quote_volume_is_at_least_one_unit_where_there_is_volume(tmp_path):
    frame = samples.candles(count=1, volume=1e-7, open=0.001, high=0.001, low=0.001, close=0.001)
    filters = samples.write(tmp_path, "filters.parquet", samples.filters(qty_step=1e-7, tick_size=10.0))
    recording = load(tmp_path, frame, filters=filters)

    assert recording.candles.volume.tolist() == [[1]]
    assert recording.candles.quote_volume.tolist() == [[1]]


def test_mark_is_the_last_close_and_at_first_the_first_open_without_mark_bars(tmp_path):
    recording = load(tmp_path, samples.candles())

    assert recording.mark[:, 0].tolist() == units(100, 101, 102, 103, 104)
    assert recording.mark_path is None


def test_coarse_mark_bars_give_the_mark_where_they_start_and_no_path(tmp_path):
    frame = samples.candles(count=4, interval="15m")
    mark = samples.write(tmp_path, "mark.parquet", samples.marks(count=2, interval="30m"))
    recording = load(tmp_path, frame, mark=[mark])

    assert recording.mark[:, 0].tolist() == units(99.5, 101, 100.5, 103, 104)
    assert recording.mark_path is None


def test_mark_bars_of_the_candles_interval_are_the_path_and_candles_stand_in_for_missing_ones(tmp_path):
    mark = samples.write(tmp_path, "mark.parquet", samples.marks(count=5, skip=(2,)))
    recording = load(tmp_path, samples.candles(), mark=[mark])

    assert recording.mark[:, 0].tolist() == units(99.5, 100.5, 102, 102.5, 103.5)
    assert recording.mark_path is not None
    assert recording.mark_path.low[:, 0].tolist() == units(99, 100, 101.5, 102)
    assert recording.mark_path.volume.tolist() == recording.candles.volume.tolist()


def test_a_mark_finer_than_units_is_floored(tmp_path):
    frame = samples.changed(samples.marks(), 1, open=100.123456789)
    recording = load(tmp_path, samples.candles(), mark=[samples.write(tmp_path, "mark.parquet", frame)])

    assert recording.mark[1, 0] == 10012345678


def test_there_is_no_mark_before_the_first_candle(tmp_path):
    late = samples.joined(samples.candles("BTCUSDT"), samples.candles("ETHUSDT", start_at=START + MINUTES_5, count=3))
    mark = samples.write(tmp_path, "mark.parquet", samples.marks("ETHUSDT"))
    recording = load(tmp_path, late, mark=[mark])

    assert recording.mark[:2, 1].tolist() == units(0, 100.5)
    assert recording.mark_path is not None
    assert recording.mark_path.open[:2, 1].tolist() == units(0, 100.5)


def test_funding_is_sorted_by_time_then_symbol_and_a_missing_rate_is_unknown(tmp_path):
    frame = samples.joined(
        samples.funding("ETHUSDT", at=(START, START + 90_000), rate=(np.nan, -0.000012345)),
        samples.funding("BTCUSDT", rate=(0.000000015,)),
    )
    candles = samples.joined(samples.candles("BTCUSDT"), samples.candles("ETHUSDT"))
    schedule = load(tmp_path, candles, funding=[samples.write(tmp_path, "funding.parquet", frame)]).funding

    assert schedule.at.tolist() == [START, START, START + 90_000]
    assert schedule.symbol.tolist() == [0, 1, 1]
    assert schedule.known.tolist() == [True, False, True]
    assert schedule.rate.tolist() == [2, 0, -1234]  # halves go to the even neighbor


def test_the_result_depends_neither_on_the_order_of_files_nor_on_folders(tmp_path):
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir(), there.mkdir()
    one, two = samples.candles("BTCUSDT"), samples.candles("ETHUSDT")
    first = [samples.write(here, "one.parquet", one), samples.write(here, "two.parquet", two)]
    second = [samples.write(there, "two.parquet", two), samples.write(there, "one.parquet", one)]

    recordings = [load_recording(candles=first), load_recording(candles=second)]

    assert find_difference(*recordings) is None
    assert recordings[0].sources == recordings[1].sources
    assert [source.name for source in recordings[0].sources] == ["one.parquet", "two.parquet"]


def test_symbols_choose_and_the_others_are_not_even_checked(tmp_path):
    frame = samples.joined(samples.candles("BTCUSDT", open=-1.0), samples.candles("ETHUSDT"))

    assert load(tmp_path, frame, symbols=["ETHUSDT"]).symbols == ("ETHUSDT",)


def test_columns_may_stand_in_any_order_and_others_are_ignored(tmp_path):
    frame = samples.candles()
    shuffled = frame[list(reversed(frame.columns))].assign(remark="extra").drop(columns=["trades", "quote_volume"])
    plain, other = tmp_path / "plain", tmp_path / "other"
    plain.mkdir(), other.mkdir()

    assert find_difference(load(plain, frame), load(other, shuffled)) is None


def test_integers_and_other_time_units_are_numbers_and_times_too(tmp_path):
    frame = samples.candles(volume=np.full(4, 2), open=np.arange(100, 104))
    frame["ts"] = frame["ts"].astype("datetime64[ns, UTC]")
    plain, other = tmp_path / "plain", tmp_path / "other"
    plain.mkdir(), other.mkdir()

    assert find_difference(load(plain, samples.candles()), load(other, frame)) is None


def test_notes_say_what_was_ignored_and_what_is_not_covered(tmp_path):
    candles = samples.joined(samples.candles("BTCUSDT"), samples.candles("ETHUSDT", volume=0.0))
    funding = samples.joined(samples.funding("BTCUSDT", exchange="bybit"), samples.funding("ADAUSDT", exchange="bybit"))
    recording = load(tmp_path, candles, funding=[samples.write(tmp_path, "funding.parquet", funding)])

    assert recording.notes == {
        "markets": ["binance perp"],
        "bars_without_volume": {"ETHUSDT": 4},
        "without_candles": {"funding.parquet": ["ADAUSDT"]},
        "without_funding": ["ETHUSDT"],
        "other_exchanges": {"funding.parquet": ["bybit"]},
    }


def test_the_window_may_be_all_bars_and_leaves_the_warm_up_in(tmp_path):
    recording = load(tmp_path, samples.candles(), start_at=START + 2 * MINUTES_5, until=START + 4 * MINUTES_5)

    assert recording.bar_count == 4


@pytest.mark.parametrize(
    ("start", "until", "rule"),
    [
        (2, 2, "earlier than its end"),
        (3, 2, "earlier than its end"),
        (-1, 2, "must lie within the candles, 2025-01-01T00:00:00Z to 2025-01-01T00:20:00Z"),
        (0, 5, "must lie within the candles"),
        (0.5, 2, "2025-01-01T00:02:30Z is not a multiple of the bars' 5m"),
    ],
)
def test_a_window_that_does_not_fit_is_refused(tmp_path, start, until, rule):
    with pytest.raises(BadWindow, match=rule):
        load(
            tmp_path,
            samples.candles(),
            start_at=START + int(start * MINUTES_5),
            until=START + int(until * MINUTES_5),
        )
