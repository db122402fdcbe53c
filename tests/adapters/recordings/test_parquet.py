"""Files that are not what they should be."""

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bitnerve.adapters.recordings import load_recording, parquet
from tests.adapters.recordings import samples


@pytest.fixture
def good(tmp_path):
    return samples.write(tmp_path, "candles.parquet", samples.candles())


def load(path, **options):
    return load_recording(candles=[path], **options)


def test_a_missing_file_is_refused_by_its_name_alone(tmp_path):
    with pytest.raises(parquet.UnreadableFile, match=r"^nowhere\.parquet: there is no such file$"):
        load(tmp_path / "nowhere.parquet")


def test_a_folder_is_refused(tmp_path):
    (tmp_path / "folder.parquet").mkdir()

    with pytest.raises(parquet.UnreadableFile, match=r"^folder\.parquet: is a folder, not a file$"):
        load(tmp_path / "folder.parquet")


def test_a_path_that_cannot_be_opened_is_refused(good):
    with pytest.raises(parquet.UnreadableFile, match=r"^inside\.parquet: cannot be read: "):
        load(good / "inside.parquet")


def test_an_empty_file_is_refused(tmp_path):
    (tmp_path / "empty.parquet").touch()

    with pytest.raises(parquet.EmptyFile, match=r"^empty\.parquet: is empty \(0 bytes\)$"):
        load(tmp_path / "empty.parquet")


def test_a_file_without_rows_is_refused(tmp_path):
    with pytest.raises(parquet.EmptyFile, match=r"^candles\.parquet: has no rows$"):
        load(samples.write(tmp_path, "candles.parquet", samples.candles().iloc[:0]))


def test_a_file_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "candles.csv"
    path.write_text("symbol,ts\n")

    with pytest.raises(parquet.NotParquet, match=r"^candles\.csv: is not a Parquet file: it begins with b'symb'"):
        load(path)


def test_a_file_cut_short_is_refused(good):
    good.write_bytes(good.read_bytes()[:-10])

    with pytest.raises(parquet.DamagedParquet, match=r"^candles\.parquet: is cut short: [0-9]+ bytes"):
        load(good)


@pytest.mark.parametrize("position", [8, 200, -30])
def test_a_file_that_was_changed_is_refused(good, position):
    content = bytearray(good.read_bytes())
    content[position : position + 8] = b"\xff" * 8
    good.write_bytes(content)

    with pytest.raises(parquet.DamagedParquet, match=r"^candles\.parquet: is damaged: "):
        load(good)


def test_a_file_with_broken_text_is_refused(tmp_path):
    path = samples.write(tmp_path, "candles.parquet", samples.candles(), compression=None)
    path.write_bytes(path.read_bytes().replace(b"BTCUSDT", b"\xffTCUSDT"))

    with pytest.raises(parquet.DamagedParquet, match=r"^candles\.parquet: is damaged: "):
        load(path)


@pytest.mark.parametrize("column", ["exchange", "market", "symbol", "interval", "ts", "open", "close", "volume"])
def test_a_missing_column_is_refused(tmp_path, column):
    path = samples.write(tmp_path, "candles.parquet", samples.candles().drop(columns=column))

    with pytest.raises(parquet.MissingColumn, match=rf"^candles\.parquet: needs each of {column} once; has "):
        load(path)


def test_a_column_that_is_there_twice_is_refused(tmp_path):
    table = pa.Table.from_pandas(samples.candles())
    path = tmp_path / "candles.parquet"
    pq.write_table(table.append_column("open", table.column("close")), path)

    with pytest.raises(parquet.MissingColumn, match="needs each of open once"):
        load(path)


@pytest.mark.parametrize(
    ("column", "values", "rule"),
    [
        ("open", "100", "a double or an integer, not "),
        ("open", pd.Series([1.0] * 4, dtype="float32"), "a double or an integer, not float"),
        ("volume", True, "a double or an integer, not bool"),
        ("symbol", 7, "text, not int64"),
        ("interval", 5, "text, not int64"),
        ("ts", samples.candles()["ts"].dt.tz_localize(None), "a timestamp with a time zone, not timestamp"),
        ("ts", range(4), "a timestamp with a time zone, not int64"),
    ],
)
def test_a_column_of_the_wrong_type_is_refused(tmp_path, column, values, rule):
    path = samples.write(tmp_path, "candles.parquet", samples.candles().assign(**{column: values}))

    with pytest.raises(parquet.WrongColumnType, match=rf"^candles\.parquet: column {column} must be {rule}"):
        load(path)


@pytest.mark.parametrize("column", ["exchange", "market", "interval", "ts"])
def test_a_row_without_a_text_or_a_time_is_refused(tmp_path, column):
    frame = samples.joined(samples.candles("ETHUSDT"), samples.changed(samples.candles(), 2, **{column: None}))

    with pytest.raises(parquet.MissingValue, match=rf"^candles\.parquet: row 6 \(BTCUSDT\): {column} is missing"):
        load(samples.write(tmp_path, "candles.parquet", frame))


def test_a_row_without_a_symbol_is_refused(tmp_path):
    path = samples.write(tmp_path, "candles.parquet", samples.changed(samples.candles(), 2, symbol=None))

    with pytest.raises(parquet.MissingValue, match=r"^candles\.parquet: row 2: symbol is missing"):
        load(path)


def test_a_time_between_two_milliseconds_is_refused(tmp_path):
    frame = samples.candles()
    frame["ts"] = frame["ts"].astype("datetime64[ns, UTC]")
    frame.loc[2, "ts"] += pd.Timedelta(250, "us")

    with pytest.raises(parquet.TooFineTime, match=r"row 2 .*: ts must be whole milliseconds; found .* 0\.25"):
        load(samples.write(tmp_path, "candles.parquet", frame))


def test_only_row_groups_that_may_hold_the_symbols_are_read(tmp_path, monkeypatch):
    frame = samples.joined(*(samples.candles(name) for name in ("ETHUSDT", "BTCUSDT", "SOLUSDT")))
    path = samples.write(tmp_path, "candles.parquet", frame, row_group_size=4)
    asked = []
    read = pq.ParquetFile.read_row_groups
    monkeypatch.setattr(
        pq.ParquetFile,
        "read_row_groups",
        lambda self, groups, **options: asked.append(groups) or read(self, groups, **options),
    )

    load(path, symbols=["SOLUSDT"])

    assert asked == [[2]]
