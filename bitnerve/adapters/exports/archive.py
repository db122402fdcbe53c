"""How does a whole season get into one file, whole or not at all, and how is it read again?

A zip without compression (its Parquet tables are compressed already), names in order, no time of day in it: the same
season gives the same bytes with the same versions of the libraries.
"""

from __future__ import annotations

import shutil
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bitnerve.adapters.exports.read import UnreadableExport, read_document, read_table
from bitnerve.adapters.exports.write import LEADERBOARD_FILE, SEASON_FILE, refusal, write_document, write_table
from bitnerve.domain.errors import Refusal
from bitnerve.domain.ledger.tables import ALL_TABLES, Books

_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first instant that a zip can name."""
_READABLE = 0o100644 << 16
_NAMES = (SEASON_FILE, LEADERBOARD_FILE, *(f"{name}.parquet" for name in ALL_TABLES))


class FileExists(Refusal):
    """A target that is there already; nothing is ever overwritten."""

    code = "FILE_EXISTS"


def check_file(file: Path) -> None:
    """Raise `FileExists` or `NotWritable` when a season could not be written there; worth asking before the work."""
    if file.exists() or file.is_symlink():
        raise FileExists(f"{file}: is there already; name a new file", file=str(file))
    try:
        with tempfile.TemporaryFile(dir=file.absolute().parent):
            pass
    except OSError as error:
        raise refusal(file, error) from None


def write_season(*, books: Books, file: Path, report: Callable[[str], None] = lambda _: None) -> None:
    """Write a season's books into one new file; whatever happens before the end leaves nothing behind.

    `report` is told the name of each part when it is written.
    """
    check_file(file)
    parent = file.absolute().parent
    drafted: Path | None = None
    try:
        drafted = Path(tempfile.mkdtemp(prefix=f".{file.name}-", dir=parent))
        for name in ALL_TABLES:
            write_table(drafted, books, name)
            report(f"{name}.parquet")
        write_document(drafted / LEADERBOARD_FILE, books.leaderboard)
        write_document(drafted / SEASON_FILE, books.season)
        packed = drafted / "season.zip"
        with zipfile.ZipFile(packed, "x", zipfile.ZIP_STORED) as archive:
            for part in _NAMES:
                _add(archive, drafted / part)
        # A link refuses where somebody has put a file there meanwhile; a rename would replace it.
        _give_name(packed, file)
    except FileExistsError:
        raise FileExists(f"{file}: is there already; name a new file", file=str(file)) from None
    except OSError as error:
        raise refusal(file, error) from None
    finally:
        if drafted is not None:
            shutil.rmtree(drafted, ignore_errors=True)


def _add(archive: zipfile.ZipFile, part: Path) -> None:
    info = zipfile.ZipInfo(part.name, _EPOCH)
    info.external_attr, info.create_system = _READABLE, 3
    info.file_size = part.stat().st_size
    with archive.open(info, "w") as target, part.open("rb") as source:
        shutil.copyfileobj(source, target, 1 << 20)


def _give_name(packed: Path, file: Path) -> None:
    try:
        file.hardlink_to(packed)
    except FileExistsError:
        raise
    except OSError:
        # A file system without hard links.
        packed.replace(file)


def read_season(
    file: Path,
    *,
    check: Callable[[dict[str, Any]], None] = lambda _: None,
    report: Callable[[str], None] = lambda _: None,
) -> Books:
    """Return the books in a season's file, or raise a `Refusal` that names what is wrong with it.

    `check` is shown `season.json` before anything else is read; `report` is told the name of each part.
    """
    try:
        with zipfile.ZipFile(file) as archive, tempfile.TemporaryDirectory(prefix="bitnerve-") as folder:
            _check_parts(file, archive)
            place = Path(folder)
            season = read_document(_extract(archive, SEASON_FILE, place))
            check(season)
            # Another version may have other parts, and has said so by now.
            strange = sorted(set(archive.namelist()) - set(_NAMES))
            if strange:
                raise UnreadableExport(f"{file}: holds {strange[0]}, which no season has", file=str(file))
            leaderboard = read_document(_extract(archive, LEADERBOARD_FILE, place))
            tables = {}
            for name in ALL_TABLES:
                part = _extract(archive, f"{name}.parquet", place)
                tables[name] = read_table(part, name)
                part.unlink()
                report(part.name)
            return Books(tables=tables, season=season, leaderboard=leaderboard)
    except FileNotFoundError:
        raise UnreadableExport(f"{file}: is missing", file=str(file)) from None
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise UnreadableExport(f"{file}: is not a season's file, or was cut short: {error}", file=str(file)) from None
    except OSError as error:
        reason = error.strerror or "damaged or cut short"
        raise UnreadableExport(f"{file}: cannot be read: {reason}", file=str(file)) from None


def _check_parts(file: Path, archive: zipfile.ZipFile) -> None:
    names = archive.namelist()
    if SEASON_FILE not in names:
        raise UnreadableExport(f"{file}: holds no {SEASON_FILE}, so it is not a season's file", file=str(file))
    for info in archive.infolist():
        # What is stored as it is cannot grow on the way out.
        if info.compress_type != zipfile.ZIP_STORED:
            raise UnreadableExport(f"{file}: {info.filename} is compressed; a season's parts are not", file=str(file))
    twice = sorted(name for name in set(names) if names.count(name) > 1)
    if twice:
        raise UnreadableExport(f"{file}: holds {twice[0]} more than once", file=str(file))


def _extract(archive: zipfile.ZipFile, name: str, folder: Path) -> Path:
    path = folder / name
    try:
        source = archive.open(name)
    except KeyError:
        raise UnreadableExport(f"{name}: is missing", file=name) from None
    with source, path.open("xb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    return path
