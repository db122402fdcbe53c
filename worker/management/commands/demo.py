"""A season on the built-in market, live in the browser: everything it needs, in one process."""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import hashlib
import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import uvicorn
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.management import call_command
from django.core.management.base import CommandParser
from django.db import close_old_connections, connection
from django.db.utils import Error as DatabaseError
from rich.console import Console

from apps.arenas.models import Season
from apps.common import database
from apps.common.bus import check_redis
from apps.common.command import HouseCommand, open_console
from apps.common.wire import server_settings
from apps.leaderboard.services import demo
from apps.leaderboard.services.demo import DemoRequest, NoRecording, open_demo
from bitnerve.domain.errors import Refusal

HOST = "127.0.0.1"
SPEED_MAX = 3600.0
TICK = timedelta(minutes=5)
OVER_SECONDS = 1.0


class PortTaken(Refusal):
    """Somebody else listens where the demo would."""

    code = "PORT_TAKEN"


class DemoRuns(Refusal):
    """A demo of this checkout that runs already."""

    code = "DEMO_RUNS"


class BadSetting(Refusal):
    """A variable that cannot be taken as it is written."""

    code = "BAD_SETTING"


class Command(HouseCommand):
    help = "Run a live season with everything it needs, and show it in the browser. Ctrl-C stops all of it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Each has an environment variable of the same name, which `make demo NAME=value` sets."""
        parser.add_argument("--port", default=os.environ.get("PORT") or "8000")
        parser.add_argument("--speed", default=os.environ.get("SPEED") or "", help="market time per wall time")
        parser.add_argument("--reset", default=os.environ.get("RESET") or "", help="1 begins a new season")
        parser.add_argument("--market", default=os.environ.get("MARKET") or "simulated", help="simulated or replay")
        parser.add_argument("--candles", default=os.environ.get("CANDLES") or "", help="recordings, with replay")
        parser.add_argument("--funding", default=os.environ.get("FUNDING") or "")
        # For tests, which have less time than a spectator.
        parser.add_argument("--symbols", type=int, default=demo.SYMBOLS, help=argparse.SUPPRESS)
        parser.add_argument("--first-day-ticks", type=int, default=demo.FIRST_DAY // TICK, help=argparse.SUPPRESS)
        parser.add_argument("--ticks", type=int, default=demo.LENGTH // TICK, help=argparse.SUPPRESS)

    def handle(self, *args: Any, **options: Any) -> None:
        """Prepare, serve, and put everything away again."""
        port, request, reset = _read_port(options["port"]), _read_request(options), options["reset"] not in ("", "0")
        began = time.monotonic()
        console = open_console(stderr=True)
        logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        # A second signal while things are put away must not leave them half away.
        with _only_demo(port), _listen(port) as listener, _stoppable(), console.status("starting") as status:
            said: list[str] = []

            def report(step: str) -> None:
                status.update(step)
                name = step.split(":", maxsplit=1)[0]
                if not console.is_terminal and name not in said:
                    said.append(name)
                    console.print(f"{name} ...")

            if settings.REDIS_URL:
                check_redis(settings.REDIS_URL)
            with database.running_database(report):
                if reset:
                    report("forgetting the last demo")
                    database.forget_everything()
                database.prepare_database(report)
                collect_files(report)
                season = open_demo(request, report)
                status.stop()
                console.print(
                    f"{season.arena.name}, season {season.number}: http://{HOST}:{port}/   "
                    f"({time.monotonic() - began:.0f} s; {season.speed:g} times real time; Ctrl-C stops it)"
                )
                with _told_when_over(season, console):
                    _serve(listener)


def collect_files(report: Callable[[str], None]) -> None:
    """Name and compress the files of the pages; nothing is done where they are what they were at the last start."""
    digest = hashlib.sha256()
    for finder in get_finders():
        for path, storage in finder.list([]):
            seen = Path(storage.path(path)).stat()
            digest.update(f"{path} {seen.st_size} {seen.st_mtime_ns}\n".encode())
    collected = settings.VAR_DIR / "static.collected"
    if collected.is_file() and collected.read_text(encoding="ascii") == digest.hexdigest():
        return
    report("collecting the pages' files")
    collected.unlink(missing_ok=True)
    call_command("collectstatic", interactive=False, verbosity=0, clear=True)
    collected.write_text(digest.hexdigest(), encoding="ascii")


@contextlib.contextmanager
def _told_when_over(season: Season, console: Console) -> Iterator[None]:
    """Say once that the season has come to its end; its pages stay."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(OVER_SECONDS):
            with contextlib.suppress(DatabaseError):
                if Season.objects.filter(pk=season.pk, state=Season.State.FINAL).exists():
                    console.print("the season is over: its pages stay until Ctrl-C, the next start opens another")
                    break
                continue
            close_old_connections()
        connection.close()

    watcher = threading.Thread(target=watch, name="over", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join(OVER_SECONDS)


def _serve(listener: socket.socket) -> None:
    """Run the arena and its pages until a signal comes."""
    from worker.process import Arena

    arena = Arena()
    arena.start()
    try:
        server = uvicorn.Server(
            uvicorn.Config(**server_settings() | {"log_level": "warning", "timeout_graceful_shutdown": 1})
        )
        server.run(sockets=[listener])
    finally:
        arena.stop()


def _read_port(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= 65535):
        raise BadSetting(f"PORT: {text!r} is not a port, 1 to 65535", field="PORT")
    return int(text)


def _read_request(options: dict[str, Any]) -> DemoRequest:
    speed = None
    if options["speed"]:
        try:
            speed = float(options["speed"])
        except ValueError:
            speed = -1.0
        if not 0.0 < speed <= SPEED_MAX:
            raise BadSetting(f"SPEED: {options['speed']!r} is not a number above 0 and at most {SPEED_MAX:g}")
    candles, funding = _read_paths("CANDLES", options["candles"]), _read_paths("FUNDING", options["funding"])
    if options["market"] not in ("simulated", "replay"):
        raise BadSetting(f"MARKET: {options['market']!r} is neither simulated nor replay")
    if options["market"] == "replay" and not candles:
        raise NoRecording("MARKET=replay: name the recordings to replay with CANDLES=FILE")
    if options["market"] == "simulated" and (candles or funding):
        raise BadSetting("CANDLES, FUNDING: only a replay takes recordings; add MARKET=replay")
    return DemoRequest(
        candles=candles,
        funding=funding,
        speed=speed,
        symbols=options["symbols"],
        first_day=options["first_day_ticks"] * TICK,
        length=options["ticks"] * TICK,
    )


def _read_paths(field: str, text: str) -> tuple[Path, ...]:
    paths = tuple(Path(word).resolve() for word in text.replace(",", " ").split())
    for path in paths:
        if not path.is_file():
            raise NoRecording(f"{field}: {path} is not a file", file=str(path))
    return paths


@contextlib.contextmanager
def _only_demo(port: int) -> Iterator[None]:
    """Hold the checkout's lock, so that two demos never drive one season."""
    settings.VAR_DIR.mkdir(parents=True, exist_ok=True)
    path = settings.VAR_DIR / "demo.lock"
    with path.open("a+", encoding="ascii") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            where = lock.read().strip()
            raise DemoRuns(f"a demo of this checkout runs already, at {where or 'another port'}") from None
        lock.truncate(0)
        lock.write(f"http://{HOST}:{port}/")
        lock.flush()
        yield
        lock.truncate(0)


@contextlib.contextmanager
def _listen(port: int) -> Iterator[socket.socket]:
    """Take the port before anything else is started."""
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise PortTaken(
                f"PORT: {port} is taken ({error.strerror}); choose another with make demo PORT={port + 1}", port=port
            ) from None
        yield listener


@contextlib.contextmanager
def _stoppable() -> Iterator[None]:
    """Let SIGTERM end the demo like Ctrl-C while no server listens for it yet."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
