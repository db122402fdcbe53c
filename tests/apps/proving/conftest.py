"""Seasons that are played once for all tests here, in a database of their own, and a hand that alters them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from psycopg import sql

from bitnerve.domain.timeframe import HOUR_MS, parse_instant
from tests.apps.proving import restless

START = parse_instant("2026-01-01T18:00", field="start")
TICKS = {"quotes": 300, "short": 75, "bars": 120}
"""How many ticks each season has; `quotes` and `short` have quotes between them."""


def forget() -> None:
    """Forget what this process knows of another database's rows."""
    from apps.leaderboard.services import standings
    from apps.market import services as markets
    from apps.market.selectors import close_windows
    from apps.trades.services import acting

    close_windows()
    markets._feeds.clear()
    acting._tape.cache_clear()
    standings.forget_boards()


@contextmanager
def _moved_to(name: str) -> Iterator[None]:
    """Have both connections speak to another database for a while."""
    from django.db import connections

    aliases = ("default", "owner")
    before = [connections[alias].settings_dict["NAME"] for alias in aliases]
    try:
        for alias in aliases:
            connections[alias].close()
            connections[alias].settings_dict["NAME"] = name
        forget()
        yield
    finally:
        for alias, old in zip(aliases, before, strict=True):
            connections[alias].close()
            connections[alias].settings_dict["NAME"] = old
        forget()


@pytest.fixture(scope="session")
def own_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """Return the name of a database that other tests do not empty."""
    from django.db import connections

    from apps.common import database
    from tests.conftest import _address, _execute

    name = f"{connections['owner'].settings_dict['NAME']}_proving"
    with django_db_blocker.unblock():
        _execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            with _moved_to(name):
                import psycopg

                with psycopg.connect(**_address("postgres"), autocommit=True) as connection:
                    connection.execute("SELECT pg_advisory_lock(1)")
                    database.prepare_database()
            yield name
        finally:
            _execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def kept_db(own_database: str, django_db_blocker: Any) -> Iterator[None]:
    """The folder's own database, whose commits are real and stay."""
    with django_db_blocker.unblock(), _moved_to(own_database):
        yield


@pytest.fixture
def played(kept_db: None) -> Any:
    """Return what plays a season by its name, once, and returns it."""
    return _play_once


def _play_once(name: str) -> Any:
    from apps.arenas.models import Season
    from apps.market.models import Market
    from apps.trades.services import acting
    from tests.apps.trades.arena import simulated_market

    found = Season.objects.filter(slug=name).first()
    if found is not None:
        return found
    market = Market.objects.filter(slug="simulated").first()
    if market is None:
        market = simulated_market(seed=11, start_at=START - HOUR_MS, symbol_count=5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(acting, "decide", restless.decide)
        season = open_restless(market, name, TICKS[name], quote_every_ms=0 if name == "bars" else 60_000)
        assert restless.drive(season, seed=3) == TICKS[name] + 1
    return season


def open_restless(market: Any, slug: str, tick_count: int, **rules: Any) -> Any:
    """Open a season of restless entries."""
    from apps.market.services import make_instant
    from tests.apps.trades.arena import BAR_MS, open_season

    return open_season(
        market,
        slug=slug,
        starts_at=make_instant(START),
        ends_at=make_instant(START) + timedelta(milliseconds=tick_count * BAR_MS),
        seed=11,
        agents=restless.agents(),
        limits=restless.BOLD,
        **rules,
    )


@contextmanager
def altered(table: str, column: str, value: str, where: str) -> Iterator[None]:
    """Change a cell by hand, as the owner of the database could, and set it back afterwards."""
    from django.db import connections

    with connections["owner"].cursor() as cursor:
        cursor.execute(
            f"SELECT tableoid, ctid::text, {column}::text, pg_typeof({column})::text FROM {table} WHERE {where}"
        )
        ((part, place, old, kind),) = cursor.fetchall()
        # A row is found by its place, for what names it may be what is changed.
        found = "WHERE tableoid = %s AND ctid = %s::tid RETURNING ctid::text"
        cursor.execute(f"UPDATE {table} SET {column} = {value} {found}", [part, place])
        ((place,),) = cursor.fetchall()
    try:
        yield
    finally:
        # A command closes all connections when it is done with the database.
        with connections["owner"].cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET {column} = %s::{kind} {found}", [old, part, place])
            assert cursor.rowcount == 1
