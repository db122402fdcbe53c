"""How long does a tick of a thousand entries take through database and tasks, and what does an entry cost?

A process of its own drives the season, another is a Celery worker on a Redis broker, and PostgreSQL is durable: the
machine's at its usual port. Measured from the claim of a tick to its close with standings.
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

from tests.bench.measure import figure
from tests.bench.server import NOT_MEASURED, find_user, own_database

TICKS, WARM = 10, 4
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
            work="worker's processor time per entry and tick, ms",
            value=found[1_000]["cpu_ms"],
            unit="ms",
            aim="flat",
            met=found[5_000]["cpu_ms"] <= 1.25 * found[1_000]["cpu_ms"],
            peer=costs,
        ),
    ]


def _measure(entries: int, user: str) -> dict[str, Any]:
    with own_database(user, f"tick_{entries}") as environment, tempfile.TemporaryDirectory() as folder:
        return _drive(entries, environment, Path(folder) / "worker.log")


def _drive(entries: int, environment: dict[str, str], log: Path) -> dict[str, Any]:
    driver = subprocess.Popen(
        [sys.executable, "-m", "tests.bench.tick_season", str(entries), str(TICKS)],
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    worker = None
    try:
        assert driver.stdin is not None
        assert driver.stdout is not None
        if driver.stdout.readline() != "ready\n":
            raise RuntimeError("the season could not be opened")
        worker = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "worker.app", "worker", "-P", "threads", "-c", "2", "-l", "INFO"],
            env=environment,
            stdout=log.open("w"),
            stderr=subprocess.STDOUT,
        )
        _wait(lambda: "ready." in log.read_text())
        driver.stdin.write("go\n")
        driver.stdin.flush()
        told = json.loads(driver.stdout.readline())
        spent = _processor_seconds(worker.pid)
    finally:
        for process in (worker, driver):
            if process is not None:
                process.send_signal(signal.SIGTERM)
                process.wait(30)
    told["messages"] = len(re.findall(r"Task \S+ received", log.read_text())) / TICKS
    told["cpu_ms"] = 1000 * spent / (entries * TICKS)
    return told


def _processor_seconds(pid: int) -> float:
    cells = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(cells[11]) + int(cells[12])) / os.sysconf("SC_CLK_TCK")


def _wait(done: Any) -> None:
    deadline = time.monotonic() + READY_SECONDS
    while not done():
        if time.monotonic() > deadline:
            raise RuntimeError("the worker did not get ready")
        time.sleep(0.1)
