"""Which bytes are the books, whatever library wrote the files, and what is their sha256?

One JSON array per row, columns in the listed order, UTF-8, no spaces, a newline after each. null, true and false are
themselves; texts, times (`YYYY-MM-DDTHH:MM:SSZ`) and decimals are JSON strings, decimals plain, without exponent or
trailing zeros: "0.5", "-12", "100"; integers are JSON numbers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import numpy.typing as npt

from bitnerve.domain.arithmetic import DOWN, wide_add, wide_divide, wide_negate, wide_product
from bitnerve.domain.kernel import inner, integers, kernel, zeros
from bitnerve.domain.ledger.tables import BOOLEAN, DECIMAL, HASHED, TEXT, TIME, Column, Table, row_count
from bitnerve.domain.timeframe import DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS
from bitnerve.domain.units import SCALE

CHUNK_ROWS = 32_768
_WIDTH_MAX = 48
"""Bytes of the longest cell that is no text: 128 bits in decimal, a sign, a point, two quotes and a comma."""
_UPPER = 10**18
_FITS = 9e18
"""A product below this, found in floats, stays below 2⁶³ for certain."""

_COMMA, _MINUS, _POINT, _ZERO, _QUOTE = (ord(character) for character in ',-.0"')
_PAIRS = np.frombuffer("".join(f"{pair:02d}" for pair in range(100)).encode(), dtype=np.uint8)
_NULL, _TRUE, _FALSE = range(3)
_CONSTANTS = ("null", "true", "false")


def books_sha256(tables: Mapping[str, Table]) -> str:
    """Return the sha256 of the books as hex."""
    digest = hashlib.sha256()
    # Neither spelling nor hashing needs the interpreter, so one piece is hashed while the next is spelled.
    with ThreadPoolExecutor(max_workers=1) as hashing:
        pending = hashing.submit(digest.update, b"")
        for name in HASHED:
            for piece in table_bytes(tables[name]):
                pending.result()
                pending = hashing.submit(digest.update, piece)
        pending.result()
    return digest.hexdigest()


def table_bytes(table: Table) -> Iterator[memoryview]:
    """Yield the canonical bytes of a table piece by piece; a piece is overwritten by the next but one."""
    columns, rows = list(table.values()), row_count(table)
    offsets, first_word, blob, longest = _spell([column.words for column in columns])
    chunk = min(CHUNK_ROWS, rows)
    size = chunk * (longest + _WIDTH_MAX * len(columns) + 3)
    buffers = np.empty(size, dtype=np.uint8), np.empty(size, dtype=np.uint8)
    kinds = integers([column.kind for column in columns])
    values, steps, present = (zeros(len(columns), chunk) for _ in range(3))
    for start in range(0, rows, CHUNK_ROWS):
        count = min(chunk, rows - start)
        for number, column in enumerate(columns):
            part = slice(start, start + count)
            values[number, :count] = integers(column.values[part])
            steps[number, :count] = 1 if column.step is None else integers(column.step[part])
            present[number, :count] = 1 if column.present is None else integers(column.present[part])
        buffer = buffers[start // CHUNK_ROWS % 2]
        used = write_rows(kinds, first_word, values, steps, present, offsets, blob, count, buffer)
        yield buffer[:used].data


def _spell(words: list[Any]) -> tuple[Any, Any, npt.NDArray[np.uint8], int]:
    """Return all words as JSON in one array of bytes: offsets, each column's first word, the bytes, the longest row."""
    spelled, first, longest = list(_CONSTANTS), [], 0
    for column in words:
        first.append(len(spelled))
        spelled.extend(_spell_words(column))
        longest += 4 * max(map(len, spelled[first[-1] :]), default=0)
    text = "".join(spelled)
    lengths = map(len, spelled) if text.isascii() else (len(word.encode()) for word in spelled)
    offsets = np.zeros(len(spelled) + 1, dtype=np.int64)
    np.cumsum(np.fromiter(lengths, dtype=np.int64, count=len(spelled)), out=offsets[1:])
    return integers(offsets), integers(first), np.frombuffer(text.encode(), dtype=np.uint8), longest


def _spell_words(words: Sequence[str]) -> list[str]:
    """Return the words as JSON strings, all spelled at once."""
    if not words:
        return []
    # No spelled word contains `","`: a quote inside a word stands after a backslash.
    inside = json.dumps(list(words), ensure_ascii=False, separators=(",", ":"))[2:-2]
    return [f'"{word}"' for word in inside.split('","')]


