"""Between ticks: quotes meet the accounts, and everybody sees what they are worth now.

Accounts stay on desks in memory while nobody else moves them; what happens is stored at once, under the account's
revision, so that a task which acts at the same moment and this stream can never both write. Books do not depend on
who plays a quote, nor when: an account that was put back is played again from where it was stored.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import close_old_connections, connection
from django.db.utils import Error as DatabaseError

from apps.leaderboard.services import live
from apps.trades.services.streaming import Stream
from worker.schedule import Dispatcher

logger = logging.getLogger(__name__)

TURN_SECONDS = 1.0


class Streamer:
    """Plays the quotes of every season that a dispatcher of this process drives."""

    def __init__(self, dispatcher: Dispatcher, *, show: Callable[[Stream], None] = live.show) -> None:
        self._dispatcher, self._show = dispatcher, show
        self._streams: dict[int, Stream] = {}
        self._stop = threading.Event()
        self._down = False

    def run(self) -> None:
        """Take a turn every second until stopped."""
        while not self._stop.wait(TURN_SECONDS):
            try:
                self.turn()
                self._down = False
            except DatabaseError as error:
                if not self._down:
                    logger.warning("the database is away, no quote is played: %s", str(error).strip())
                self._down = True
                self._streams.clear()
                close_old_connections()
        connection.close()

    def stop(self) -> None:
        """Ask `run` to come to its end."""
        self._stop.set()

    def turn(self) -> None:
        """Play what has come since the last turn, and show it."""
        held = {lease.season_id: lease for lease in self._dispatcher.leases}
        self._streams = {pk: stream for pk, stream in self._streams.items() if pk in held}
        for pk, lease in held.items():
            stream = self._streams.setdefault(pk, Stream(pk))
            stream.epoch = lease.epoch
            if stream.turn():
                self._show(stream)
