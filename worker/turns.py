"""A long-lived thread that takes turns must outlive whatever goes wrong in one of them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.db import close_old_connections, connection
from django.db.utils import InterfaceError, OperationalError
from kombu.exceptions import OperationalError as BrokerError
from redis.exceptions import RedisError

logger = logging.getLogger(__name__)

AWAY = (OperationalError, InterfaceError, BrokerError, RedisError, ConnectionError)
"""The database or the broker does not answer: waited for, and told once."""
PAUSE_SECONDS = 1.0
"""Between two turns while something is wrong."""


class Turns:
    """Takes a turn every so often, until stopped."""

    def __init__(
        self, name: str, turn: Callable[[], None], *, seconds: float, failed: Callable[[], None] = lambda: None
    ) -> None:
        """`name` is who takes turns, for the log; `failed` is called after each turn that failed."""
        self._name, self._turn, self._seconds, self._failed = name, turn, seconds, failed
        self._stop = threading.Event()
        self._told = ""

    def run(self) -> None:
        """Take turns until stopped; what goes wrong is written down once, however often it goes wrong."""
        while not self._stop.wait(self._seconds):
            try:
                self._turn()
            except AWAY as error:
                self._tell(f"{type(error).__name__}: {str(error).strip()}", error, logging.WARNING)
            except Exception as error:
                # An edge, like a task: whoever died here would take all seasons along, and nobody would see it.
                self._tell(f"{type(error).__name__}: {error}", error, logging.ERROR)
            else:
                if self._told:
                    logger.warning("%s goes on", self._name)
                self._told = ""
                continue
            close_old_connections()
            self._failed()
            self._stop.wait(PAUSE_SECONDS)
        connection.close()

    def _tell(self, text: str, error: Exception, level: int) -> None:
        if text != self._told:
            trace = error if level == logging.ERROR else None
            logger.log(level, "%s waits: %s", self._name, text, exc_info=trace)
        self._told = text

    def stop(self) -> None:
        """Ask `run` to come to its end."""
        self._stop.set()
