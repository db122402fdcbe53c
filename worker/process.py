"""The whole arena in one process: dispatcher, stream and workers as threads beside whatever else runs."""

from __future__ import annotations

import threading
import time

from celery.worker import WorkController

from worker.app import app
from worker.schedule import Dispatcher
from worker.stream import Streamer

WORKERS = 2
READY_SECONDS = 10.0
JOIN_SECONDS = 3.0
"""For all of them together: who presses Ctrl-C does not wait longer."""


class Arena:
    """Everything that makes seasons move; start it once."""

    def __init__(self) -> None:
        self._dispatcher = Dispatcher()
        self._streamer = Streamer(self._dispatcher)
        self._ready = threading.Event()
        self._worker = WorkController(
            app=app,
            pool_cls="threads",
            concurrency=WORKERS,
            loglevel="WARNING",
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            ready_callback=lambda consumer: self._ready.set(),
        )
        runs = {"worker": self._worker.start, "dispatcher": self._dispatcher.run, "stream": self._streamer.run}
        self._threads = [threading.Thread(target=run, name=name, daemon=True) for name, run in runs.items()]

    def start(self) -> None:
        """Start the threads; the clock does not run before somebody can work."""
        worker, *others = self._threads
        worker.start()
        self._ready.wait(READY_SECONDS)
        for thread in others:
            thread.start()

    def stop(self) -> None:
        """Let go of every season, and wait for what is under way; what is not done by then is found again later."""
        self._dispatcher.stop()
        self._streamer.stop()
        self._worker.should_stop = True
        stopper = threading.Thread(target=self._worker.stop, daemon=True)
        stopper.start()
        until = time.monotonic() + JOIN_SECONDS
        for thread in (*self._threads[1:], stopper):
            thread.join(max(0.0, until - time.monotonic()))
