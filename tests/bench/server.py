"""The machine's PostgreSQL and Redis at their usual ports: what a benchmark of stored rows runs on."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import psycopg

SERVER = "127.0.0.1:5432"
REDIS = "redis://127.0.0.1:6379/11"
NOT_MEASURED = "not measured: no PostgreSQL at its usual port"


def find_user() -> str | None:
    """Return who may make databases on the machine's server without a password."""
    for user in ("root", "postgres"):
        try:
            psycopg.connect(_address(user, "postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            continue
        return user
    return None


@contextlib.contextmanager
def own_database(user: str, purpose: str) -> Iterator[dict[str, str]]:
    """Have a database of one's own; yields the environment in which a process of the house works on it."""
    name = f"bench_{purpose}_{os.getpid()}"
    with psycopg.connect(_address(user, "postgres"), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield {
            **os.environ,
            "DATABASE_URL": _address(user, name),
            "REDIS_URL": REDIS,
            "DJANGO_SETTINGS_MODULE": "bitnerve.settings.dev",
        }
    finally:
        with psycopg.connect(_address(user, "postgres"), autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def ask_program(name: str, *words: str, environment: dict[str, str]) -> dict[str, Any]:
    """Run one of the benchmarks' own programs to its end and return the JSON of its last line."""
    program = [sys.executable, "-m", f"tests.bench.{name}", *words]
    done = subprocess.run(program, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def _address(user: str, name: str) -> str:
    return f"postgres://{user}@{SERVER}/{name}"
