"""What somebody changed inside a season's file is found, also where its hashes were made to fit again."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import CommandError, call_command

from apps.leaderboard.services import proving
from bitnerve.adapters.exports import archive
from bitnerve.domain.ledger.canonical import books_sha256
from bitnerve.domain.ledger.difference import BrokenBooks
from bitnerve.domain.ledger.tables import SEASON_TABLES, Books

_kept: dict[str, bytes] = {}
"""The files that were exported, by the season's slug: exporting the same season gives the same bytes."""


def exported(played: Callable[[str], Any], slug: str, folder: Path) -> Path:
    """Return a season's file in a folder."""
    if slug not in _kept:
        proving.export_season(slug=played(slug).slug, file=folder / "first.zip")
        _kept[slug] = (folder / "first.zip").read_bytes()
        (folder / "first.zip").unlink()
    (folder / "season.zip").write_bytes(_kept[slug])
    return folder / "season.zip"


@pytest.fixture
def file(played, tmp_path):
    return exported(played, "short", tmp_path)


def opened(file: Path) -> Books:
    """Return the books in a file, with ratios as the numbers that a file is written from."""
    books = archive.read_season(file)
    return replace(books, leaderboard=json.loads(json.dumps(books.leaderboard, default=float)))


def rewritten(file: Path, books: Books) -> Path:
    """Return a file of altered books whose sha256 has been made to fit."""
    season = {**books.season, "books_sha256": books_sha256(books.tables)}
    other = file.with_name("altered.zip")
    archive.write_season(books=replace(books, season=season), file=other)
    return other


def with_cell(books: Books, name: str, field: str, row: int, by: int) -> Books:
    column = books.tables[name][field]
    values = column.values.copy()
    values[row] += by
    table = {**books.tables[name], field: replace(column, values=values)}
    return replace(books, tables={**books.tables, name: table})


@pytest.mark.parametrize(
    ("name", "field", "by", "told"),
    [
        ("fills", "price", 10_000_000, ("fills", "price")),
        ("fills", "base_price", 1, ("fills", "base_price")),
        ("fills", "filled_at", 1000, ("fills", "filled_at")),
        ("funding", "amount", 1, ("funding", "amount")),
        ("orders", "accepted_at", 1000, ("orders", "accepted_at")),
        ("positions", "margin", 1, ("positions", "margin")),
        ("postings", "amount", 1, ("postings", "amount")),
        ("equity", "maintenance_margin", 1, ("links", "chain_sha256")),
        ("accounts", "played_until", 300_000, ("accounts", "played_until")),
        ("accounts", "marked_at", 300_000, ("accounts", "marked_at")),
        ("holdings", "leverage", 1, ("holdings", "leverage")),
        ("terms", "alive_from", 1, ("terms", "alive_from")),
        ("ticks", "number", 1, ("ticks", "number")),
        ("roots", "entry_count", -1, ("roots", "entry_count")),
        ("marks", "price", 1, ("marks", "price")),
    ],
)
def test_a_changed_cell_is_found_though_the_sha256_fits(file, name, field, by, told):
    books = opened(file)
    count = len(books.tables[name][field])
    altered = rewritten(file, with_cell(books, name, field, count // 2, by))
    with pytest.raises(BrokenBooks) as found:
        proving.verify_file(file=altered)
    assert (found.value.file, found.value.field) == (f"{told[0]}.parquet", told[1]), str(found.value)
    assert found.value.stored != found.value.recomputed


@pytest.mark.parametrize(
    "name", ["fills", "decisions", "equity", "orders", "candles", "snapshots", "roots", "holdings"]
)
def test_a_row_that_was_taken_out_is_found(file, name):
    books = opened(file)
    table = books.tables[name]
    row = len(next(iter(table.values()))) - 1
    shorter = {
        field: replace(
            column,
            values=np.delete(column.values, row),
            step=None if column.step is None else np.delete(column.step, row),
            present=None if column.present is None else np.delete(column.present, row),
        )
        for field, column in table.items()
    }
    altered = rewritten(file, replace(books, tables={**books.tables, name: shorter}))
    with pytest.raises(BrokenBooks) as found:
        proving.verify_file(file=altered)
    partners = {"snapshots": {"ticks"}, "equity": {"links", "positions"}, "decisions": {"arrivals"}}
    assert found.value.file.removesuffix(".parquet") in {name, *partners.get(name, ())}, str(found.value)


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda season: season["rules"].update(impact_rate="0.002"), "verdict"),
        (lambda season: season.update(seed=season["seed"] + 1), "order_id"),
        (lambda season: season["market"].update(seed=12), "open"),
        (lambda season: season["agents"][1]["version"].update(sha256="0" * 64), "version"),
        (lambda season: season.update(season="other"), "chain_sha256"),
        (lambda season: season.update(books_sha256="0" * 64), "books_sha256"),
        (lambda season: season["rules"].update(capital="10001"), "chain_sha256"),
    ],
)
def test_a_changed_rule_is_found(file, change, field):
    books = opened(file)
    season = json.loads(json.dumps(books.season))
    change(season)
    other = file.with_name("altered.zip")
    archive.write_season(books=replace(books, season=season), file=other)
    with pytest.raises(BrokenBooks) as found:
        proving.verify_file(file=other)
    assert found.value.field == field, str(found.value)


