"""A row that somebody with all rights changed by hand is found where it is stored, and in what is exported of it."""

from __future__ import annotations

import json

import pytest
from django.core.management import call_command
from django.db import connections

from tests.apps.proving.conftest import altered

OWN = "IN (SELECT id FROM accounts_account WHERE book = '{slug}' AND name = 'bob')"
SOME_FILL = f"id = (SELECT id FROM trades_fill WHERE account_id {OWN} ORDER BY sequence OFFSET 5 LIMIT 1)"
SOME_LINE = (
    "(posting_id, account_name) = (SELECT l.posting_id, l.account_name FROM accounts_line l JOIN accounts_posting p ON "
    f"p.id = l.posting_id WHERE p.account_id {OWN} AND p.kind = 'FILL' ORDER BY p.sequence, l.account_name LIMIT 1)"
)
SOME_POINT = f"(account_id, at) = (SELECT account_id, at FROM trades_equitypoint WHERE account_id {OWN} ORDER BY at OFFSET 9 LIMIT 1)"
SOME_SAID = (
    "id = (SELECT d.id FROM trades_decision d JOIN arenas_entry n ON n.id = d.entry_id JOIN arenas_tick t "
    f"ON t.id = d.tick_id WHERE n.account_id {OWN} AND d.orders <> '[]' ORDER BY t.at OFFSET 7 LIMIT 1)"
)
SOME_ORDER = f"id = (SELECT id FROM trades_order WHERE account_id {OWN} ORDER BY sequence OFFSET 3 LIMIT 1)"
SOME_HOLDING = (
    "(account_id, instrument_id) = (SELECT account_id, instrument_id FROM trades_position "
    f"WHERE account_id {OWN} ORDER BY instrument_id LIMIT 1)"
)
SOME_CANDLE = "(instrument_id, opened_at) = (SELECT instrument_id, opened_at FROM market_candle ORDER BY opened_at, instrument_id OFFSET 33 LIMIT 1)"
SOME_MARK = (
    "(instrument_id, at) = (SELECT instrument_id, at FROM market_mark ORDER BY at, instrument_id OFFSET 33 LIMIT 1)"
)
SOME_ROW = f"(account_id, at, instrument_id) = (SELECT account_id, at, instrument_id FROM trades_positionpoint WHERE account_id {OWN} ORDER BY at, instrument_id LIMIT 1)"
SNAPSHOT = "id = (SELECT id FROM market_snapshot WHERE series = '{slug}' ORDER BY taken_at OFFSET 4 LIMIT 1)"
SEASON = "(SELECT id FROM arenas_season WHERE slug = '{slug}')"
ACCOUNT = "book = '{slug}' AND name = 'bob'"

