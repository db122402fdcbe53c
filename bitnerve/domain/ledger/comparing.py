"""Which is the first cell of a stored table that is not what was made of it once more?"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bitnerve.domain.ledger.difference import BrokenBooks, differ, first, told
from bitnerve.domain.ledger.tables import ROW_KEYS, TEXT, Column, Table, row_count

Flags = npt.NDArray[np.bool_]


def compare_tables(tables: Mapping[str, Table], name: str, made: Table) -> None:
    """Raise `BrokenBooks` for the first row of a table that differs from the one made, or stands in one of them only.

    Both are ordered by the keys of their rows; the columns of `made` are compared.
    """
    stored = tables[name]
    count = min(row_count(stored), row_count(made))
    same = {field: _same(stored[field], made[field], count) for field in made}
    wrong = np.zeros(count, dtype=np.bool_)
    for flags in same.values():
        wrong |= ~flags
    row = first(wrong)
    if row is None:
        if row_count(stored) == row_count(made):
            return
        row = count
    keys = [key for key in ROW_KEYS[name] if key in made]
    if row < count and all(same[key][row] for key in keys):
        field = next(field for field in made if not same[field][row])
        raise differ(tables, name, row, field, told(made[field], row))
    here = _keys_of(stored, keys, row) if row < row_count(stored) else None
    there = _keys_of(made, keys, row) if row < row_count(made) else None
    is_missing = here is None or (there is not None and there < here)
    table = made if is_missing else stored
    raise BrokenBooks(
        file=f"{name}.parquet",
        where={key: told(table[key], row) for key in keys},
        field="row",
        stored="missing" if is_missing else "there",
        recomputed="there" if is_missing else "none",
    )


def _keys_of(table: Table, keys: list[str], row: int) -> tuple[Any, ...]:
    return tuple(
        table[key].words[int(table[key].values[row])] if table[key].kind == TEXT else int(table[key].values[row])
        for key in keys
    )


def _same(stored: Column, made: Column, count: int) -> Flags:
    """Return for each of the first rows whether two columns say the same."""
    one, two = stored.values[:count], made.values[:count]
    if stored.kind == TEXT:
        codes = {word: code for code, word in enumerate(made.words)}
        known = np.array([codes.get(word, -1) for word in stored.words] or [-1], dtype=np.int64)
        # A word may stand twice in the list of the made ones: any of its places will do.
        first_of = np.array([codes[word] for word in made.words] or [-2], dtype=np.int64)
        same: Flags = known[one] == first_of[two]
    elif stored.step is None and made.step is None:
        same = np.equal(one, two)
    else:
        same = _products_agree(stored, made, count)
    here = np.ones(count, dtype=np.bool_) if stored.present is None else stored.present[:count]
    there = np.ones(count, dtype=np.bool_) if made.present is None else made.present[:count]
    agree: Flags = (here == there) & (same | ~here)
    return agree


def _products_agree(stored: Column, made: Column, count: int) -> Flags:
    ones = np.ones(count, dtype=np.int64)
    steps = [ones if column.step is None else column.step[:count] for column in (stored, made)]
    if np.array_equal(steps[0], steps[1]):
        same: Flags = stored.values[:count] == made.values[:count]
        return same
    rows = zip(
        stored.values[:count].tolist(), steps[0].tolist(), made.values[:count].tolist(), steps[1].tolist(), strict=True
    )
    return np.array([value * step == other * width for value, step, other, width in rows], dtype=np.bool_)
