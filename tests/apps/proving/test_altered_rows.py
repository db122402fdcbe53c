"""A row that somebody with all rights changed by hand is found where it is stored, and in what is exported of it."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command
from django.db import connections

from tests.apps.proving.conftest import altered

OWN = "IN (SELECT id FROM accounts_account WHERE book = '{slug}' AND name = 'bob')"
HASH = "md5('x') || md5('y')"


def nth(table: str, key: str, order: str, number: int, where: str = "TRUE") -> str:
    """Return the condition that finds the how-manieth row of a table, from 0."""
    return f"({key}) = (SELECT {key} FROM {table} WHERE {where} ORDER BY {order} OFFSET {number} LIMIT 1)"


OWN_ROWS = f"account_id {OWN}"
FILL = nth("trades_fill", "id", "sequence", 5, OWN_ROWS)
ORDER = nth("trades_order", "id", "sequence", 3, OWN_ROWS)
POINT = nth("trades_equitypoint", "account_id, at", "at", 9, OWN_ROWS)
HELD = nth("trades_positionpoint", "account_id, at, instrument_id", "at, instrument_id", 0, OWN_ROWS)
HOLDING = nth("trades_position", "account_id, instrument_id", "instrument_id", 0, OWN_ROWS)
CANDLE = nth("market_candle", "instrument_id, opened_at", "opened_at, instrument_id", 33)
MARK = nth("market_mark", "instrument_id, at", "at, instrument_id", 33)
RATE = nth("market_fundingrate", "id", "id DESC", 0)
SNAPSHOT = nth("market_snapshot", "id", "taken_at", 4, "series = '{slug}'")
OWN_SAID = f"orders <> '[]' AND entry_id IN (SELECT id FROM arenas_entry WHERE {OWN_ROWS})"
SAID = nth("trades_decision", "id", "tick_id", 7, OWN_SAID)
POSTED = f"posting_id IN (SELECT id FROM accounts_posting WHERE kind = 'FILL' AND {OWN_ROWS})"
LINE = nth("accounts_line", "posting_id, account_name", "posting_id, account_name", 0, POSTED)
PROFIT = nth("accounts_line", "posting_id, account_name", "posting_id", 0, f"{POSTED} AND account_name LIKE 'pnl:%'")
SEASON = "season_id = (SELECT id FROM arenas_season WHERE slug = '{slug}')"
ACCOUNT = "book = '{slug}' AND name = 'bob'"
VERSION = "agent_id = (SELECT id FROM agents_agent WHERE name = 'bob')"

# Table, column, what it becomes, which row; then the part of the season and the field that must be named.
ALTERED = {
    "a fill's price": ("trades_fill", "price", "price + 0.1", FILL, "fills", "price"),
    "a fill's price, finer than units": ("trades_fill", "price", "price + 0.0000000001", FILL, "fills", "price"),
    "a fill's quantity": ("trades_fill", "quantity", "quantity * 2", FILL, "fills", "quantity"),
    "a fill's time": ("trades_fill", "filled_at", "filled_at + interval '1 ms'", FILL, "fills", "filled_at"),
    "a fill's id": ("trades_fill", "fill_id", "fill_id || '0'", FILL, "fills", "fill_id"),
    "a line's amount": ("accounts_line", "amount", "amount + 0.00000001", LINE, "postings", "amount"),
    "a line's account": ("accounts_line", "account_name", "'insurance:{slug}'", PROFIT, "postings", "row"),
    "an equity point": ("trades_equitypoint", "cash", "cash + 1", POINT, "links", "chain_sha256"),
    "a point's link": ("trades_equitypoint", "chain_sha256", HASH, POINT, "links", "chain_sha256"),
    "a decision's reason": ("trades_decision", "reason", "'wiser'", SAID, "arrivals", "chain_sha256"),
    "a verdict": ("trades_decision", "verdict", "'ACCEPTED '", SAID, "arrivals", "chain_sha256"),
    "a decision's orders": ("trades_decision", "orders", "'[]'", SAID, "arrivals", "chain_sha256"),
    "a confidence": ("trades_decision", "confidence", "0.123", SAID, "arrivals", "chain_sha256"),
    "an arrival": ("trades_decision", "arrived_at", "arrived_at + interval '1 ms'", SAID, "arrivals", "chain_sha256"),
    "a snapshot's hash": ("market_snapshot", "sha256", HASH, SNAPSHOT, "snapshots", "sha256"),
    "what a snapshot saw": (
        "market_snapshot", "seen_from", "seen_from - interval '5 min'", SNAPSHOT, "snapshots", "seen_from"
    ),
    "a candle": ("market_candle", "high", "high + 1", CANDLE, "candles", "high"),
    "a candle's volume": ("market_candle", "volume", "volume * 2", CANDLE, "candles", "volume"),
    "a mark": ("market_mark", "price", "price + 0.01", MARK, "marks", "price"),
    "a funding rate": ("market_fundingrate", "rate", "rate + 0.0001", RATE, "rates", "rate"),
    "a day's root": (
        "leaderboard_dayroot", "root_sha256", HASH, f"{SEASON} AND day = '2026-01-01'", "roots", "root_sha256"
    ),
    "an order's quantity": ("trades_order", "quantity", "quantity * 2", ORDER, "orders", "quantity"),
    "an order's status": ("trades_order", "status", "'EXPIRED'", ORDER, "orders", "status"),
    "an order's own state": ("trades_order", "tried_in", "tried_in + 1", ORDER, "terms", "tried_in"),
    "account cash": ("accounts_account", "cash", "cash + 0.00000001", ACCOUNT, "accounts", "cash"),
    "locked margin": ("accounts_account", "locked", "locked + 1", ACCOUNT, "accounts", "locked"),
    "an account's counter": ("accounts_account", "sequence", "sequence + 1", ACCOUNT, "accounts", "sequence"),
    "an account's peak": ("accounts_account", "equity_peak", "equity_peak + 1", ACCOUNT, "accounts", "equity_peak"),
    "the newest link": ("accounts_account", "chain_sha256", HASH, ACCOUNT, "accounts", "chain_sha256"),
    "a position": ("trades_position", "cost_basis", "cost_basis + 1", HOLDING, "holdings", "cost_basis"),
    "a marked position": ("trades_positionpoint", "mark_price", "mark_price + 1", HELD, "positions", "mark_price"),
    "a deadline": (
        "arenas_tick", "deadline_at", "deadline_at + interval '1 s'", f"{SEASON} AND number = 3", "ticks", "deadline_at"
    ),
    "an agent's parameters": (
        "agents_agentversion", "parameters", "'{{\"x\": \"1\"}}'", VERSION, "season.json", "version"
    ),
}  # fmt: skip

TABLES = {
    "fills": "trades_fill", "postings": "accounts_posting", "links": "trades_equitypoint",
    "arrivals": "trades_decision", "snapshots": "market_snapshot", "candles": "market_candle",
    "marks": "market_mark", "rates": "market_fundingrate", "roots": "leaderboard_dayroot", "orders": "trades_order",
    "terms": "trades_order", "accounts": "accounts_account", "holdings": "trades_position",
    "positions": "trades_positionpoint", "ticks": "arenas_tick", "season.json": "arenas_season",
}  # fmt: skip


def found(*command: str) -> tuple[int, dict]:
    """Return a command's exit code and its answer."""
    import contextlib
    import io

    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        try:
            call_command(*command, "--json", stdout=out)
        except SystemExit as ended:
            return int(ended.code), json.loads(out.getvalue())
    return 0, json.loads(out.getvalue())


