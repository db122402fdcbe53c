"""Drive the seasons: claim ticks, send their steps to the workers, play the quotes between them."""

from __future__ import annotations

import logging
import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import CommandParser

from apps.common.command import HouseCommand
from bitnerve.domain.errors import Refusal

JOIN_SECONDS = 5.0


class NoBroker(Refusal):
    """A dispatcher in a process of its own has nobody to send to without a broker."""

    code = "NO_BROKER"


class Command(HouseCommand):
    help = "Drive every live season that nobody else drives, until SIGTERM or Ctrl-C. Workers run beside it."

    def add_arguments(self, parser: CommandParser) -> None:
        """Both for a machine that is to notice a death sooner."""
        parser.add_argument("--lease-seconds", type=float, default=None, help="how long a silent one keeps its seasons")
        parser.add_argument("--sweep-seconds", type=float, default=None, help="after which a step is sent again")

    def handle(self, *args: Any, **options: Any) -> None:
        """Run dispatcher and stream in threads, and let go of every season at the end."""
        from worker.schedule import LEASE_SECONDS, SWEEP_SECONDS, Dispatcher
        from worker.stream import Streamer

        if not settings.REDIS_URL:
            raise NoBroker("REDIS_URL: a dispatcher needs the broker that its workers listen to; see make demo")
        logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
        dispatcher = Dispatcher(
            lease_seconds=options["lease_seconds"] or LEASE_SECONDS,
            sweep_seconds=options["sweep_seconds"] or SWEEP_SECONDS,
        )
        streamer = Streamer(dispatcher)
        ended = threading.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: ended.set())
        threads = [threading.Thread(target=one.run, daemon=True) for one in (dispatcher, streamer)]
        for thread in threads:
            thread.start()
        ended.wait()
        for one in (dispatcher, streamer):
            one.stop()
        for thread in threads:
            thread.join(JOIN_SECONDS)
