"""What do the files of an export say, and are they an export at all?"""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bitnerve.adapters.exports.tables import from_arrow
from bitnerve.adapters.exports.write import LEADERBOARD_FILE, SEASON_FILE
from bitnerve.domain.errors import Refusal
from bitnerve.domain.ledger.tables import ALL_TABLES, TABLES, TEXT, Books, Table


class UnreadableExport(Refusal):
    """A folder or a file of an export that is missing, closed to us, cut short or something else."""

    code = "UNREADABLE_EXPORT"


def read_books(folder: Path, *, report: Callable[[str], None] = lambda _: None) -> Books:
    """Return the books in a folder, or raise a `Refusal` that names the file and what is wrong with it.

    `report` is told the name of each file when it has been read.
    """
    if not folder.is_dir():
        raise UnreadableExport(f"{folder}: is not a folder", folder=str(folder))
    season = read_document(folder / SEASON_FILE)
    report(SEASON_FILE)
    leaderboard = read_document(folder / LEADERBOARD_FILE)
    report(LEADERBOARD_FILE)
    tables = {}
    for name in TABLES:
        tables[name] = read_table(folder / f"{name}.parquet", name)
        report(f"{name}.parquet")
    return Books(tables=tables, season=season, leaderboard=leaderboard)


def read_document(path: Path) -> dict[str, Any]:
    try:
        document = json.loads(
            path.read_text(encoding="utf-8"),
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_refuse_duplicates,
        )
    except FileNotFoundError:
        raise UnreadableExport(f"{path.name}: is missing", file=path.name) from None
    except OSError as error:
        raise UnreadableExport(f"{path.name}: cannot be read: {error.strerror}", file=path.name) from None
    except ValueError as error:
        raise UnreadableExport(f"{path.name}: is not JSON: {error}", file=path.name) from None
    if not isinstance(document, dict):
        raise UnreadableExport(f"{path.name}: is not a JSON object", file=path.name)
    return document


def _refuse_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a JSON number")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    document = dict(pairs)
    if len(document) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return document


def read_table(path: Path, name: str) -> Table:
    texts = [field.name for field in ALL_TABLES[name] if field.kind == TEXT]
    try:
        # Not as a data set: a folder of files is not a table, and a path may look like a partition.
        known = set(pq.read_schema(path).names)
        table = pq.ParquetFile(path, read_dictionary=[text for text in texts if text in known]).read()
    except FileNotFoundError:
        raise UnreadableExport(f"{path.name}: is missing", file=path.name) from None
    except OSError as error:
        reason = error.strerror or "damaged or cut short"
        raise UnreadableExport(f"{path.name}: cannot be read: {reason}", file=path.name) from None
    except pa.ArrowException:
        raise UnreadableExport(f"{path.name}: is not Parquet, or was cut short", file=path.name) from None
    return from_arrow(name, table)
