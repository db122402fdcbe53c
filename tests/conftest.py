"""The tests' database: one private server for all of them unless DATABASE_URL names another, a database per worker.

Migrations run as the owner; what is tested runs as the application's role, which owns nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg import sql

# What a test leaves behind needs no more than memory to survive. A vacuum of the server's own would keep the owner from
# dropping a database.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=60", "autovacuum=off")


def _server() -> Any:
    from apps.common.database import private_server

    return private_server(options=FAST)


def pytest_configure(config: pytest.Config) -> None:
    """Start the private server in the process that all workers come from."""
    from django.conf import settings

    if hasattr(config, "workerinput") or not settings.HAS_OWN_SERVER or config.option.collectonly:
        return
    server = _server()
    server.start()
    # Two runs of the tests beside each other share it; the last one stops it.
    config.add_cleanup(server.release)


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    """Make this worker's database, as its owner, and drop it when the worker is done."""
    from django.db import connections

    from apps.common import database

    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    name = f"test_bitnerve_{os.getpid()}_{worker}"
    with django_db_blocker.unblock():
        if database.settings.HAS_OWN_SERVER:
            with psycopg.connect(**_address("postgres", user="postgres"), autocommit=True) as connection:
                connection.execute("SELECT pg_advisory_lock(1)")
                database._make_roles()
                connection.execute("SELECT pg_advisory_unlock(1)")
        _execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        for alias in ("default", "owner"):
            connections[alias].close()
            connections[alias].settings_dict["NAME"] = name
        try:
            with psycopg.connect(**_address("postgres"), autocommit=True) as connection:
                # Roles belong to the whole server: two workers must not make them at once.
                connection.execute("SELECT pg_advisory_lock(1)")
                database.prepare_database()
            yield
        finally:
            connections.close_all()
            _execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def committed_db(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database whose commits are real, for code that runs in several connections; emptied afterwards by its owner."""
    from django.apps import apps
    from django.db import connections

    with django_db_blocker.unblock():
        _forget()
        yield
        _forget()
        connections["default"].close()
        tables = ", ".join(f'"{model._meta.db_table}"' for model in apps.get_models() if model._meta.managed)
        with connections["owner"].cursor() as cursor:
            cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
        connections["owner"].close()


def _forget() -> None:
    """Let this process know no market and no season, as a new one would: row ids begin anew with each test."""
    from apps.leaderboard.services import frames, live, standings
    from apps.market import selectors, services
    from apps.trades.services import acting
    from apps.trades.services.deciding import SignalShelf

    selectors.close_windows()
    services.close_feeds()
    standings.forget_boards()
    live.forget_shown()
    frames._told.clear()
    acting._shelf = SignalShelf()
    acting._tape.cache_clear()


def _address(name: str, user: str | None = None) -> dict[str, Any]:
    from django.conf import settings

    place = settings.DATABASES["owner"]
    address = {"host": place["HOST"], "port": place.get("PORT"), "user": user or place["USER"], "dbname": name}
    if user is None:
        address["password"] = place.get("PASSWORD")
    return {key: value for key, value in address.items() if value}


def _execute(statement: sql.Composed) -> None:
    with psycopg.connect(**_address("postgres"), autocommit=True) as connection:
        connection.execute(statement)