ON_BARS = ("a fill's price", "a fill's time", "a verdict", "an order's quantity", "an order's own state", "a candle")
"""What follows from another way of filling orders in a season without quotes."""


@pytest.mark.parametrize(
    ("slug", "name"), [*(("short", name) for name in ALTERED), *(("bars", name) for name in ON_BARS)]
)
def test_a_changed_cell_is_found(played, tmp_path, slug, name):
    season = played(slug)
    table, column, value, where, file, field = ALTERED[name]
    where, value = (text.format(slug=season.slug) for text in (where, value))
    sequence = None
    if table in ("trades_fill", "trades_order"):
        ((sequence,),) = owner(f"SELECT sequence FROM {table} WHERE {where}")
    with altered(table, column, value, where):
        code, answer = found("ledger_check", "--season", season.slug)
        assert code == 1, answer
        assert (answer["file"], answer["field"]) == (TABLES[file], field), answer
        assert answer["season"] == season.slug
        if sequence is not None and "finer" not in name:
            assert answer["sequence"] == str(sequence)
        if "account_id" in where or "name = 'bob'" in where:
            assert answer["agent"] == "bob"
        if "finer" in name:
            # A file holds units: what is finer never gets into it.
            return
        copy = tmp_path / "season.zip"
        call_command("export_season", season.slug, str(copy))
        code, answer = found("verify_season", str(copy))
        assert code == 1, answer
        wanted = file if file.endswith(".json") else f"{file}.parquet"
        assert (answer["file"], answer["field"]) == (wanted, field), answer


def owner(*statements: str) -> list[tuple]:
    """Execute statements as the owner of the database and return what the last one answers."""
    with connections["owner"].cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_a_deleted_posting_is_found(played, tmp_path):
    season = played("short")
    ((posting, sequence),) = owner(
        f"SELECT id, sequence FROM accounts_posting WHERE account_id {OWN.format(slug=season.slug)} "
        "AND kind = 'FILL' ORDER BY sequence OFFSET 4 LIMIT 1"
    )
    owner(
        f"CREATE TABLE kept_lines AS SELECT * FROM accounts_line WHERE posting_id = {posting}",
        f"CREATE TABLE kept_posting AS SELECT * FROM accounts_posting WHERE id = {posting}",
        f"DELETE FROM accounts_line WHERE posting_id = {posting}",
    )
    try:
        code, answer = found("ledger_check", "--season", season.slug)
        assert (code, answer["file"], answer["field"]) == (1, "accounts_posting", "lines")
        assert (answer["agent"], answer["sequence"]) == ("bob", str(sequence))
        owner(f"DELETE FROM accounts_posting WHERE id = {posting}")
        code, answer = found("ledger_check", "--season", season.slug)
        assert (code, answer["file"], answer["field"]) == (1, "accounts_posting", "row")
        assert (answer["agent"], answer["sequence"], answer["stored"]) == ("bob", str(sequence), "missing")
        copy = tmp_path / "season.zip"
        call_command("export_season", season.slug, str(copy))
        code, answer = found("verify_season", str(copy))
        assert (code, answer["sequence"], answer["stored"]) == (1, str(sequence), "missing")
    finally:
        owner(
            "INSERT INTO accounts_posting SELECT * FROM kept_posting ON CONFLICT DO NOTHING",
            "INSERT INTO accounts_line SELECT * FROM kept_lines",
            "DROP TABLE kept_lines, kept_posting",
        )
    assert found("ledger_check", "--season", season.slug)[0] == 0
