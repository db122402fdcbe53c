"""Where do the books say something else than what follows from them?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bitnerve.domain.errors import BitNerveError
from bitnerve.domain.ledger.canonical import cell_text
from bitnerve.domain.ledger.tables import DECIMAL, ROW_KEYS, SEASON_TABLES, TIME, Column, Table
from bitnerve.domain.timeframe import SECOND_MS, instant_text
from bitnerve.domain.units import decimal_text


class BrokenBooks(BitNerveError):
    """The first cell that differs: which file, whose, where, and both values."""

    def __init__(self, *, file: str, where: Mapping[str, str], field: str, stored: str, recomputed: str) -> None:
        place = " ".join(f"{name} {value}" for name, value in where.items())
        super().__init__(f"{file}: {place + ': ' if place else ''}{field} is {stored}, recomputed {recomputed}")
        self.file = file
        self.where = dict(where)
        self.field = field
        self.stored = stored
        self.recomputed = recomputed


_KEYS = ("agent", "sequence", "at", "tick_at", "symbol", "order_id", "fill_id", "account")
_MORE = {name: keys for name, keys in ROW_KEYS.items() if name in SEASON_TABLES}


def differ(tables: Mapping[str, Table], name: str, row: int, field: str, recomputed: str) -> BrokenBooks:
    """Return the difference at one cell of a table; what names its row comes from the row itself."""
    table = tables[name]
    inside = 0 <= row < len(next(iter(table.values())))
    keys = [key for key in _MORE.get(name, _KEYS) if key in table and key != field] if inside else []
    return BrokenBooks(
        file=f"{name}.parquet",
        where={key: told(table[key], row) for key in keys},
        field=field,
        stored=told(table[field], row) if inside and field in table else "missing",
        recomputed=recomputed,
    )


def expect(
    tables: Mapping[str, Table], name: str, field: str, wanted: npt.ArrayLike, *, where: npt.NDArray[Any] | None = None
) -> None:
    """Raise `BrokenBooks` for the first row whose value is not the wanted one; a null counts as different.

    `where` restricts the rows. Texts are compared as indices, by whoever has numbered both alike.
    """
    column = tables[name][field]
    wrong = column.values != np.asarray(wanted)
    if column.present is not None:
        wrong |= ~column.present
    if where is not None:
        wrong &= where
    row = first(wrong)
    if row is not None:
        value = int(np.broadcast_to(np.asarray(wanted), wrong.shape)[row])
        raise differ(tables, name, row, field, value_text(column, value))


def demand(tables: Mapping[str, Table], name: str, field: str, holds: npt.NDArray[np.bool_], rule: str) -> None:
    """Raise `BrokenBooks` for the first row where a rule does not hold."""
    row = first(~holds)
    if row is not None:
        raise differ(tables, name, row, field, rule)


def first(flags: npt.NDArray[np.bool_]) -> int | None:
    """Return the index of the first true flag, or None."""
    index = int(np.argmax(flags)) if len(flags) else 0
    return index if len(flags) and flags[index] else None


def value_text(column: Column, value: int) -> str:
    """Return a recomputed value as its column would spell it."""
    if column.kind == DECIMAL:
        return decimal_text(value)
    return instant_text(value) if column.kind == TIME else str(value)


def told(column: Column, row: int) -> str:
    """Return a cell as a person reads it: without the quotes of JSON, a time inside a second with its milliseconds."""
    text = cell_text(column, row)
    text = str(json.loads(text)) if text.startswith('"') else text
    inside = int(column.values[row]) % SECOND_MS if column.kind == TIME else 0
    return f"{text[:-1]}.{inside:03d}Z" if inside and text.endswith("Z") else text