@kernel
def write_rows(
    kinds: Any, first_word: Any, values: Any, steps: Any, present: Any, offsets: Any, blob: Any, rows: int, out: Any
) -> int:
    """Write `rows` rows of canonical JSON into `out` and return how many bytes they took.

    `values`, `steps` and `present` are [column, row]; word i is blob[offsets[i] : offsets[i + 1]].
    """
    at = 0
    for row in range(rows):
        out[at] = 91  # [
        at += 1
        for column in range(kinds.shape[0]):
            if column > 0:
                out[at] = _COMMA
                at += 1
            value = values[column, row]
            if present[column, row] == 0:
                at = write_word(out, at, offsets, blob, _NULL)
            elif kinds[column] == TEXT:
                at = write_word(out, at, offsets, blob, first_word[column] + value)
            elif kinds[column] == DECIMAL:
                out[at] = _QUOTE
                at = write_decimal(out, at + 1, value, steps[column, row])
                out[at] = _QUOTE
                at += 1
            elif kinds[column] == TIME:
                at = write_time(out, at, value)
            elif kinds[column] == BOOLEAN:
                at = write_word(out, at, offsets, blob, _TRUE if value == 1 else _FALSE)
            else:
                at = write_integer(out, at, value)
        out[at] = 93  # ]
        out[at + 1] = 10
        at += 2
    return at


@inner
def write_word(out: Any, at: int, offsets: Any, blob: Any, word: int) -> int:
    for index in range(offsets[word], offsets[word + 1]):
        out[at] = blob[index]
        at += 1
    return at


@inner
def write_digits(out: Any, at: int, number: int, width: int) -> int:
    """Write a number that is not below zero with exactly `width` digits, two at a time."""
    place = at + width
    while place - at >= 2:
        rest = number // 100
        pair = 2 * (number - rest * 100)
        out[place - 2] = _PAIRS[pair]
        out[place - 1] = _PAIRS[pair + 1]
        number = rest
        place -= 2
    if place > at:
        out[at] = _ZERO + number
    return at + width


@inner
def write_integer(out: Any, at: int, number: int) -> int:
    if number < 0:
        out[at] = _MINUS
        at += 1
        number = -number
    width = 1
    bound = 10
    while width < 19 and number >= bound:
        width += 1
        # The product past the last place would wrap, and is not looked at.
        bound = bound * 10 if width < 19 else bound
    return write_digits(out, at, number, width)


@inner
def write_decimal(out: Any, at: int, value: int, step: int) -> int:
    """Write value × step × 10⁻⁸ without trailing zeros."""
    if value < 0:
        out[at] = _MINUS
        at += 1
        value = -value
    if float(value) * float(step) < _FITS:
        value = value * step
        whole = value // SCALE
        at = write_integer(out, at, whole)
        return write_fraction(out, at, value - whole * SCALE)
    product = wide_product(value, step)
    # 128 bits: the digits are taken in two parts that both fit, the lower one of ten before the point.
    upper = wide_divide(product, _UPPER, DOWN)
    units = wide_divide(wide_add(product, wide_negate(wide_product(upper, _UPPER))), 1, DOWN)
    whole = units // SCALE
    if upper > 0:
        at = write_integer(out, at, upper)
        at = write_digits(out, at, whole, 10)
    else:
        at = write_integer(out, at, whole)
    return write_fraction(out, at, units - whole * SCALE)


@inner
def write_fraction(out: Any, at: int, parts: int) -> int:
    """Write what follows the point, parts of 10⁻⁸, or nothing at all."""
    if parts == 0:
        return at
    width = 8
    while parts % 10 == 0:
        parts = parts // 10
        width -= 1
    out[at] = _POINT
    return write_digits(out, at + 1, parts, width)


@inner
def write_time(out: Any, at: int, milliseconds: int) -> int:
    """Write an instant to the second.

    Source: Howard Hinnant, chrono-Compatible Low-Level Date Algorithms, `civil_from_days`.
    """
    days = milliseconds // DAY_MS
    rest = milliseconds - days * DAY_MS
    shifted = days + 719_468
    era = shifted // 146_097
    day_of_era = shifted - era * 146_097
    year_of_era = (day_of_era - day_of_era // 1_460 + day_of_era // 36_524 - day_of_era // 146_096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month + 2) // 5 + 1
    year = year_of_era + era * 400 + (1 if month >= 10 else 0)
    month = month + 3 if month < 10 else month - 9
    out[at] = _QUOTE
    at = write_digits(out, at + 1, year, 4)
    out[at] = _MINUS
    at = write_digits(out, at + 1, month, 2)
    out[at] = _MINUS
    at = write_digits(out, at + 1, day, 2)
    out[at] = 84  # T
    at = write_digits(out, at + 1, rest // HOUR_MS, 2)
    out[at] = 58  # :
    at = write_digits(out, at + 1, rest % HOUR_MS // MINUTE_MS, 2)
    out[at] = 58
    at = write_digits(out, at + 1, rest % MINUTE_MS // SECOND_MS, 2)
    out[at] = 90  # Z
    out[at + 1] = _QUOTE
    return at + 2


def cell_text(column: Column, row: int) -> str:
    """Return one cell as the books spell it, for messages."""
    single = Column(
        column.kind,
        column.values[row : row + 1],
        words=(column.words[int(column.values[row])],) if column.kind == TEXT else (),
        step=None if column.step is None else column.step[row : row + 1],
        present=None if column.present is None else column.present[row : row + 1],
    )
    if column.kind == TEXT:
        single = Column(TEXT, np.zeros(1, dtype=np.int64), words=single.words, present=single.present)
    piece = next(table_bytes({"cell": single}))
    return bytes(piece)[1:-2].decode()
