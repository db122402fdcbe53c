"""The demo in a process of its own, with a home in a test's folder: nothing of the checkout's own demo is touched."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import psycopg
from django.conf import settings

from bitnerve.adapters.postgres.server import PrivateServer
from bitnerve.settings.database import locate_private_server

SMALL = ("--symbols=3", "--first-day-ticks=2")
START_SECONDS_MAX = 300.0
FORGOTTEN = ("DATABASE_URL", "DATABASE_APP_URL", "REDIS_URL", "PORT", "SPEED", "MARKET", "CANDLES", "FUNDING", "RESET")


def wait_for(done: Any, seconds: float = 240.0, why: Any = lambda: "waited in vain") -> None:
    until = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < until, why()
        threading.Event().wait(0.05)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


class Home:
    """Where demos of one test keep what they make."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        # Kernels are the same for all; to compile them takes a minute.
        for name in ("kernels", "simulated"):
            (settings.VAR_DIR / name).mkdir(parents=True, exist_ok=True)
            (self.folder / name).symlink_to(settings.VAR_DIR / name)
        place = locate_private_server(self.folder, "postgres")
        self.socket = place.socket
        self.server = PrivateServer(folder=place.folder, socket=place.socket, as_nobody=place.as_nobody)
        self._place = place

    def start(self, *words: str, **variables: Any) -> "Demo":
        return Demo(self, words, variables)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Return the rows of a query, asked as the database's superuser."""
        with psycopg.connect(host=str(self.socket), user="postgres", dbname="bitnerve") as connection:
            return connection.execute(query).fetchall()

    def closed(self) -> int:
        """Return how many ticks are closed; −1 while there is no database."""
        try:
            return self.ask("SELECT count(*) FROM arenas_tick WHERE state = 'CLOSED'")[0][0]
        except psycopg.Error:
            return -1

    @property
    def has_server(self) -> bool:
        return self.server._pid() is not None

    def close(self) -> None:
        self.server.stop()
        if self._place.as_nobody:
            shutil.rmtree(self._place.folder.parent, ignore_errors=True)


class Demo:
    """One demo."""

    def __init__(self, home: Home, words: tuple[str, ...], variables: dict[str, Any]) -> None:
        self.port = variables.setdefault("PORT", free_port())
        environment = {name: value for name, value in os.environ.items() if name not in FORGOTTEN}
        environment |= {"DJANGO_SETTINGS_MODULE": "bitnerve.settings.dev", "BITNERVE_VAR": str(home.folder)}
        environment |= {name: str(value) for name, value in variables.items()}
        self._log = home.folder / f"demo-{self.port}-{time.monotonic_ns()}.log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "demo", *SMALL, *words],
                cwd=settings.BASE_DIR,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    @property
    def said(self) -> str:
        return self._log.read_text(errors="replace")

    def wait_until_it_runs(self) -> None:
        wait_for(
            lambda: "Ctrl-C stops it" in self.said or self.process.poll() is not None,
            START_SECONDS_MAX,
            lambda: self.said,
        )
        assert self.process.poll() is None, self.said

    def end(self, number: int = signal.SIGTERM, *, seconds: float = 90.0) -> int:
        """Send a signal and return the exit code."""
        self.process.send_signal(number)
        return self.wait(seconds)

    def wait(self, seconds: float = 240.0) -> int:
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"it does not end:\n{self.said}") from None
