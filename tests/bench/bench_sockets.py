"""How soon does a frame reach the last of 2,000 spectators, and what does each of them cost? Peer: channels-redis."""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.measure import figure

ROOT = Path(__file__).parents[2]
SOCKETS, FRAME_BYTES = 2_000, 5_000
ROUNDS = {"hub": 10, "group": 3}
REST_SECONDS = 1.1
PATH = "/ws/v1/public/arenas/bench"
AIM_TIMES, AIM_MICROSECONDS, AIM_KIB = 12.0, 25.0, 25.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What one server took."""

    last_ms: float
    """From the call until the last client had the whole message: the median round."""
    cpu_us: float
    """Processor time of the server per delivered message."""
    kib: float
    """Resident memory per open socket."""


def run() -> list[dict[str, Any]]:
    """Measure our hub and, in the same run, the group."""
    ours = _measure("hub")
    try:
        theirs = _measure("group")
    except RuntimeError as error:
        theirs, why = None, str(error).strip().splitlines()[-1]
    peer = (lambda text: f"channels-redis group: {text}") if theirs else (lambda _: f"skipped: {why}")
    work = f"one frame of {FRAME_BYTES:,} bytes to {SOCKETS:,} sockets"
    times = theirs.last_ms / ours.last_ms if theirs else None
    return [
        figure(
            work=f"{work}: until the last has it",
            value=ours.last_ms,
            unit="ms",
            aim=f">= {AIM_TIMES:g} x faster",
            met=None if times is None else times >= AIM_TIMES,
            peer=peer(f"{theirs.last_ms:,.0f} ms, {times:.0f} x" if theirs else ""),
        ),
        figure(
            work="the same: server's processor time per message",
            value=ours.cpu_us,
            unit="us",
            aim=f"<= {AIM_MICROSECONDS:g} us",
            met=ours.cpu_us <= AIM_MICROSECONDS,
            peer=peer(f"{theirs.cpu_us:,.0f} us, Redis apart" if theirs else ""),
        ),
        figure(
            work="the same: server's memory per socket",
            value=ours.kib,
            unit="KiB",
            aim=f"<= {AIM_KIB:g} KiB",
            met=ours.kib <= AIM_KIB,
            peer=peer(f"{theirs.kib:,.0f} KiB" if theirs else ""),
        ),
    ]


def _measure(which: str) -> Measured:
    """Return the figures of one server; raises `RuntimeError` with what it said when it fails."""
    with _program("sockets_server", which) as server:
        port = _answer(server)["port"]
        before = _ask(server, "usage")
        with _program("sockets_clients", str(port), PATH, str(SOCKETS)) as clients:
            _answer(clients)
            _round(server, clients)
            full = _ask(server, "usage")
            rounds = [_round(server, clients) for _ in range(ROUNDS[which])]
            after = _ask(server, "usage")
    delivered = SOCKETS * len(rounds)
    return Measured(
        last_ms=statistics.median(rounds) * 1e3,
        cpu_us=(after["cpu_seconds"] - full["cpu_seconds"]) / delivered * 1e6,
        kib=(full["resident_bytes"] - before["resident_bytes"]) / SOCKETS / 1024,
    )


def _round(server: subprocess.Popen[str], clients: subprocess.Popen[str]) -> float:
    """Send one message to everybody and return the seconds until the last client has it."""
    time.sleep(REST_SECONDS)
    began = _ask(server, f"send {FRAME_BYTES}")["began_at"]
    return float(_answer(clients)["last_at"] - began)


@contextlib.contextmanager
def _program(name: str, *words: str) -> Iterator[subprocess.Popen[str]]:
    """Run one of the two programs of this benchmark beside us."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.bench.{name}", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "bitnerve.settings.test"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def _ask(process: subprocess.Popen[str], line: str) -> dict[str, Any]:
    assert process.stdin is not None
    try:
        process.stdin.write(line + "\n")
        process.stdin.flush()
    except BrokenPipeError:
        pass
    return _answer(process)


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    assert process.stderr is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError(process.stderr.read()[-2000:] or "ended without a word")
    return dict(json.loads(line))
