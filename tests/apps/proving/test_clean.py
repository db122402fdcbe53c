"""A season that nobody touched is clean in the database and in its file, and its file is the same every time."""

import json

import pytest
from django.core.management import call_command
from django.db import connection

from apps.leaderboard.services import proving
from bitnerve.adapters.exports import archive


@pytest.fixture(params=["quotes", "bars"])
def season(request, played):
    return played(request.param)


def test_much_happened(played):
    """The season is worth checking: every kind of order, and every kind of posting."""
    played("quotes")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT a.book, p.kind FROM accounts_posting p JOIN accounts_account a ON a.id = account_id"
        )
        kinds = set(cursor.fetchall())
        assert {("quotes", kind) for kind in ("START", "FILL", "FUNDING", "LIQUIDATION_FEE")} <= kinds
        cursor.execute("SELECT DISTINCT type FROM trades_order o JOIN trades_fill f ON f.order_id = o.id")
        assert {row[0] for row in cursor.fetchall()} >= {
            "MARKET", "LIMIT", "STOP_MARKET", "TAKE_PROFIT_MARKET", "TRAILING_STOP", "LIQUIDATION"
        }  # fmt: skip
        cursor.execute(
            """SELECT count(*) FROM trades_decision d JOIN arenas_tick t ON t.id = d.tick_id
               WHERE d.arrived_at > t.at AND d.orders <> '[]'"""
        )
        assert cursor.fetchone()[0] > 100
        cursor.execute(
            """SELECT count(*) FROM leaderboard_dayroot r JOIN arenas_season s ON s.id = season_id
               WHERE slug = 'quotes' AND entry_count = 5"""
        )
        assert cursor.fetchone() == (2,)


def test_both_seasons_are_clean(played, capsys):
    played("quotes")
    played("bars")
    call_command("ledger_check", "--json")
    answer = json.loads(capsys.readouterr().out)
    assert answer["status"] == "clean"
    seasons = {one["season"]: one for one in answer["seasons"]}
    assert {"bars", "quotes"} <= seasons.keys()
    assert seasons["quotes"]["rows"]["fills"] > 300
    assert seasons["quotes"]["replayed"] == 300 * 5


def test_a_season_exports_to_the_same_bytes_and_verifies(season, tmp_path, capsys):
    one, two = tmp_path / "one.zip", tmp_path / "two.zip"
    call_command("export_season", season.slug, str(one))
    call_command("export_season", season.slug, str(two))
    assert one.read_bytes() == two.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.zip", "two.zip"]
    capsys.readouterr()
    call_command("verify_season", str(one))
    out = capsys.readouterr().out.splitlines()
    assert out[-1] == "clean"
    books = archive.read_season(one)
    assert out[-2] == f"books_sha256 {books.season['books_sha256']}"
    assert books.season["season"] == season.slug
    assert f"pnl:{season.slug}" in books.tables["postings"]["account"].words
    assert books.leaderboard["standings"][0]["rank"] == 1
    assert str(tmp_path) not in json.dumps(books.season, default=str)


def test_verifying_asks_no_database(season, tmp_path, django_db_blocker):
    file = tmp_path / "season.zip"
    proving.export_season(slug=season.slug, file=file)
    connection.close()
    with django_db_blocker.block():
        verified = proving.verify_file(file=file)
    assert verified.report.rows["fills"] > 50
