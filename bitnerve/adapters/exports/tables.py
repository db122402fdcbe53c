"""How does a table of the books become an Arrow table and come back?"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bitnerve.adapters.exports import decimal128
from bitnerve.domain.errors import Refusal
from bitnerve.domain.ledger.tables import ALL_TABLES, BOOLEAN, DECIMAL, INTEGER, TEXT, TIME, Column, Field, Table

_FEW_WORDS = 1_000
_FEW_BYTES = 100_000
_ARROW = {
    TEXT: pa.string(),
    DECIMAL: decimal128.TYPE,
    INTEGER: pa.int64(),
    BOOLEAN: pa.bool_(),
    TIME: pa.timestamp("ms", tz="UTC"),
}


class ForeignTable(Refusal):
    """A Parquet file whose columns are not those of its table."""

    code = "FOREIGN_TABLE"


def schema_of(name: str) -> Any:
    """Return the Arrow schema of a table's file."""
    return pa.schema([pa.field(field.name, _ARROW[field.kind], nullable=field.nullable) for field in ALL_TABLES[name]])


def to_arrow(name: str, table: Table) -> Any:
    """Return a table as Arrow; numbers and times share the memory of the columns where they can."""
    arrays = [_array(table[field.name], name=f"{name}.{field.name}") for field in ALL_TABLES[name]]
    fields = [
        pa.field(field.name, array.type, nullable=field.nullable)
        for field, array in zip(ALL_TABLES[name], arrays, strict=True)
    ]
    # A dictionary is how Arrow holds texts in memory; the file says string, for so does the schema it stores.
    return pa.table(arrays, schema=pa.schema(fields))


def _array(column: Column, *, name: str) -> Any:
    if column.kind == DECIMAL:
        return decimal128.to_arrow(column, name=name)
    missing = None if column.present is None else ~column.present
    if column.kind == TEXT:
        codes = pa.array(column.values.astype(np.int32), mask=missing)
        words = pa.array(column.words, type=pa.string())
        # Parquet's writer takes a short dictionary as it is. From a long one, or one that holds a word twice, it would
        # write plain text with unset bytes behind: the same table would not always give the same file.
        if len(words) <= _FEW_WORDS and words.nbytes <= _FEW_BYTES and len(set(column.words)) == len(words):
            return pa.DictionaryArray.from_arrays(codes, words)
        return words.take(codes)
    if column.kind == BOOLEAN:
        return pa.array(column.values != 0, mask=missing)
    buffers = [decimal128.validity(column), pa.py_buffer(np.ascontiguousarray(column.values))]
    return pa.Array.from_buffers(_ARROW[column.kind], len(column), buffers)


def from_arrow(name: str, table: Any) -> Table:
    """Return an Arrow table as columns, or raise `ForeignTable` naming the column that is not as promised."""
    promised = [field.name for field in ALL_TABLES[name]]
    if table.column_names != promised:
        raise ForeignTable(f"{name}.parquet: the columns are {table.column_names}, not {promised}", table=name)
    return {field.name: _column(name, field, table.column(field.name)) for field in ALL_TABLES[name]}


def _column(name: str, field: Field, chunks: Any) -> Column:
    array = chunks.combine_chunks() if chunks.num_chunks != 1 else chunks.chunk(0)
    if isinstance(array, pa.ChunkedArray):
        array = array.chunk(0) if array.num_chunks else pa.array([], type=array.type)
    wanted = _ARROW[field.kind]
    found = array.type.value_type if pa.types.is_dictionary(array.type) else array.type
    if found != wanted:
        raise ForeignTable(f"{name}.parquet: {field.name} is {found}, not {wanted}", table=name, column=field.name)
    if array.null_count and not field.nullable:
        raise ForeignTable(f"{name}.parquet: {field.name} has nulls", table=name, column=field.name)
    if field.kind == DECIMAL:
        return decimal128.from_arrow(array, name=f"{name}.{field.name}")
    present = decimal128.present_of(array)
    if field.kind == TEXT:
        coded = array if pa.types.is_dictionary(array.type) else array.dictionary_encode()
        codes = coded.indices.fill_null(0).to_numpy(zero_copy_only=False).astype(np.int64)
        return Column(TEXT, codes, words=coded.dictionary.to_pylist(), present=present)
    if field.kind == BOOLEAN:
        values = array.fill_null(False).to_numpy(zero_copy_only=False).astype(np.int64)
    else:
        values = pc.fill_null(array.cast(pa.int64()), 0).to_numpy(zero_copy_only=False)
    return Column(field.kind, values, present=present)
