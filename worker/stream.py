"""Between ticks: quotes meet the accounts, and everybody sees what they are worth now.

Accounts stay on desks in memory while nobody else moves them; what happens is stored at once, under the account's
revision, so that a task which acts at the same moment and this stream can never both write. Books do not depend on
who plays a quote, nor when: an account that was put back is played again from where it was stored.
"""

from __future__ import annotations

from collections.abc import Callable

from apps.leaderboard.services import live
from apps.trades.services.streaming import Stream
from worker.schedule import Dispatcher
from worker.turns import Turns

TURN_SECONDS = 1.0


class Streamer:
    """Plays the quotes of every season that a dispatcher of this process drives."""

    def __init__(self, dispatcher: Dispatcher, *, show: Callable[[Stream], None] = live.show) -> None:
        self._dispatcher, self._show = dispatcher, show
        self._streams: dict[int, Stream] = {}
        self._turns = Turns("the stream", self.turn, seconds=TURN_SECONDS, failed=self._streams.clear)

    def run(self) -> None:
        """Take a turn every second until stopped; after one that failed all accounts are read again."""
        self._turns.run()

    def stop(self) -> None:
        """Ask `run` to come to its end."""
        self._turns.stop()

    def turn(self) -> None:
        """Play what has come since the last turn, and show it."""
        held = {lease.season_id: lease for lease in self._dispatcher.leases}
        for pk in self._streams.keys() - held.keys():
            del self._streams[pk]
        for pk, lease in held.items():
            stream = self._streams.setdefault(pk, Stream(pk))
            stream.epoch = lease.epoch
            if stream.turn():
                self._show(stream)
        for stream in self._streams.values():
            stream.settle()
