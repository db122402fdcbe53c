"""The compiled spelling of the books against the rule's own words, told once more in plain Python."""

import hashlib
import json
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitnerve.domain.ledger.canonical import books_sha256, cell_text, table_bytes
from bitnerve.domain.ledger.tables import (
    BOOLEAN,
    DECIMAL,
    HASHED,
    INTEGER,
    TEXT,
    TIME,
    Column,
    decimals,
    distinct_texts,
    make_column,
    quantities,
)

INT64 = st.integers(-(2**63) + 1, 2**63 - 1)


def spell(column: Column, row: int) -> str:
    if column.present is not None and not column.present[row]:
        return "null"
    value = int(column.values[row])
    if column.kind == TEXT:
        return json.dumps(column.words[value], ensure_ascii=False)
    if column.kind == BOOLEAN:
        return json.dumps(bool(value))
    if column.kind == TIME:
        return datetime.fromtimestamp(value // 1000, UTC).strftime('"%Y-%m-%dT%H:%M:%SZ"')
    if column.kind == INTEGER:
        return str(value)
    return plain(value * (1 if column.step is None else int(column.step[row])))


def plain(units: int) -> str:
    digits = str(abs(units)).rjust(9, "0")
    text = f"{digits[:-8]}.{digits[-8:]}".rstrip("0").rstrip(".")
    return f'"-{text}"' if units < 0 else f'"{text}"'


def test_the_sha256_of_the_books_is_that_of_the_rule(books):
    digest = hashlib.sha256()
    for name in HASHED:
        columns = books.tables[name].values()
        for row in range(len(books.tables[name]["agent"])):
            digest.update(f"[{','.join(spell(column, row) for column in columns)}]\n".encode())
    assert books.season["books_sha256"] == digest.hexdigest() == books_sha256(books.tables)


def test_every_row_is_a_json_array(books):
    for name, table in books.tables.items():
        text = b"".join(bytes(piece) for piece in table_bytes(table)).decode()
        assert len(text.splitlines()) == len(table["agent"]), name
        assert all(len(json.loads(line)) == len(table) for line in text.splitlines())


@given(st.lists(INT64, min_size=1))
def test_a_decimal_is_plain(units):
    column = decimals(units)
    assert [cell_text(column, row) for row in range(len(units))] == [plain(one) for one in units]


@settings(max_examples=1000)
@given(INT64, st.integers(1, 10**17))
def test_a_quantity_is_plain_however_large(lots, step):
    assert cell_text(quantities([lots], [step]), 0) == plain(lots * step)


@given(st.integers(0, 253_402_300_799_999))
def test_a_time_is_told_to_the_second(at):
    assert cell_text(make_column(TIME, [at]), 0) == spell(make_column(TIME, [at]), 0)


@given(st.text(st.characters(codec="utf-8")))
def test_a_text_is_json(word):
    assert cell_text(distinct_texts([word]), 0) == json.dumps(word, ensure_ascii=False)


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (decimals([10 * 10**8]), '"10"'),
        (decimals([-1]), '"-0.00000001"'),
        (decimals([0]), '"0"'),
        (make_column(BOOLEAN, [1]), "true"),
        (make_column(BOOLEAN, [0]), "false"),
        (make_column(INTEGER, [-120]), "-120"),
        (make_column(DECIMAL, [5], present=np.array([False])), "null"),
    ],
)
def test_cells_by_hand(column, text):
    assert cell_text(column, 0) == text


def test_more_rows_than_one_piece_holds():
    rows = 70_000
    text = b"".join(bytes(piece) for piece in table_bytes({"n": make_column(INTEGER, np.arange(rows))}))
    assert text.decode().split() == [f"[{number}]" for number in range(rows)]


def test_a_table_without_rows_has_no_bytes():
    assert list(table_bytes({"n": make_column(INTEGER, []), "word": distinct_texts([])})) == []
