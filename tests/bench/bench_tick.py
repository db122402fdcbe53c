"""How long does a tick of a thousand entries take through database and tasks, and what does an entry cost?

A process of its own drives the season, two more are Celery workers on a Redis broker, and PostgreSQL is durable: the
machine's at its usual port. Measured from the claim of a tick until it is seen closed, standings included; processor
time is that of all of them and of the server's sessions, once warm.
"""

from __future__ import annotations

import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psycopg

from tests.bench.measure import figure

TICKS, WARM = 12, 4
WORKERS = 2
SIZES = (100, 1_000, 5_000)
AIM_SECONDS, AIM_MESSAGES = 2.0, 20
SERVER = "127.0.0.1:5432"
REDIS = "redis://127.0.0.1:6379/11"
READY_SECONDS = 600


def run() -> list[dict[str, Any]]:
    """Return the time of a tick of 1,000 entries, and the processor time of an entry for each size."""
    user = _user()
    if user is None:
        unit = "not measured: no PostgreSQL at its usual port"
        return [figure(work="one tick of 1,000 entries", value=0.0, unit=unit, aim="<= 2 s", met=None, peer="-")]
    found = {entries: _measure(entries, user) for entries in SIZES}
    main = found[1_000]
    costs = ", ".join(f"{entries:,}: {one['cpu_ms']:.2f}" for entries, one in found.items())
    return [
        figure(
            work=f"one tick of 1,000 strategy entries on 100 symbols ({TICKS - WARM} warm ticks, worst)",
            value=max(main["seconds"][WARM:]),
            unit="s",
            aim=f"<= {AIM_SECONDS:g} s, <= {AIM_MESSAGES} messages, 0 missed, 0 twice",
            met=max(main["seconds"][WARM:]) <= AIM_SECONDS
            and main["messages"] <= AIM_MESSAGES
            and main["missed"] == main["twice"] == 0,
            peer=f"median {statistics.median(main['seconds'][WARM:]):.2f} s, {main['messages']:.1f} messages a tick, "
            f"{main['missed']} missed, {main['twice']} twice",
        ),
        figure(
            work="processor time per entry and tick: dispatcher, workers, database",
            value=found[1_000]["cpu_ms"],
            unit="ms",
            aim="flat",
            met=found[5_000]["cpu_ms"] <= 1.25 * found[1_000]["cpu_ms"],
            peer=costs,
        ),
    ]


def _user() -> str | None:
    """Return who may make databases on the machine's server without a password."""
    for user in ("root", "postgres"):
        try:
            psycopg.connect(f"postgres://{user}@{SERVER}/postgres", connect_timeout=2).close()
        except psycopg.OperationalError:
            continue
        return user
    return None


def _measure(entries: int, user: str) -> dict[str, Any]:
    name = f"bench_tick_{os.getpid()}_{entries}"
    admin = f"postgres://{user}@{SERVER}/postgres"
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    environment = {
        **os.environ,
        "DATABASE_URL": f"postgres://{user}@{SERVER}/{name}",
        "REDIS_URL": REDIS,
        "DJANGO_SETTINGS_MODULE": "bitnerve.settings.dev",
    }
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _drive(entries, environment, name, Path(folder))
    finally:
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def _drive(entries: int, environment: dict[str, str], database: str, folder: Path) -> dict[str, Any]:
    driver = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.tick_season", str(entries), str(TICKS), str(WARM)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    logs = [folder / f"worker-{number}.log" for number in range(WORKERS)]
    running = [driver]
    try:
        _expect(driver, "ready")
        for number, log in enumerate(logs):
            words = ["-A", "worker.app", "worker", "-P", "solo", "-l", "INFO", "-n", f"bench-{number}"]
            with log.open("w") as said:
                running.append(
                    subprocess.Popen(
                        [sys.executable, "-m", "celery", *words], env=environment, stdout=said, stderr=subprocess.STDOUT
                    )
                )
        _wait(lambda: all("ready." in log.read_text() for log in logs))
        _answer(driver)
        _expect(driver, "warm")
        workers = [process.pid for process in running[1:]]
        before = _seconds(workers) + _seconds(_sessions(database))
        _answer(driver)
        told: dict[str, Any] = json.loads(driver.stdout.readline())  # type: ignore[union-attr]
        spent = told["spent"] + _seconds(workers) + _seconds(_sessions(database)) - before
    finally:
        for process in reversed(running):
            process.send_signal(signal.SIGTERM)
            process.wait(60)
    received = sum(len(re.findall(r"Task \S+ received", log.read_text())) for log in logs)
    return told | {"messages": received / TICKS, "cpu_ms": 1000 * spent / (entries * (TICKS - WARM))}


def _expect(driver: subprocess.Popen[str], word: str) -> None:
    said = driver.stdout.readline()  # type: ignore[union-attr]
    if said != f"{word}\n":
        raise RuntimeError(f"the season's process said {said!r}, not {word!r}")


def _answer(driver: subprocess.Popen[str]) -> None:
    driver.stdin.write("go\n")  # type: ignore[union-attr]
    driver.stdin.flush()  # type: ignore[union-attr]


def _sessions(database: str) -> list[int]:
    """Return the processes of the server that serve a database; they live as long as who is connected."""
    with psycopg.connect(f"postgres://{_user()}@{SERVER}/postgres") as connection:
        found = connection.execute("SELECT pid FROM pg_stat_activity WHERE datname = %s", [database])
        return [row[0] for row in found.fetchall()]


def _seconds(pids: list[int]) -> float:
    """Return the processor time that processes have used."""
    ticks = 0
    for pid in pids:
        cells = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(cells[11]) + int(cells[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def _wait(done: Any) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError("the worker did not get ready")
        time.sleep(0.1)
