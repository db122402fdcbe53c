"""Whatever cell of the books is changed, the checker finds it and names the place."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitnerve.domain.ledger.canonical import books_sha256
from bitnerve.domain.ledger.checker import check_books
from bitnerve.domain.ledger.difference import BrokenBooks
from bitnerve.domain.ledger.tables import BOOLEAN, HASHED, TABLES, TEXT, TIME, Books, Column, row_count
from bitnerve.domain.units import SCALE
from bitnerve.engine.export import make_books
from bitnerve.engine.leaderboard import check_leaderboard
from tests.domain.ledger.seasons import make_run

CELLS = [(name, field.name) for name, fields in TABLES.items() for field in fields]

FREE = {
    ("decisions", "action"),
    ("decisions", "confidence"),
    ("decisions", "reason"),
    ("decisions", "verdict"),
}
"""Said by an agent or about it; nothing else in the books follows from them."""

# What the rules alone, without the sha256, need not find in every row: the terms of an order that never filled, the
# time at which one was given up, and prices of the market, which the files do not hold (a mark shows in an amount
# only when the change is worth a unit, and a base price only where it would make the taker's price too good).
PARTLY_FREE = {
    ("orders", field)
    for field in (
        "ended_at",
        "symbol",
        "side",
        "type",
        "reduce_only",
        "margin_mode",
        "quantity",
        "limit_price",
        "trigger_price",
        "leverage",
        "refusal_code",
        "reason",
    )
} | {("fills", "base_price"), ("funding", "mark_price"), ("funding", "rate"), ("positions", "mark_price")}


def changed(books: Books, name: str, field: str, row: int, amount: int = 1) -> Books:
    """Return the books with one cell changed: a number by `amount`, a text to another or longer one, a null filled."""
    column = books.tables[name][field]
    values, words, present = column.values.copy(), list(column.words), column.present
    if column.kind == TEXT:
        old = words[values[row]] if words else ""
        others = sorted(set(words) - {old}) if field not in ("order_id", "fill_id", "posting_id", "source_id") else []
        words.append(others[(amount - 1) % len(others)] if others else f"{old}0")
        values[row] = len(words) - 1
    elif column.kind == BOOLEAN:
        values[row] = 1 - values[row]
    elif column.kind == TIME:
        values[row] += amount * 1000
    else:
        values[row] += amount
    if present is not None:
        present = present.copy()
        present[row] = True
    table = {**books.tables[name], field: Column(column.kind, values, words, column.step, present)}
    return replace(books, tables={**books.tables, name: table})


def restamped(books: Books) -> Books:
    return replace(books, season={**books.season, "books_sha256": books_sha256(books.tables)})


def is_noticed(books: Books) -> bool:
    try:
        check_books(books)
        check_leaderboard(books)
    except BrokenBooks as broken:
        named = broken.file and broken.field and broken.stored != broken.recomputed
        return bool(named) and broken.file in str(broken)
    return False


@pytest.mark.parametrize("seed", range(12))
def test_books_of_the_kernel_are_clean(seed):
    books = make_books(run=make_run(seed=seed))
    report = check_books(books)
    check_leaderboard(books)
    assert report.books_sha256 == books.season["books_sha256"]
    assert report.rows == {name: row_count(table) for name, table in books.tables.items()}


def test_the_season_has_everything_in_it(books):
    def words(name, field):
        column = books.tables[name][field]
        there = column.values if column.present is None else column.values[column.present]
        return {column.words[code] for code in there.tolist()}

    assert words("postings", "kind") == {"START", "FILL", "FUNDING", "LIQUIDATION_FEE", "SHORTFALL"}
    assert words("orders", "status") >= {"FILLED", "REJECTED", "CANCELED", "EXPIRED", "ACKED"}
    assert words("positions", "margin_mode") == {"CROSS", "ISOLATED"}
    assert words("fills", "liquidity") == {"MAKER", "TAKER"}
    assert words("fills", "reason") >= {"ENTRY", "EXIT", "STOP", "TAKE_PROFIT", "TRAILING", "LIQUIDATION"}
    assert not books.tables["funding"]["amount"].present.all()


@pytest.mark.parametrize(("name", "field"), CELLS, ids=[f"{name}-{field}" for name, field in CELLS])
def test_one_changed_cell_is_noticed(books, name, field):
    if (name, field) in FREE:
        pytest.skip("nothing else in the books follows from it")
    rows = row_count(books.tables[name])
    for row in {0, rows // 3, rows // 2, rows - 1}:
        assert is_noticed(changed(books, name, field, row)), row


@pytest.mark.parametrize(("name", "field"), CELLS, ids=[f"{name}-{field}" for name, field in CELLS])
def test_one_changed_cell_is_noticed_without_the_hash(books, name, field):
    if (name, field) in FREE | PARTLY_FREE:
        pytest.skip("not in every row does something else follow from it")
    rows = row_count(books.tables[name])
    for row in {0, rows // 3, rows // 2, rows - 1}:
        for amount in (1, -1, 7 * SCALE):
            assert is_noticed(restamped(changed(books, name, field, row, amount))), (row, amount)


@pytest.mark.parametrize(("name", "field"), sorted(PARTLY_FREE))
def test_a_changed_cell_is_noticed_where_something_follows_from_it(books, name, field):
    rows = row_count(books.tables[name])
    amount = 1 if TABLES[name][[one.name for one in TABLES[name]].index(field)].kind == TEXT else 60 * SCALE
    noticed = [is_noticed(restamped(changed(books, name, field, row, amount))) for row in range(0, rows, 7)]
    assert sum(noticed) > len(noticed) // 3, f"{sum(noticed)} of {len(noticed)}"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_changed_cell_of_the_books_is_noticed(books, data):
    name, field = data.draw(st.sampled_from([cell for cell in CELLS if cell[0] in HASHED]))
    row = data.draw(st.integers(0, row_count(books.tables[name]) - 1))
    amount = data.draw(st.integers(-(10**12), 10**12).filter(bool))
    assert is_noticed(changed(books, name, field, row, amount))


@pytest.mark.parametrize("name", TABLES)
@pytest.mark.parametrize("place", [0, 0.5, 1])
def test_a_row_left_out_is_noticed(books, name, place):
    table = books.tables[name]
    keep = np.ones(row_count(table), dtype=np.bool_)
    keep[int(place * (len(keep) - 1))] = False
    shorter = {
        field: replace(
            column,
            values=column.values[keep],
            step=None if column.step is None else column.step[keep],
            present=None if column.present is None else column.present[keep],
        )
        for field, column in table.items()
    }
    assert is_noticed(restamped(replace(books, tables={**books.tables, name: shorter})))


def test_the_place_of_a_difference_is_named(books):
    row = 5
    with pytest.raises(BrokenBooks) as caught:
        check_books(changed(books, "fills", "fee", row))
    broken = caught.value
    assert (broken.file, broken.field) == ("fills.parquet", "fee")
    assert broken.where["agent"] == "ada"
    assert broken.where["sequence"] == str(books.tables["fills"]["sequence"].values[row])
    assert broken.stored != broken.recomputed


@pytest.mark.parametrize("rule", ["capital", "tick", "bar", "liquidation_fee_rate", "asset"])
def test_another_rule_is_noticed(books, rule):
    rules = dict(books.season["rules"])
    rules[rule] = {"capital": "10001", "tick": 301, "bar": 59, "liquidation_fee_rate": "0.00001", "asset": "USDC"}[rule]
    assert is_noticed(replace(books, season={**books.season, "rules": rules}))


def test_another_seed_is_noticed(books):
    assert is_noticed(replace(books, season={**books.season, "seed": 8}))


@pytest.mark.parametrize("field", ["taker_fee_rate", "maker_fee_rate", "lot_size", "tick_size"])
def test_another_instrument_is_noticed(books, field):
    instruments = [dict(one) for one in books.season["instruments"]]
    instruments[0][field] = {"lot_size": "0.01", "tick_size": "0.5"}.get(field, "0.0006")
    assert is_noticed(replace(books, season={**books.season, "instruments": instruments}))


def test_every_figure_of_the_leaderboard_is_checked(books):
    for place, standing in enumerate(books.leaderboard["standings"]):
        for field, value in standing.items():
            standings = [dict(one) for one in books.leaderboard["standings"]]
            standings[place][field] = value + "1" if isinstance(value, str) else (value or 0) + 1
            assert is_noticed(replace(books, leaderboard={**books.leaderboard, "standings": standings})), field
