"""How do integers of the engine go into exact columns, many rows at a time, and come back?

Units become decimals, and decimals units, by one exact multiplication inside the database (rule M1): no float, no
rounding, and the domains of the columns refuse what does not fit. Rows go in as arrays: one statement, whatever their
number.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Kind:
    """What kind of value a column holds: the array it travels in, and how it is written from `{}`."""

    array: str
    written: str = "{}"


INTEGER = Kind("bigint[]")
TEXT = Kind("text[]")
BOOLEAN = Kind("bigint[]", "{} <> 0")
UNITS = Kind("bigint[]", "{} * 0.00000001")
UNITS_OR_NONE = Kind("bigint[]", "NULLIF({}, 0) * 0.00000001")
"""A price where 0 says that there is none."""
LOTS = Kind("bigint[]", "{} * instrument.lot_size")
"""A quantity; the rows name their instrument."""
TIME = Kind("bigint[]", "to_timestamp(0) + {} * interval '1 millisecond'")
TIME_OR_NONE = Kind("bigint[]", "CASE WHEN {0} >= 0 THEN to_timestamp(0) + {0} * interval '1 millisecond' END")
FLOAT = Kind("double precision[]")
JSON = Kind("jsonb[]")
NOW = Kind("bigint[]", "clock_timestamp() + {} * interval '1 millisecond'")
"""The database's own time."""

_NUMBERS = (INTEGER.array, FLOAT.array)

Values = Mapping[str, tuple[Kind, Any]]
"""The columns of some rows: a kind, and one value per row (a sequence or an array)."""


def units(column: str) -> str:
    """Return the expression that reads an exact column, or what is made of such, in units of 10⁻⁸."""
    return f"(({column}) * 100000000)::bigint"


def lots(column: str) -> str:
    """Return the expression that reads a quantity in lots of its `instrument`."""
    return f"div(({column}), instrument.lot_size)::bigint"


def milliseconds(column: str) -> str:
    """Return the expression that reads an instant in milliseconds."""
    return f"(extract(epoch FROM {column}) * 1000)::bigint"


def rows_of(values: Values) -> tuple[str, list[Any]]:
    """Return `unnest(…) AS row (…)` over the values, and its parameters."""
    arrays = ", ".join(f"%s::{kind.array}" for kind, _ in values.values())
    names = ", ".join(f'"{name}"' for name in values)
    return f"unnest({arrays}) AS row ({names})", [_literal(kind, column) for kind, column in values.values()]


def written(values: Values) -> dict[str, str]:
    """Return how each column of the rows is written into its table."""
    return {name: kind.written.format(f'row."{name}"') for name, (kind, _) in values.items()}


def insert(cursor: Any, table: str, values: Values, *, ending: str = "") -> int:
    """Insert rows in one statement and return how many; those with LOTS have an `instrument_id`."""
    source, parameters = rows_of(values)
    expressions = written(values)
    names = ", ".join(f'"{name}"' for name in expressions)
    joined = ""
    if any(kind is LOTS for kind, _ in values.values()):
        joined = ' JOIN market_instrument instrument ON instrument.id = row."instrument_id"'
    cursor.execute(
        f'INSERT INTO "{table}" ({names}) SELECT {", ".join(expressions.values())} FROM {source}{joined} {ending}',
        parameters,
    )
    return int(cursor.rowcount)


def update(cursor: Any, table: str, values: Values, *, keys: Sequence[str], also: str = "") -> int:
    """Change rows found by their keys in one statement, and return how many were found.

    `also` is a further condition. Rows with LOTS are of a table `target` that has an `instrument_id`.
    """
    source, parameters = rows_of(values)
    expressions = written(values)
    changes = ", ".join(f'"{name}" = {expressions[name]}' for name in expressions if name not in keys)
    found = " AND ".join(f'target."{key}" = row."{key}"' for key in keys)
    joined = ""
    if any(kind is LOTS for kind, _ in values.values()):
        joined, found = ", market_instrument instrument", f"{found} AND instrument.id = target.instrument_id"
    cursor.execute(f'UPDATE "{table}" AS target SET {changes} FROM {source}{joined} WHERE {found} {also}', parameters)
    return int(cursor.rowcount)


def new_ids(cursor: Any, table: str, count: int) -> list[int]:
    """Return so many fresh ids of a table, so that rows may name each other before they are written."""
    cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [table, count])
    return [row[0] for row in cursor.fetchall()]


def read_integers(
    cursor: Any, query: str, parameters: Sequence[Any], width: int
) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return the rows of a query whose `width` columns are all BIGINT and never null, as an array [row, column].

    Goes through binary COPY: a million rows are no Python objects at any time.
    """
    blocks = []
    # The driver's own cursor: Django's debugging one knows another COPY.
    # It raises the driver's errors; whoever waits for a database that is away knows Django's.
    with (
        cursor.db.wrap_database_errors,
        cursor.cursor.copy(f"COPY ({query}) TO STDOUT (FORMAT BINARY)", parameters) as copy,
    ):
        blocks = [bytes(block) for block in copy]
    data = b"".join(blocks)
    # Source: PostgreSQL manual, COPY, "Binary Format": a header of 19 bytes, then for each row the number of its
    # fields and each field behind its length; a row of −1 fields ends it.
    row = np.dtype([("fields", ">i2"), *[(f"{part}{n}", kind) for n in range(width) for part, kind in _FIELD]])
    found = np.frombuffer(data[19:-2], dtype=row)
    return np.stack([found[f"value{n}"] for n in range(width)], axis=1).astype(np.int64).reshape(-1, width)


_FIELD = (("length", ">i4"), ("value", ">i8"))


def _literal(kind: Kind, column: Any) -> str:
    """Return a column as the text of an array: the driver, which knows no kinds, would look at every value twice."""
    values = column.tolist() if isinstance(column, np.ndarray) else column
    spell = str if kind.array in _NUMBERS else _quote
    return "{" + ",".join("NULL" if value is None else spell(value) for value in values) + "}"


def _quote(value: str) -> str:
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
