"""What does a Parquet file hold, is it what its role asks for, and which of its rows are wanted?"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bitnerve.adapters.recordings.rows import Rows, refuse_first
from bitnerve.domain.errors import Refusal
from bitnerve.domain.market.recording import Source

_MAGIC = b"PAR1"
_PER_MS = {"ms": 1, "us": 1_000, "ns": 1_000_000}


class UnreadableFile(Refusal):
    """A path that is missing, a folder, or closed to us."""

    code = "UNREADABLE_FILE"


class NotParquet(Refusal):
    """A file that is something else."""

    code = "NOT_PARQUET"


class DamagedParquet(Refusal):
    """A Parquet file that was cut short or changed."""

    code = "DAMAGED_PARQUET"


class EmptyFile(Refusal):
    """A file without bytes, or without rows."""

    code = "EMPTY_FILE"


class MissingColumn(Refusal):
    """A file that lacks a column of its role, or has it twice."""

    code = "MISSING_COLUMN"


class WrongColumnType(Refusal):
    """A column whose type cannot carry what its name promises."""

    code = "WRONG_COLUMN_TYPE"


class MissingValue(Refusal):
    """A row without a symbol, a text or a time."""

    code = "MISSING_VALUE"


class TooFineTime(Refusal):
    """A time between two milliseconds."""

    code = "TOO_FINE_TIME"


@dataclass(frozen=True, slots=True)
class Schema:
    """The columns that a role asks for; their order is free and others are ignored."""

    numbers: tuple[str, ...]
    """Whether a single number may be missing is for the rules of the role to say."""
    texts: tuple[str, ...] = ("exchange",)
    optional: tuple[str, ...] = ()
    """Columns of numbers that may be absent; they then read as missing throughout."""
    symbol: str = "symbol"
    timed: bool = True
    """Whether each row has a `ts`."""

    @property
    def required(self) -> tuple[str, ...]:
        """The columns that must be there."""
        return (self.symbol, *self.texts, *(("ts",) if self.timed else ()), *self.numbers)


@dataclass(frozen=True, slots=True)
class Input:
    """An open file that satisfies its schema."""

    source: Source
    schema: Schema
    symbols: tuple[str, ...]
    """All its symbols, by name."""
    exchanges: tuple[str, ...]
    parquet: Any

    @property
    def name(self) -> str:
        """The file's name, without folders."""
        return self.source.name


def open_input(path: Path, *schemas: Schema) -> Input:
    """Return the file, hashed and parsed from the same bytes, as the schema it fits best, or raise."""
    content = _read_bytes(path)
    source = Source(name=path.name, sha256=hashlib.sha256(content).hexdigest())
    with _naming_damage(path.name):
        parquet = pq.ParquetFile(pa.BufferReader(content))
        if not parquet.metadata.num_rows:
            raise EmptyFile(f"{path.name}: has no rows", file=path.name)
        schema = _choose_schema(path.name, parquet.schema_arrow, schemas)
        # Who is in the file is read of all rows now, the other columns later and of the wanted rows only.
        who = parquet.read(columns=[schema.symbol, "exchange"])
        symbols, exchanges = who.column(schema.symbol), who.column("exchange")
        if symbols.null_count:
            row = int(np.argmax(symbols.is_null().to_numpy()))
            raise MissingValue(f"{path.name}: row {row}: {schema.symbol} is missing", file=path.name, row=row)
        names, origins = _names(symbols), _names(exchanges.drop_null())
    return Input(source=source, schema=schema, symbols=names, exchanges=origins, parquet=parquet)


def read_rows(opened: Input, *, symbols: Collection[str]) -> Iterator[Rows]:
    """Yield the rows of each of these symbols that the file holds, by symbol."""
    wanted = set(symbols) & set(opened.symbols)
    if not wanted:
        return
    with _naming_damage(opened.name):
        table, row = _read_groups(opened, wanted)
        codes, names = _encode(table.column(opened.schema.symbol))
    for name in sorted(wanted):
        where = np.flatnonzero(codes == names.index(name))
        in_one_piece = where[-1] - where[0] == len(where) - 1
        part = table.slice(where[0], len(where)) if in_one_piece else table.take(where)
        yield _make_rows(opened, name, row[where], part)