# Table, column, what it becomes, which row; then the table, the file and the field that must be named.
ALTERED = {
    "a fill's price": ("trades_fill", "price", "price + 0.1", SOME_FILL, "fills", "price"),
    "a fill's price by less than a unit": ("trades_fill", "price", "price + 0.0000000001", SOME_FILL, "fills", "price"),
    "a fill's quantity": ("trades_fill", "quantity", "quantity * 2", SOME_FILL, "fills", "quantity"),
    "a fill's time": ("trades_fill", "filled_at", "filled_at + interval '1 ms'", SOME_FILL, "fills", "filled_at"),
    "a fill's id": ("trades_fill", "fill_id", "fill_id || '0'", SOME_FILL, "fills", "fill_id"),
    "a line's amount": ("accounts_line", "amount", "amount + 0.00000001", SOME_LINE, "postings", "amount"),
    "a line's account": ("accounts_line", "account_name", "'insurance:{slug}'", None, "postings", "row"),
    "an equity point": ("trades_equitypoint", "cash", "cash + 1", SOME_POINT, "links", "chain_sha256"),
    "an equity point's link": ("trades_equitypoint", "chain_sha256", "md5('x') || md5('y')", SOME_POINT, "links", "chain_sha256"),
    "a decision's reason": ("trades_decision", "reason", "'wiser'", SOME_SAID, "arrivals", "chain_sha256"),
    "a verdict": ("trades_decision", "verdict", "'ACCEPTED '", SOME_SAID, "arrivals", "chain_sha256"),
    "a decision's orders": ("trades_decision", "orders", "'[]'", SOME_SAID, "arrivals", "chain_sha256"),
    "a decision's confidence": ("trades_decision", "confidence", "0.123", SOME_SAID, "arrivals", "chain_sha256"),
    "a decision's arrival": ("trades_decision", "arrived_at", "arrived_at + interval '1 ms'", SOME_SAID, "arrivals", "chain_sha256"),
    "a snapshot's hash": ("market_snapshot", "sha256", "md5('x') || md5('y')", SNAPSHOT, "snapshots", "sha256"),
    "when a snapshot begins": ("market_snapshot", "seen_from", "seen_from - interval '5 min'", SNAPSHOT, "snapshots", "seen_from"),
    "a candle": ("market_candle", "high", "high + 1", SOME_CANDLE, "candles", "high"),
    "a candle's volume": ("market_candle", "volume", "volume * 2", SOME_CANDLE, "candles", "volume"),
    "a mark": ("market_mark", "price", "price + 0.01", SOME_MARK, "marks", "price"),
    "a funding rate": ("market_fundingrate", "rate", "rate + 0.0001", "id = (SELECT max(id) FROM market_fundingrate)", "rates", "rate"),
    "a day's root": ("leaderboard_dayroot", "root_sha256", "md5('x') || md5('y')", f"season_id = {SEASON} AND day = '2026-01-01'", "roots", "root_sha256"),
    "an order's quantity": ("trades_order", "quantity", "quantity * 2", SOME_ORDER, "orders", "quantity"),
    "an order's status": ("trades_order", "status", "'EXPIRED'", SOME_ORDER, "orders", "status"),
    "what an order keeps for itself": ("trades_order", "tried_in", "tried_in + 1", SOME_ORDER, "terms", "tried_in"),
    "account cash": ("accounts_account", "cash", "cash + 0.00000001", ACCOUNT, "accounts", "cash"),
    "an account's locked margin": ("accounts_account", "locked", "locked + 1", ACCOUNT, "accounts", "locked"),
    "an account's counter": ("accounts_account", "sequence", "sequence + 1", ACCOUNT, "accounts", "sequence"),
    "an account's peak": ("accounts_account", "equity_peak", "equity_peak + 1", ACCOUNT, "accounts", "equity_peak"),
    "an account's newest link": ("accounts_account", "chain_sha256", "md5('x') || md5('y')", ACCOUNT, "accounts", "chain_sha256"),
    "a position": ("trades_position", "cost_basis", "cost_basis + 1", SOME_HOLDING, "holdings", "cost_basis"),
    "a position at a tick": ("trades_positionpoint", "mark_price", "mark_price + 1", SOME_ROW, "positions", "mark_price"),
    "a tick's time": ("arenas_tick", "deadline_at", "deadline_at + interval '1 s'", f"season_id = {SEASON} AND number = 3", "ticks", "deadline_at"),
    "an agent's parameters": ("agents_agentversion", "parameters", "'{{\"x\": \"1\"}}'", "agent_id = (SELECT id FROM agents_agent WHERE name = 'bob')", "season.json", "version"),
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


TABLES = {
    "fills": "trades_fill", "postings": "accounts_posting", "links": "trades_equitypoint", "arrivals": "trades_decision",
    "snapshots": "market_snapshot", "candles": "market_candle", "marks": "market_mark", "rates": "market_fundingrate",
    "roots": "leaderboard_dayroot", "orders": "trades_order", "terms": "trades_order", "accounts": "accounts_account",
    "holdings": "trades_position", "positions": "trades_positionpoint", "ticks": "arenas_tick",
    "season.json": "arenas_season",
}  # fmt: skip


@pytest.mark.parametrize("name", ALTERED)
@pytest.mark.parametrize("slug", ["short", "bars"])
def test_a_changed_cell_is_found(played, tmp_path, slug, name):
    season = played(slug)
    table, column, value, where, file, field = ALTERED[name]
    if where is None:
        where = SOME_LINE.replace(
            "ORDER BY p.sequence, l.account_name", "AND l.account_name LIKE 'pnl:%' ORDER BY p.sequence"
        )
    where, value = (text.format(slug=season.slug) for text in (where, value))
    sequence = None
    if "sequence" in where and table != "accounts_line":
        ((sequence,),) = owner(f"SELECT sequence FROM {table} WHERE {where}")
    with altered(table, column, value, where):
        code, answer = found("ledger_check", "--season", season.slug)
        assert code == 1, answer
        assert (answer["file"], answer["field"]) == (TABLES[file], field), answer
        assert answer["season"] == season.slug
        if sequence is not None and "less than a unit" not in name:
            assert answer["sequence"] == str(sequence)
        if "account_id" in where or "name = 'bob'" in where:
            assert answer["agent"] == "bob"
        if "less than a unit" in name:
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
