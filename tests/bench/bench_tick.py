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
from tests.bench.server import NOT_MEASURED, find_user, own_database

TICKS, WARM = 12, 4
WORKERS = 2
SIZES = (100, 1_000, 5_000)
AIM_SECONDS, AIM_MESSAGES = 2.0, 20
READY_SECONDS = 600


def run() -> list[dict[str, Any]]:
    """Return the time of a tick of 1,000 entries, and the processor time of an entry for each size."""
    user = find_user()
    if user is None:
        return [figure(work="one tick of 1,000 entries", value=None, unit=NOT_MEASURED, aim="<= 2 s")]
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


def _measure(entries: int, user: str) -> dict[str, Any]:
    with own_database(user, f"tick_{entries}") as environment, tempfile.TemporaryDirectory() as folder:
        return _drive(entries, environment, Path(folder))


def _drive(entries: int, environment: dict[str, str], folder: Path) -> dict[str, Any]:
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
        before = _seconds(workers) + _seconds(_sessions(environment))
        _answer(driver)
        told: dict[str, Any] = json.loads(driver.stdout.readline())  # type: ignore[union-attr]
        spent = told["spent"] + _seconds(workers) + _seconds(_sessions(environment)) - before
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


def _sessions(environment: dict[str, str]) -> list[int]:
    """Return the processes of the server that serve a database; they live as long as who is connected."""
    with psycopg.connect(environment["DATABASE_URL"]) as connection:
        query = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        return [row[0] for row in connection.execute(query).fetchall()]


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
