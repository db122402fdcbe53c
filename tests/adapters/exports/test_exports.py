"""What is written is what is read, whole or not at all."""

import hashlib
import json
import os
import stat
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitnerve.adapters.exports import FolderNotEmpty, NotWritable, UnreadableExport, read_books, write_books
from bitnerve.adapters.exports import write as writing
from bitnerve.adapters.exports.decimal128 import TooLargeNumber, from_arrow, to_arrow
from bitnerve.adapters.exports.tables import ForeignTable
from bitnerve.domain.ledger.canonical import books_sha256, table_bytes
from bitnerve.domain.ledger.tables import TABLES, decimals, quantities

FILES = sorted([*(f"{name}.parquet" for name in TABLES), "leaderboard.json", "season.json"])
INT64 = st.integers(-(2**63) + 1, 2**63 - 1)


@pytest.fixture
def folder(books, tmp_path) -> Path:
    write_books(books=books, folder=tmp_path / "season")
    return tmp_path / "season"


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def test_what_is_written_is_what_is_read(books, folder):
    read = read_books(folder)
    assert sorted(path.name for path in folder.iterdir()) == FILES
    assert books_sha256(read.tables) == books.season["books_sha256"] == read.season["books_sha256"]
    for name, table in books.tables.items():
        assert [bytes(piece) for piece in table_bytes(read.tables[name])] == [
            bytes(piece) for piece in table_bytes(table)
        ]
    assert json.loads(json.dumps(read.season)) == books.season


def test_the_same_books_give_the_same_bytes(books, folder, tmp_path):
    write_books(books=books, folder=tmp_path / "deep" / "down" / "again")
    assert digests(folder) == digests(tmp_path / "deep" / "down" / "again")


def test_a_table_is_always_the_same_file(books, tmp_path):
    # What a library leaves unset in a buffer differs from call to call, so one repetition would prove little.
    for name in TABLES:
        found = set()
        for number in range(20):
            folder = tmp_path / str(number)
            folder.mkdir(exist_ok=True)
            writing.write_table(folder, books, name)
            found.add((folder / f"{name}.parquet").read_bytes())
        assert len(found) == 1, name


def test_a_row_of_a_file_is_what_it_says(folder):
    table = pq.read_table(folder / "equity.parquet")
    first = table.slice(0, 1).to_pylist()[0]
    assert first == {
        "agent": "ada",
        "at": datetime(2025, 1, 1, tzinfo=UTC),
        "cash": Decimal(10_000),
        "unrealized_pnl": 0,
        "equity": Decimal(10_000),
        "margin_used": 0,
        "maintenance_margin": 0,
    }


def test_types_of_the_files(folder):
    schema = pq.read_schema(folder / "orders.parquet")
    types = {field.name: str(field.type) for field in schema}
    assert types["quantity"] == types["limit_price"] == "decimal128(38, 12)"
    assert types["ended_at"] == "timestamp[ms, tz=UTC]"
    assert types["sequence"] == types["leverage"] == "int64"
    assert types["reduce_only"] == "bool"
    assert types["symbol"] == "string"
    column = pq.read_table(folder / "orders.parquet")
    assert column["refusal_code"].null_count > 0
    assert "" not in column["refusal_code"].to_pylist()


def test_no_file_tells_of_the_machine(folder):
    for path in folder.iterdir():
        content = path.read_bytes()
        assert str(folder.parent).encode() not in content
        assert os.uname().nodename.encode() not in content


def test_a_folder_that_holds_something_is_refused(books, tmp_path):
    (tmp_path / "note").write_text("mine")
    with pytest.raises(FolderNotEmpty, match="not empty"):
        write_books(books=books, folder=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["note"]


def test_a_file_in_the_way_is_refused(books, tmp_path):
    (tmp_path / "season").write_text("mine")
    for target in (tmp_path / "season", tmp_path / "season" / "inside"):
        with pytest.raises(NotWritable):
            write_books(books=books, folder=target)
    assert (tmp_path / "season").read_text() == "mine"


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is closed to root")
def test_a_closed_folder_is_refused(books, tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(NotWritable, match="Permission"):
        write_books(books=books, folder=tmp_path / "season")


@pytest.mark.parametrize(
    ("error", "raised"),
    [(OSError(28, "No space left on device"), NotWritable), (KeyboardInterrupt(), KeyboardInterrupt)],
    ids=["disk full", "interrupt"],
)
@pytest.mark.parametrize("target", ["season", "new/season"])
def test_whatever_happens_nothing_half_written_stays(books, tmp_path, monkeypatch, error, raised, target):
    write = writing.write_table

    def fail_late(folder, books, name):
        if name == "equity":
            raise error
        return write(folder, books, name)

    monkeypatch.setattr(writing, "write_table", fail_late)
    with pytest.raises(raised):
        write_books(books=books, folder=tmp_path / target)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["missing", "truncated", "empty", "foreign"])
def test_a_damaged_file_is_named(folder, name, damage):
    path = folder / name
    content = path.read_bytes()
    path.unlink()
    if damage != "missing":
        path.write_bytes({"truncated": content[: len(content) // 2], "empty": b"", "foreign": b"PAR1 no"}[damage])
    with pytest.raises(UnreadableExport, match=name):
        read_books(folder)


def test_a_table_of_another_is_foreign(folder):
    (folder / "fills.parquet").write_bytes((folder / "orders.parquet").read_bytes())
    with pytest.raises(ForeignTable, match=r"fills\.parquet"):
        read_books(folder)


def test_no_folder_at_all(tmp_path):
    with pytest.raises(UnreadableExport, match="not a folder"):
        read_books(tmp_path / "nowhere")


@given(st.lists(st.tuples(INT64, st.booleans()), min_size=1))
def test_decimals_come_back(cells):
    present = np.array([there for _, there in cells])
    column = decimals([units for units, _ in cells], present=present)
    array = to_arrow(column, name="x")
    wanted = [Decimal(units).scaleb(-8) if there else None for units, there in cells]
    assert array.to_pylist() == wanted
    back = from_arrow(array, name="x")
    assert back.values[present].tolist() == column.values[present].tolist()


@given(st.lists(st.tuples(st.integers(-(2**61), 2**61), st.sampled_from([1, 10**5, 10**8, 10**10])), min_size=1))
def test_quantities_come_back_however_large(cells):
    array = to_arrow(quantities([lots for lots, _ in cells], [step for _, step in cells]), name="x")
    units = [lots * step for lots, step in cells]
    assert [int(value.scaleb(8)) for value in array.to_pylist()] == units
    back = from_arrow(array, name="x")
    steps = np.ones(len(units)) if back.step is None else back.step
    assert [int(a) * int(b) for a, b in zip(back.values, steps, strict=True)] == units


def test_a_quantity_beyond_a_file_is_refused():
    with pytest.raises(TooLargeNumber):
        to_arrow(quantities([2**62], [10**17]), name="x")


def test_a_table_without_rows(books, tmp_path):
    empty = {
        name: replace(column, values=column.values[:0], present=None if column.present is None else column.present[:0])
        for name, column in books.tables["funding"].items()
    }
    empty = {name: replace(column, step=None) for name, column in empty.items()}
    write_books(books=replace(books, tables={**books.tables, "funding": empty}), folder=tmp_path / "season")
    assert len(read_books(tmp_path / "season").tables["funding"]["agent"]) == 0
