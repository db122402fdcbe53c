"""Dispatchers and workers in processes of their own, which may be killed at any moment and started again."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from django.conf import settings
from django.db import connections

WORKER = ("-m", "celery", "-A", "worker.app", "worker", "--pool=threads", "-c", "2", "--loglevel=WARNING")
QUIET = ("--without-gossip", "--without-mingle", "--without-heartbeat")
DISPATCHER = ("manage.py", "dispatch", "--lease-seconds=2", "--sweep-seconds=1")
STOP_SECONDS_MAX = 20


class Processes:
    """The processes of one arena, by name."""

    def __init__(self, *, redis_url: str, folder: Path) -> None:
        self._environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "tests.worker.settings",
            "BITNERVE_TEST_DATABASE": connections["default"].settings_dict["NAME"],
            "REDIS_URL": redis_url,
            "PYTHONWARNINGS": "ignore",
        }
        self._folder = folder
        self._commands: dict[str, tuple[str, ...]] = {}
        self.running: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, name: str) -> None:
        """Start `dispatcher` or a worker under its name."""
        words = DISPATCHER if name == "dispatcher" else (*WORKER, *QUIET, "-n", f"{name}@%h")
        with (self._folder / f"{name}.log").open("ab") as log:
            self.running[name] = subprocess.Popen(
                [sys.executable, *words],
                cwd=settings.BASE_DIR,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def kill(self, name: str) -> None:
        """Kill one as a machine that loses its power does."""
        process = self.running.pop(name)
        assert process.poll() is None, f"{name} ended by itself: {self.said(name)}"
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS_MAX)

    def stop(self) -> None:
        """End all that run."""
        for process in self.running.values():
            os.killpg(process.pid, signal.SIGTERM)
        for process in self.running.values():
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait(STOP_SECONDS_MAX)
        self.running.clear()

    def said(self, name: str) -> str:
        """Return the end of what one has written."""
        return (self._folder / f"{name}.log").read_text(errors="replace")[-3000:]
