"""The command's answers and exit codes, on files as they lie in a folder."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from bitnerve.adapters.exports import write_books
from bitnerve.domain.ledger.tables import Books, Column
from tests.domain.ledger.conftest import books, run

__all__ = ["books", "run"]


@pytest.fixture
def folder(books: Books, tmp_path: Path) -> Path:
    write_books(books=books, folder=tmp_path / "season")
    return tmp_path / "season"


def check(folder: Path, *arguments: str) -> int:
    try:
        call_command("ledger_check", str(folder), *arguments)
    except SystemExit as ended:
        return int(ended.code)
    except CommandError as refused:
        return refused.returncode
    return 0


def test_clean_books_are_counted(folder, capsys, books):
    assert check(folder) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "clean"
    assert f"{len(books.tables['fills']['agent'])} fills" in out
    assert books.season["books_sha256"] in out


def test_clean_books_as_json(folder, capsys, books):
    assert check(folder, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["status"] == "clean"
    assert answer["books_sha256"] == books.season["books_sha256"]


def test_a_difference_is_named_and_ends_with_1(books, tmp_path, capsys):
    fees = books.tables["fills"]["fee"]
    values = fees.values.copy()
    values[3] += 1
    fills = {**books.tables["fills"], "fee": Column(fees.kind, values)}
    write_books(books=replace(books, tables={**books.tables, "fills": fills}), folder=tmp_path / "season")
    assert check(tmp_path / "season") == 1
    told = capsys.readouterr().err
    sequence = books.tables["fills"]["sequence"].values[3]
    for word in ("fills.parquet", "agent ada", f"sequence {sequence}", "fee is", "recomputed"):
        assert word in told
    assert check(tmp_path / "season", "--json") == 1
    answer = json.loads(capsys.readouterr().out)
    assert answer["status"] == "broken"
    assert (answer["file"], answer["field"], answer["agent"]) == ("fills.parquet", "fee", "ada")


@pytest.mark.parametrize("damage", ["missing", "truncated", "foreign"])
@pytest.mark.parametrize("name", ["equity.parquet", "season.json", "leaderboard.json"])
def test_a_damaged_file_is_named_and_ends_with_2(folder, capsys, name, damage):
    content = (folder / name).read_bytes()
    (folder / name).unlink()
    if damage != "missing":
        (folder / name).write_bytes(content[: len(content) // 2] if damage == "truncated" else b"[1]")
    assert check(folder) == 2
    assert name in capsys.readouterr().err


@pytest.mark.parametrize("document", [{}, {"rules": 1}, {"rules": {"capital": 5}, "agents": []}])
def test_a_foreign_season_ends_with_2(folder, capsys, document):
    (folder / "season.json").write_text(json.dumps(document))
    assert check(folder) == 2
    assert "season.json" in capsys.readouterr().err
