"""How do the books of a season get into a folder, whole or not at all?"""

from __future__ import annotations

import errno
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from bitnerve.adapters.exports.tables import to_arrow
from bitnerve.domain.errors import Refusal
from bitnerve.domain.ledger.tables import ALL_TABLES, TABLES, TEXT, Books, Table, row_count, rows_of

SEASON_FILE = "season.json"
LEADERBOARD_FILE = "leaderboard.json"
_GROUP_ROWS = 250_000
_DICTIONARY_BYTES = 16_000_000
"""Reasons and verdicts are long and often said again, so that naming them by number pays for a long list of them."""


class FolderNotEmpty(Refusal):
    """A target that already holds something."""

    code = "FOLDER_NOT_EMPTY"


class NotWritable(Refusal):
    """A target that cannot be written: no permission, no room, or a file in the way."""

    code = "NOT_WRITABLE"


def check_target(folder: Path) -> None:
    """Raise `FolderNotEmpty` or `NotWritable` when an export could not be written there; worth asking before a run."""
    try:
        if folder.exists() or folder.is_symlink():
            if not folder.is_dir():
                raise NotWritable(f"{folder}: is a file, not a folder", folder=str(folder))
            if any(folder.iterdir()):
                raise FolderNotEmpty(f"{folder}: is not empty; name a new folder", folder=str(folder))
        parent = _nearest_folder(folder)
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise refusal(folder, error) from None


def write_books(*, books: Books, folder: Path, report: Callable[[str], None] = lambda _: None) -> None:
    """Write season.json, leaderboard.json and a Parquet file per table into a new or empty folder.

    Everything is written into a folder beside it first, which then takes its name: whatever happens before, an
    interrupt included, leaves nothing behind. Equal books give equal bytes with the same versions of the libraries.
    `report` is told the name of each file when it is written.
    """
    check_target(folder)
    made: list[Path] = []
    try:
        _make_parents(folder, made)
        drafted = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        made.append(drafted)
        # Two at a time, the largest first: pyarrow works without the interpreter.
        with ThreadPoolExecutor(max_workers=2) as writing:
            largest_first = sorted(TABLES, key=lambda name: -row_count(books.tables[name]))
            for name in writing.map(partial(write_table, drafted, books), largest_first):
                report(f"{name}.parquet")
        for file_name, document in ((LEADERBOARD_FILE, books.leaderboard), (SEASON_FILE, books.season)):
            write_document(drafted / file_name, document)
            report(file_name)
        _make_readable(drafted)
        # An empty folder gives way to the one that takes its name.
        if os.name == "nt" and folder.exists():
            folder.rmdir()
        drafted.replace(folder)
        made.clear()
    except OSError as error:
        raise refusal(folder, error) from None
    finally:
        for leftover in reversed(made):
            shutil.rmtree(leftover, ignore_errors=True)


def _nearest_folder(folder: Path) -> Path:
    """Return the closest parent that exists."""
    return next(parent for parent in folder.absolute().parents if parent.exists())


def _make_parents(folder: Path, made: list[Path]) -> None:
    missing = [parent for parent in folder.absolute().parents if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir(exist_ok=True)
        made.append(parent)


def _make_readable(drafted: Path) -> None:
    """Give the folder the permissions that a plain mkdir gives; a temporary one is closed to all but its owner."""
    mask = os.umask(0)
    os.umask(mask)
    drafted.chmod(0o777 & ~mask)


def write_table(folder: Path, books: Books, name: str) -> str:
    """Write one table and return its name."""
    table = books.tables[name]
    with pq.ParquetWriter(
        folder / f"{name}.parquet",
        to_arrow(name, rows_of(table, 0, 0)).schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[field.name for field in ALL_TABLES[name] if field.kind == TEXT],
        dictionary_pagesize_limit=_DICTIONARY_BYTES,
        store_schema=False,
    ) as writer:
        for part in _parts(table):
            writer.write_table(to_arrow(name, part), row_group_size=_GROUP_ROWS)
    return name


def _parts(table: Table) -> Iterator[Table]:
    """Yield a table in groups of rows, so that writing needs little memory; one group at least."""
    for start in range(0, max(1, row_count(table)), _GROUP_ROWS):
        yield rows_of(table, start, start + _GROUP_ROWS)


def write_document(path: Path, document: Mapping[str, Any]) -> None:
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8", newline="\n")


def refusal(folder: Path, error: OSError) -> NotWritable:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NotWritable(f"{folder}: the disk is full", folder=str(folder))
    return NotWritable(f"{folder}: cannot be written: {error.strerror or error}", folder=str(folder))
