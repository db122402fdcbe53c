"""The dispatcher: it drives seasons, claims the ticks that are due, and finds what got stuck."""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid

from django.db import connection
from django.db.utils import Error as DatabaseError

from apps.arenas.services import ticks
from apps.arenas.services.ticks import Lease
from worker import graph
from worker.app import app
from worker.turns import Turns

logger = logging.getLogger(__name__)

LEASE_SECONDS = 5.0
RENEW_SECONDS = 1.0
TURN_SECONDS = 0.1
"""Between two looks for due ticks: a simulated market's tick may last seconds only."""
OVER_SECONDS = 0.5
"""How often a tick whose deadline has passed is asked to close."""
SWEEP_SECONDS = 5.0
"""How long a step may take before it is sent again; rule A3 asks for fifteen."""
KEPT_SECONDS = 600.0
"""How long it is remembered when a tick was sent."""


class Dispatcher:
    """Drives every live season that nobody else drives, until it is stopped."""

    def __init__(self, *, lease_seconds: float = LEASE_SECONDS, sweep_seconds: float = SWEEP_SECONDS) -> None:
        self.holder = f"{socket.gethostname()[:20]}-{os.getpid()}-{uuid.uuid4().hex[:8]}"
        self._lease_seconds, self._sweep_seconds = lease_seconds, sweep_seconds
        self.leases: list[Lease] = []
        self._renewed_at = float("-inf")
        self._sent_at: dict[int, float] = {}
        # Steps are sent by name, through whichever app is the current one.
        app.set_default()
        self._turns = Turns("the dispatcher", self.turn, seconds=TURN_SECONDS)

    def run(self) -> None:
        """Take turns until stopped, then let go of every season; a database or broker that is away is waited for."""
        self._turns.run()
        try:
            ticks.release_leases(holder=self.holder)
        except DatabaseError:
            logger.warning("the database is away; the seasons' clocks stop when their leases run out")
        connection.close()

    def stop(self) -> None:
        """Ask `run` to come to its end."""
        self._turns.stop()

    def turn(self) -> None:
        """Renew the leases when it is time, start what is due, and send again what got lost."""
        now = time.monotonic()
        if now - self._renewed_at >= RENEW_SECONDS:
            self.leases = ticks.hold_leases(holder=self.holder, seconds=self._lease_seconds)
            self._renewed_at = now
        failed: Exception | None = None
        for lease in self.leases:
            try:
                self._drive(lease, now)
            except Exception as error:
                # A season that is wrong must not keep the others from their ticks.
                failed = failed or error
        if failed is not None:
            raise failed

    def _drive(self, lease: Lease, now: float) -> None:
        open_one = ticks.adopt_open_tick(lease)
        if open_one is None:
            claimed = ticks.claim_tick(lease)
            if claimed is not None and claimed.state == claimed.State.OPEN:
                self._sent_at = {pk: at for pk, at in self._sent_at.items() if now - at < KEPT_SECONDS}
                self._sent_at[claimed.pk] = now
                graph.start_tick(claimed)
            return
        waited = now - self._sent_at.setdefault(open_one.pk, now)
        if waited >= self._sweep_seconds or (waited >= OVER_SECONDS and ticks.is_over(open_one)):
            self._sent_at[open_one.pk] = now
            graph.sweep(open_one)