def test_a_changed_standing_is_found(file):
    books = opened(file)
    board = json.loads(json.dumps(books.leaderboard, default=float))
    board["standings"][2]["trades"] += 1
    other = file.with_name("altered.zip")
    archive.write_season(books=replace(books, leaderboard=board), file=other)
    with pytest.raises(BrokenBooks) as found:
        proving.verify_file(file=other)
    assert (found.value.file, found.value.field) == ("leaderboard.json", "trades")


def refused(capsys, *command: str) -> str:
    """Return what a command that refuses has said."""
    capsys.readouterr()
    with pytest.raises((CommandError, SystemExit)) as ended:
        call_command(*command)
    code = ended.value.returncode if isinstance(ended.value, CommandError) else ended.value.code
    assert code == 2
    return capsys.readouterr().err + str(ended.value)


def test_what_is_no_seasons_file_is_refused(played, tmp_path, capsys):
    whole = exported(played, "short", tmp_path)
    content = whole.read_bytes()
    for name, damaged in (
        ("empty", b""),
        ("text", b"hello"),
        ("short", content[: len(content) // 2]),
        ("end", content[:-10]),
        ("flipped", content[:200] + bytes([content[200] ^ 1]) + content[201:]),
    ):
        (tmp_path / name).write_bytes(damaged)
        assert "not a season's file" in refused(capsys, "verify_season", str(tmp_path / name)), name
    assert "is missing" in refused(capsys, "verify_season", str(tmp_path / "nothing.zip"))
    assert "cannot be read" in refused(capsys, "verify_season", str(tmp_path))
    with zipfile.ZipFile(tmp_path / "foreign.zip", "w") as foreign:
        foreign.writestr("hello.txt", "hello")
    assert "holds no season.json" in refused(capsys, "verify_season", str(tmp_path / "foreign.zip"))
    with zipfile.ZipFile(tmp_path / "packed.zip", "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("season.json", "{}" * 1000)
    assert "is compressed" in refused(capsys, "verify_season", str(tmp_path / "packed.zip"))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda season: season.update(format=2), "format is 2"),
        (lambda season: season.pop("format"), "format is None"),
        (lambda season: season.pop("market"), "market"),
        (lambda season: season["rules"].pop("limits"), "limits"),
        (lambda season: season["rules"].update(capital="many"), "capital"),
        (lambda season: season.update(starts_at="soon"), "soon"),
        (lambda season: season["agents"].clear(), "agents"),
        (lambda season: season["agents"][0].update(name=5), "name is 5"),
    ],
)
def test_a_foreign_document_is_refused(played, tmp_path, capsys, change, told):
    whole = exported(played, "short", tmp_path)
    books = opened(whole)
    season = json.loads(json.dumps(books.season))
    change(season)
    archive.write_season(books=replace(books, season=season), file=tmp_path / "other.zip")
    assert told in refused(capsys, "verify_season", str(tmp_path / "other.zip"))


def test_a_missing_part_is_named(played, tmp_path, capsys):
    whole = exported(played, "short", tmp_path)
    for part in ("leaderboard.json", *(f"{name}.parquet" for name in SEASON_TABLES)):
        with zipfile.ZipFile(whole) as source, zipfile.ZipFile(tmp_path / "less.zip", "w") as target:
            for info in source.infolist():
                if info.filename != part:
                    target.writestr(info, source.read(info))
        assert f"{part}: is missing" in refused(capsys, "verify_season", str(tmp_path / "less.zip"))


def test_an_export_that_cannot_be_written_is_refused_and_leaves_nothing(played, tmp_path, capsys):
    slug = played("short").slug
    there = tmp_path / "there.zip"
    there.write_bytes(b"mine")
    assert "is there already" in refused(capsys, "export_season", slug, str(there))
    assert there.read_bytes() == b"mine"
    assert "'nobody' is not one of" in refused(capsys, "export_season", "nobody", str(tmp_path / "a.zip"))
    assert "cannot be written" in refused(capsys, "export_season", slug, str(tmp_path / "no" / "folder.zip"))
    assert "cannot be written" in refused(capsys, "export_season", slug, "/proc/season.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["there.zip"]
    assert "'nobody' is not one of" in refused(capsys, "ledger_check", "--season", "nobody")


def test_an_export_that_fails_half_way_leaves_nothing(played, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(archive, "_add", full)
    with pytest.raises(archive.refusal(tmp_path, OSError(28, "")).__class__, match="disk is full"):
        proving.export_season(slug=played("short").slug, file=tmp_path / "season.zip")
    assert list(tmp_path.iterdir()) == []