@contextmanager
def _naming_damage(file: str) -> Iterator[None]:
    """Turn whatever Arrow says about bytes that it cannot read into `DamagedParquet`."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DamagedParquet(f"{file}: is damaged: {error}", file=file) from error


def _read_bytes(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise UnreadableFile(f"{path.name}: there is no such file", file=path.name) from None
    except IsADirectoryError:
        raise UnreadableFile(f"{path.name}: is a folder, not a file", file=path.name) from None
    except OSError as error:
        raise UnreadableFile(f"{path.name}: cannot be read: {error.strerror}", file=path.name) from None
    if not content:
        raise EmptyFile(f"{path.name}: is empty (0 bytes)", file=path.name)
    if not content.startswith(_MAGIC):
        raise NotParquet(f"{path.name}: is not a Parquet file: it begins with {content[:4]!r}", file=path.name)
    if not content.endswith(_MAGIC):
        raise DamagedParquet(f"{path.name}: is cut short: {len(content)} bytes without an end mark", file=path.name)
    return content


def _choose_schema(file: str, columns: Any, schemas: Sequence[Schema]) -> Schema:
    def lacking(schema: Schema) -> list[str]:
        return [name for name in schema.required if columns.names.count(name) != 1]

    schema = min(schemas, key=lambda one: len(lacking(one)))
    if missing := lacking(schema):
        has = ", ".join(columns.names)
        raise MissingColumn(f"{file}: needs each of {', '.join(missing)} once; has {has}", file=file, missing=missing)
    for name in (*schema.required, *schema.optional):
        if name in columns.names:
            _check_type(file, name, columns.field(name).type, schema)
    return schema


def _check_type(file: str, name: str, found: Any, schema: Schema) -> None:
    plain = found.value_type if pa.types.is_dictionary(found) else found
    if name == "ts":
        fits = pa.types.is_timestamp(found) and found.unit in _PER_MS and found.tz is not None
        rule = "a timestamp with a time zone"
    elif name == schema.symbol or name in schema.texts:
        fits, rule = pa.types.is_string(plain) or pa.types.is_large_string(plain), "text"
    else:
        # A float32 has no shortest decimal text of its own once it is widened, so it is not a number here.
        fits = pa.types.is_float64(found) or pa.types.is_integer(found) or pa.types.is_null(found)
        rule = "a double or an integer"
    if not fits:
        raise WrongColumnType(f"{file}: column {name} must be {rule}, not {found}", file=file, field=name)


def _read_groups(opened: Input, wanted: set[str]) -> tuple[Any, Any]:
    """Return the rows of the row groups that may hold the wanted symbols, and their positions in the file."""
    schema, metadata = opened.schema, opened.parquet.metadata
    have = set(opened.parquet.schema_arrow.names)
    columns = [name for name in (*schema.required, *schema.optional) if name in have]
    sizes = [metadata.row_group(group).num_rows for group in range(metadata.num_row_groups)]
    begins = np.cumsum([0, *sizes])
    groups = [group for group in range(len(sizes)) if _may_hold(metadata.row_group(group), schema.symbol, wanted)]
    table = opened.parquet.read_row_groups(groups, columns=columns)
    # Texts are not checked while they are read.
    table.validate(full=True)
    for name in (*schema.numbers, *schema.optional):
        table = _with_doubles(table, name)
    return table, np.concatenate([np.arange(begins[group], begins[group + 1]) for group in groups])


def _encode(column: Any) -> tuple[Any, list[str]]:
    """Return each row's text as a number, and the texts by number."""
    encoded = column.dictionary_encode().unify_dictionaries().combine_chunks()
    return encoded.indices.to_numpy(), encoded.dictionary.to_pylist()


def _names(column: Any) -> tuple[str, ...]:
    codes, names = _encode(column)
    return tuple(sorted(names[code] for code in np.unique(codes)))


def _may_hold(group: Any, column: str, wanted: set[str]) -> bool:
    for index in range(group.num_columns):
        chunk = group.column(index)
        if chunk.path_in_schema == column and chunk.statistics is not None and chunk.statistics.has_min_max:
            return any(chunk.statistics.min <= name <= chunk.statistics.max for name in wanted)
    return True


def _with_doubles(table: Any, name: str) -> Any:
    """Return the table with the column as doubles, all of them missing where the column is."""
    index = table.schema.get_field_index(name)
    if index < 0:
        return table.append_column(name, pa.nulls(len(table), pa.float64()))
    # An integer above 2^53 loses digits here and is out of any range that is checked later.
    return table.set_column(index, name, table.column(index).cast(pa.float64(), safe=False))


def _make_rows(opened: Input, symbol: str, row: Any, table: Any) -> Rows:
    schema = opened.schema
    untimed = Rows(file=opened.name, symbol=symbol, row=row, at=np.zeros(0, dtype=np.int64), table=table)
    for name in (*schema.texts, *(("ts",) if schema.timed else ())):
        missing = table.column(name).is_null().to_numpy()
        if missing.any():
            place = untimed.place(int(np.argmax(missing)))
            raise MissingValue(f"{place}: {name} is missing", file=opened.name, field=name)
    if not schema.timed:
        return untimed
    times = table.column("ts")
    ticks, per_ms = times.cast(pa.int64()).to_numpy(), _PER_MS[times.type.unit]
    rows = Rows(file=opened.name, symbol=symbol, row=row, at=ticks // per_ms, table=table)
    rest = ticks % per_ms
    refuse_first(TooFineTime, rest != 0, rows, "ts", "must be whole milliseconds", rest_of_a_millisecond=rest / per_ms)
    return rows
