"""Files and symbols that do not belong together."""

import pytest

from bitnerve.adapters.recordings import inputs, load_recording
from tests.adapters.recordings import samples
from tests.adapters.recordings.samples import START

DAY = 86_400_000


@pytest.fixture
def write(tmp_path):
    return lambda name, frame: samples.write(tmp_path, name, frame)


def test_at_least_one_file_and_one_symbol_are_needed(write):
    with pytest.raises(inputs.NothingToLoad, match="candles: at least one file"):
        load_recording(candles=[])
    with pytest.raises(inputs.NothingToLoad, match="symbols: name at least one"):
        load_recording(candles=[write("one.parquet", samples.candles())], symbols=[])


def test_an_unknown_symbol_is_refused_with_the_nearest_names_and_all_there_are(write):
    path = write("one.parquet", samples.joined(samples.candles("BTCUSDT"), samples.candles("ETHUSDT")))

    with pytest.raises(inputs.UnknownSymbol) as caught:
        load_recording(candles=[path], symbols=["BTCUSD"])

    said = "one.parquet: has no 'BTCUSD'; nearest: BTCUSDT"
    assert str(caught.value).startswith(said)
    assert str(caught.value).endswith("; there are BTCUSDT, ETHUSDT")


def test_a_candle_file_with_none_of_the_symbols_is_refused(write):
    paths = [write("one.parquet", samples.candles("BTCUSDT")), write("two.parquet", samples.candles("ETHUSDT"))]

    with pytest.raises(inputs.NothingWanted, match=r"^two\.parquet: holds none of BTCUSDT$"):
        load_recording(candles=paths, symbols=["BTCUSDT"])


def test_a_symbol_in_two_files_is_refused(write):
    paths = [write("one.parquet", samples.candles()), write("two.parquet", samples.candles(start_at=START + DAY))]

    with pytest.raises(inputs.DuplicateSymbol, match=r"^one\.parquet and two\.parquet: both hold BTCUSDT"):
        load_recording(candles=paths)


@pytest.mark.parametrize("role", ["funding", "mark"])
def test_a_companion_without_any_symbol_of_the_candles_is_refused(write, role):
    frame = {"funding": samples.funding, "mark": samples.marks}[role]("ADAUSDT")
    files = {role: [write("companion.parquet", frame)]}

    with pytest.raises(inputs.WithoutCandles, match=r"^companion\.parquet: holds ADAUSDT, the candles hold BTCUSDT$"):
        load_recording(candles=[write("one.parquet", samples.candles())], **files)


def test_a_companion_without_any_time_of_the_candles_is_refused(write):
    path = write("funding.parquet", samples.funding(at=(START + DAY,)))

    with pytest.raises(
        inputs.WithoutCandles,
        match=r"^funding\.parquet: holds 2025-01-02T00:00:00Z to 2025-01-02T00:00:00Z, "
        r"the candles 2025-01-01T00:00:00Z to 2025-01-01T00:20:00Z$",
    ):
        load_recording(candles=[write("one.parquet", samples.candles())], funding=[path])
