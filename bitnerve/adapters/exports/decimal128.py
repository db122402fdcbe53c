"""How do exact integers become the 128-bit decimals of a Parquet file and come back, without a Python object a row?

A decimal128 is two 64-bit limbs, the lower one first, in two's complement. Files hold twelve decimals, the books eight.
"""

from __future__ import annotations

from math import gcd
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from bitnerve.domain.errors import Refusal
from bitnerve.domain.kernel import INT64_MAX
from bitnerve.domain.ledger.tables import DECIMAL, Column

TYPE = pa.decimal128(38, 12)
_UNITS_TYPE = pa.decimal128(38, 8)
_FINER = 10**4
"""Steps of 10⁻¹² in one of 10⁻⁸."""
_DIGITS = 10**38
_HALF = np.int64(32)
_STEP_MAX = 10**18

Integers = npt.NDArray[np.int64]


class TooLargeNumber(Refusal):
    """A number that does not fit into the 38 digits of a file, or not back into 64 bits."""

    code = "TOO_LARGE_NUMBER"


def to_arrow(column: Column, *, name: str) -> Any:
    """Return a column of decimals as an Arrow array, or raise `TooLargeNumber`."""
    limbs = np.empty((len(column), 2), dtype=np.int64)
    values = column.values
    wide = np.zeros(0, dtype=np.int64)
    if column.step is not None:
        # A magnitude of the smallest integer would stay below zero, so it counts as too wide as well.
        wide = np.flatnonzero((np.abs(values) > INT64_MAX // column.step) | (values == -INT64_MAX - 1))
        steps = column.step.copy()
        steps[wide] = 0
        values = values * steps
    # value × 10⁴ in two halves: the upper limb is what the halves carry, the lower one wraps by itself.
    carried = (values >> _HALF) * _FINER + (((values & 0xFFFFFFFF) * _FINER) >> _HALF)
    limbs[:, 0] = (values.view(np.uint64) * np.uint64(_FINER)).view(np.int64)
    limbs[:, 1] = carried >> _HALF
    for row in wide.tolist():
        assert column.step is not None
        number = int(column.values[row]) * int(column.step[row]) * _FINER
        if abs(number) >= _DIGITS:
            raise TooLargeNumber(f"{name}: a number of row {row} does not fit into decimal128(38, 12)", column=name)
        limbs[row] = np.frombuffer(number.to_bytes(16, "little", signed=True), dtype=np.int64)
    return pa.Array.from_buffers(TYPE, len(column), [validity(column), pa.py_buffer(limbs)])


def validity(column: Column) -> Any:
    """Return the bitmap of the cells that are there, or None when all are."""
    if column.present is None:
        return None
    return pa.py_buffer(np.packbits(column.present, bitorder="little"))


def from_arrow(array: Any, *, name: str) -> Column:
    """Return an Arrow array of decimals as a column, or raise `TooLargeNumber`, also for a finer one than 10⁻⁸."""
    try:
        array = array.cast(_UNITS_TYPE)
    except pa.ArrowInvalid:
        raise TooLargeNumber(f"{name}: a number has more than 8 decimals or too many digits", column=name) from None
    limbs = np.frombuffer(array.buffers()[1], dtype=np.int64).reshape(-1, 2)[array.offset : array.offset + len(array)]
    present = present_of(array)
    values, upper = limbs[:, 0].copy(), limbs[:, 1]
    if present is not None:
        # What stands under a null is nobody's.
        values[~present] = 0
        upper = np.where(present, upper, 0)
    wide = np.flatnonzero(upper != values >> 63)
    if not wide.size:
        return Column(DECIMAL, values, present=present)
    step = np.ones(len(values), dtype=np.int64)
    for row in wide.tolist():
        number = (int(upper[row]) << 64) + (int(values[row]) & 0xFFFFFFFFFFFFFFFF)
        step[row] = gcd(number, _STEP_MAX)
        if abs(number) // int(step[row]) > INT64_MAX:
            raise TooLargeNumber(f"{name}: the number of row {row} does not fit into 64 bits", column=name)
        values[row] = number // int(step[row])
    return Column(DECIMAL, values, step=step, present=present)


def present_of(array: Any) -> npt.NDArray[np.bool_] | None:
    """Return where an Arrow array has values, or None when it has no null."""
    if not array.null_count:
        return None
    present: npt.NDArray[np.bool_] = array.is_valid().to_numpy(zero_copy_only=False)
    return present
