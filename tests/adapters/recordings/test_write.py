"""What is written loads back as the very same market."""

from dataclasses import fields, replace

import numpy as np
import pytest

from bitnerve.adapters.recordings import find_difference, load_recording, write_recording
from bitnerve.adapters.recordings.write import NotRepresentable
from tests.adapters.recordings import samples
from tests.adapters.recordings.samples import MINUTES_5, START


@pytest.fixture
def recording(tmp_path):
    """Three symbols: one whole, one late with a gap and a halt, one that ends early; marks, funding, two tiers."""
    source = tmp_path / "source"
    source.mkdir()
    names = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
    late = samples.candles("ETHUSDT", start_at=START + MINUTES_5, count=8, skip=(2, 3))
    frames = {
        "candles": samples.joined(
            samples.candles("BTCUSDT", count=10, quote_volume=np.arange(10) + 200.25),
            samples.changed(late, 3, volume=0.0),
            samples.candles("SOLUSDT", count=5),
        ),
        "mark": samples.joined(samples.marks("BTCUSDT", count=11, skip=(4,)), samples.marks("SOLUSDT", count=5)),
        "funding": samples.joined(
            samples.funding("BTCUSDT", at=(START, START + 450_000), rate=(0.0001, np.nan)),
            samples.funding("SOLUSDT", rate=(-0.00123456,)),
        ),
        "filters": samples.joined(*(samples.filters(name, qty_step=0.5, taker_fee_rate=0.0004) for name in names)),
        "tiers": samples.joined(*(samples.tiers(f"{name[:3]}/USDT:USDT") for name in names)),
    }
    paths = {role: samples.write(source, f"{role}.parquet", frame) for role, frame in frames.items()}
    lists = {role: [paths.pop(role)] for role in ("candles", "mark", "funding")}
    return load_recording(**lists, **paths)


def loaded(files):
    return load_recording(**{field.name: getattr(files, field.name) for field in fields(files)})


def test_a_recording_loads_back_equal(recording, tmp_path):
    files = write_recording(recording=recording, folder=tmp_path, exchange="binance")

    assert find_difference(recording, loaded(files)) is None
    assert recording.gaps == loaded(files).gaps != ()


def test_equal_markets_give_equal_bytes(recording, tmp_path):
    folders = [tmp_path / "one", tmp_path / "two"]
    contents = []
    for folder in folders:
        folder.mkdir()
        files = write_recording(recording=recording, folder=folder, exchange="binance")
        contents.append([path.read_bytes() for path in (*files.candles, *files.mark, files.filters, files.tiers)])

    assert contents[0] == contents[1]


def test_a_market_without_marks_and_funding_needs_no_files_for_them(tmp_path):
    source = samples.write(tmp_path, "source.parquet", samples.candles())
    files = write_recording(recording=load_recording(candles=[source]), folder=tmp_path, exchange="simulated")

    assert (files.mark, files.funding) == ((), ())
    assert loaded(files).notes["markets"] == ["simulated perp"]


def test_a_number_that_would_not_come_back_is_refused(recording, tmp_path):
    quote_volume = recording.candles.quote_volume.copy()
    quote_volume[3, 0] = 8_000_000_000_000_000_001
    changed = replace(recording, candles=replace(recording.candles, quote_volume=quote_volume))

    with pytest.raises(NotRepresentable, match=r"candles\.quote_volume\[3, 0\]: 8000000000000000001 against "):
        write_recording(recording=changed, folder=tmp_path, exchange="binance")


def test_marks_without_a_path_load_back_without_one(recording, tmp_path):
    pathless = replace(recording, mark=recording.mark - (recording.mark > 0) * 7, mark_path=None)
    files = write_recording(recording=pathless, folder=tmp_path, exchange="simulated")

    assert find_difference(pathless, loaded(files)) is None


@pytest.mark.parametrize("field", ["instruments", "gaps", "funding", "mark_path"])
def test_find_difference_sees_every_part(recording, field):
    other = {
        "instruments": (replace(recording.instruments[0], min_notional=1), *recording.instruments[1:]),
        "gaps": (),
        "funding": replace(recording.funding, rate=recording.funding.rate + 1),
        "mark_path": None,
    }[field]

    assert find_difference(recording, replace(recording, **{field: other}))
    assert find_difference(recording, recording) is None
