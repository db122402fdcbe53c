"""Which rows does a recorded file hold for one symbol, and how is the first one named that breaks a rule?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from bitnerve.domain.errors import Refusal
from bitnerve.domain.timeframe import instant_text, parse_instant

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

EARLIEST_AT = parse_instant("2000-01-01", field="earliest time")
LATEST_AT = parse_instant("2100-01-01", field="latest time")


class ImplausibleTime(Refusal):
    """A time that only a mix-up of seconds, milliseconds and microseconds explains."""

    code = "IMPLAUSIBLE_TIME"


class DuplicateTime(Refusal):
    """Two rows of one symbol with one time."""

    code = "DUPLICATE_TIME"


class UnsortedTime(Refusal):
    """A row of a symbol that is older than the row before it."""

    code = "UNSORTED_TIME"


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of one symbol in one file, in the order of the file."""

    file: str
    """The file's name, without folders."""
    symbol: str
    row: Integers
    """Position in the file, from 0."""
    at: Integers
    """Milliseconds; empty in a file without times."""
    table: Any
    """The columns as an Arrow table: texts as they are, numbers as doubles."""

    def numbers(self, field: str) -> Floats:
        """Return a column of numbers; a missing value is NaN."""
        values: Floats = self.table.column(field).to_numpy()
        return values

    def text(self, field: str) -> str:
        """Return the first row's text."""
        return str(self.table.column(field)[0].as_py())

    def place(self, index: int) -> str:
        """Return how a message names row `index` of this symbol: file, row in the file, symbol and time."""
        when = f", {_instant(int(self.at[index]))}" if self.at.size else ""
        return f"{self.file}: row {self.row[index]} ({self.symbol}{when})"


def refuse_first(
    error: type[Refusal], broken: Flags, rows: Rows, field: str, rule: str, **found: npt.NDArray[Any]
) -> None:
    """Raise `error` for the first row that is marked in `broken`, or do nothing.

    The message shows the numbers found there (default: the field's own); names in `_at` are instants.
    """
    if not broken.any():
        return
    index = int(np.argmax(broken))
    columns = found or {field: rows.numbers(field)}
    numbers = {name: values[index].item() for name, values in columns.items()}
    shown = ", ".join(f"{name} {_shown(name, number)}" for name, number in numbers.items())
    raise error(
        f"{rows.place(index)}: {field} {rule}; found {shown}",
        file=rows.file,
        row=int(rows.row[index]),
        symbol=rows.symbol,
        at=int(rows.at[index]) if rows.at.size else None,
        field=field,
        rule=rule,
        found=numbers,
    )


def check_times(rows: Rows) -> None:
    """Raise unless the times are plausible and rise from row to row."""
    at = rows.at
    implausible = (at < EARLIEST_AT) | (at >= LATEST_AT)
    refuse_first(ImplausibleTime, implausible, rows, "ts", "must lie in the years 2000 to 2099", milliseconds=at)
    previous_at = np.concatenate([at[:1] - 1, at[:-1]])
    refuse_first(UnsortedTime, at < previous_at, rows, "ts", "must rise", ts_at=at, previous_at=previous_at)
    refuse_first(DuplicateTime, at == previous_at, rows, "ts", "must not repeat", previous_at=previous_at)


def _instant(at: int) -> str:
    return instant_text(at) if EARLIEST_AT <= at < LATEST_AT else f"{at} ms"


def _shown(name: str, value: Any) -> str:
    return _instant(value) if name.endswith("_at") else repr(value)
