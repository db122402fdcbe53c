"""The dispatcher: it drives seasons, claims the ticks that are due, and finds what got stuck."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
import uuid

from django.db import close_old_connections, connection
from django.db.utils import Error as DatabaseError

from apps.arenas.services import ticks
from apps.arenas.services.ticks import Lease
from worker import graph

logger = logging.getLogger(__name__)

LEASE_SECONDS = 5.0
RENEW_SECONDS = 1.0
TURN_SECONDS = 0.1
"""Between two looks for due ticks: a simulated market's tick may last seconds only."""
OVER_SECONDS = 0.5
"""How often a tick whose deadline has passed is asked to close."""
SWEEP_SECONDS = 5.0
"""How long a step may take before it is sent again; rule A3 asks for fifteen."""


class Dispatcher:
    """Drives every live season that nobody else drives, until it is stopped."""

    def __init__(self, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self.holder = f"{socket.gethostname()[:20]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._lease_seconds = lease_seconds
        self.leases: list[Lease] = []
        self._renewed_at = float("-inf")
        self._sent_at: dict[int, float] = {}
        self._stop = threading.Event()
        self._down = False

    def run(self) -> None:
        """Take turns until stopped, then let go of every season; a database that is away is waited for."""
        while not self._stop.wait(TURN_SECONDS):
            try:
                self.turn()
                self._down = False
            except DatabaseError as error:
                if not self._down:
                    logger.warning("the database is away, no tick is claimed: %s", str(error).strip())
                self._down = True
                close_old_connections()
                self._stop.wait(RENEW_SECONDS)
        try:
            ticks.release_leases(holder=self.holder)
        except DatabaseError:
            logger.warning("the database is away; the seasons' clocks stop when their leases run out")
        connection.close()

    def stop(self) -> None:
        """Ask `run` to come to its end."""
        self._stop.set()

    def turn(self) -> None:
        """Renew the leases when it is time, start what is due, and send again what got lost."""
        now = time.monotonic()
        if now - self._renewed_at >= RENEW_SECONDS:
            self.leases = ticks.hold_leases(holder=self.holder, seconds=self._lease_seconds)
            self._renewed_at = now
        for lease in self.leases:
            self._drive(lease, now)

    def _drive(self, lease: Lease, now: float) -> None:
        open_one = ticks.adopt_open_tick(lease)
        if open_one is None:
            claimed = ticks.claim_tick(lease)
            if claimed is not None and claimed.state == claimed.State.OPEN:
                self._sent_at[claimed.pk] = now
                graph.start_tick(claimed)
            return
        waited = now - self._sent_at.setdefault(open_one.pk, now)
        if waited >= SWEEP_SECONDS or (waited >= OVER_SECONDS and ticks.is_over(open_one)):
            self._sent_at[open_one.pk] = now
            graph.sweep(open_one)
