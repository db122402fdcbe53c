"""Does the database itself refuse what the books forbid?"""

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import DataError, IntegrityError, ProgrammingError, connection, connections, transaction
from django.db.utils import InternalError

from apps.accounts.models import Account, Line, Posting

AT = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def account(db):
    return Account.objects.create(
        kind="PAPER",
        book="s1",
        name="alice",
        capital=Decimal(100),
        cash=Decimal(100),
        equity=Decimal(100),
        equity_peak=Decimal(100),
        equity_at_midnight=Decimal(100),
        played_until=AT,
        chain_sha256="",
    )


def post(account: Account, *amounts: str, source: str = "alice/1", line_count: int | None = None) -> Posting:
    posting = Posting.objects.create(
        book="s1",
        account=account,
        posting_id="a" * 32,
        sequence=0,
        posted_at=AT,
        kind="START",
        source_id=source,
        line_count=len(amounts) if line_count is None else line_count,
    )
    Line.objects.bulk_create(
        Line(posting=posting, account_name=f"account {number}", asset="USDT", amount=Decimal(amount))
        for number, amount in enumerate(amounts)
    )
    return posting


def test_L1_a_posting_that_balances_is_taken(account):
    posting = post(account, "100", "-100")

    assert sum(line.amount for line in posting.lines.all()) == 0


@pytest.mark.parametrize("amounts", [("100", "-99.99999999"), ("0.00000001", "0"), ("5", "-2", "-2")])
def test_L1_a_posting_that_does_not_balance_is_refused(account, amounts):
    with pytest.raises(IntegrityError, match="does not balance"):
        post(account, *amounts)


def test_L1_a_posting_of_one_line_is_refused(account):
    with pytest.raises(IntegrityError, match="two at least"):
        post(account, "0")


def test_L1_a_line_that_comes_later_is_refused(account):
    posting = post(account, "1", "-1")

    with pytest.raises(IntegrityError, match="has not the lines"):
        Line.objects.create(posting=posting, account_name="more", asset="USDT", amount=Decimal(0))


@pytest.mark.parametrize("table", ["accounts_posting", "accounts_line", "trades_fill", "trades_equitypoint"])
@pytest.mark.parametrize("change", ["UPDATE {} SET id = 1", "DELETE FROM {}", "TRUNCATE {} CASCADE"])
def test_L2_the_application_cannot_touch_the_past(db, table, change):
    statement = change.format(table).replace(
        "SET id = 1", "SET account_id = 1" if "line" not in table else "SET amount = 1"
    )

    with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
        cursor.execute(statement)


def test_L2_the_application_owns_nothing(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_class WHERE relowner = current_user::regrole")
        assert cursor.fetchone() == (0,)
        cursor.execute("SELECT rolsuper OR rolcreatedb OR rolcreaterole FROM pg_roles WHERE rolname = current_user")
        assert cursor.fetchone() == (False,)


def test_L3_a_cause_is_posted_once(account):
    post(account, "1", "-1")

    with pytest.raises(IntegrityError, match="one_posting_a_cause"):
        post(account, "1", "-1")


@pytest.mark.parametrize("amount", ["NaN", "0.000000001", "90000000000.00000001", "Infinity"])
def test_M3_the_database_refuses_money_that_it_cannot_hold(account, amount):
    with pytest.raises((IntegrityError, DataError)), connection.cursor() as cursor:
        cursor.execute("UPDATE accounts_account SET cash = %s::numeric WHERE id = %s", [amount, account.pk])


@pytest.mark.parametrize("parent", ["accounts_line", "pg_class", "nothing; DROP TABLE accounts_line"])
def test_months_are_made_of_tables_that_are_kept_by_months_only(db, parent):
    with pytest.raises((InternalError, ProgrammingError)), connection.cursor() as cursor:
        cursor.execute("SELECT make_month(%s, '2026-01-05')", [parent])


def test_the_application_makes_the_months_it_needs(db):
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT make_month('market_candle', '2031-02-28'), make_month('market_candle', '2031-02-01')")
        cursor.execute("SELECT relname FROM pg_class WHERE relname LIKE 'market_candle_2031%' AND relkind = 'r'")
        assert cursor.fetchall() == [("market_candle_2031_02",)]


def test_a_test_runs_as_the_application(db):
    assert connections["default"].settings_dict["USER"] != connections["owner"].settings_dict["USER"]
