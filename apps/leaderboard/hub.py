"""Who watches which season, and how does one frame reach all of them at once?

One hub per ASGI process. It holds one subscription per season that anybody watches and writes each frame, made once, to
every wire. The newest frame wins: where something still waits, nothing is queued behind it, and the wire is given the
whole board once it is free.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from django.db import Error as DatabaseError

from apps.common.bus import Bus
from apps.common.wire import Text, Wire
from apps.leaderboard.selectors.live import Place
from bitnerve.engine.frames import Broadcast

PACE_SECONDS = 0.9
"""No two frames follow each other faster; a publisher's second may be a little short."""
SWEEP_SECONDS = 1.0
BEHIND_SECONDS_MAX = 10.0
REPEAT_SECONDS = 15.0
"""How often the board of a season that does not move is repeated, so that its silence is not taken for a cut."""
EMPTY_SECONDS_MAX = 60.0
"""How long a season is still listened to after the last spectator has left."""
RENUMBERED_MS = 10_000
"""A smaller number that is so much younger is no straggler: the numbering has begun anew."""
PLACES_SECONDS = 1.0

BEHIND, OVER = 4008, 4010

FINAL = "FINAL"

FindPlaces = Callable[[], Awaitable[dict[str, Place]]]
Recall = Callable[[int], Awaitable[Broadcast]]
Channel = Callable[[str], str]

logger = logging.getLogger(__name__)


class Room:
    """The spectators of one season.

    What the database recalls is not complete: no delta fits it, so the frame after it goes out as a snapshot.
    """

    def __init__(self, *, newest: Broadcast, is_complete: bool) -> None:
        self.wires: set[Wire] = set()
        self.newest = newest
        self.emptied_at = 0.0
        self._loop = asyncio.get_running_loop()
        self._behind: dict[Wire, float] = {}
        """Since when something has been waiting in a wire."""
        self._ahead: set[Wire] = set()
        """Who was shown the newest frame before its turn."""
        self._board: Text | None = None
        self._is_complete = is_complete
        self._written = newest.number if is_complete else None
        """The number of the frame that everybody has who is not behind; None where the next must be a snapshot."""
        self._written_at = self._loop.time() - PACE_SECONDS
        self._timer: asyncio.TimerHandle | None = None

    def enter(self, wire: Wire) -> None:
        """Show the board to a newcomer, and every frame from now on."""
        self.wires.add(wire)
        self._show_board(wire)
        self._dismiss_if_final()

    def leave(self, wire: Wire) -> None:
        """Forget a spectator."""
        self.wires.discard(wire)
        self._behind.pop(wire, None)
        self._ahead.discard(wire)
        self.emptied_at = self._loop.time()

    def take(self, broadcast: Broadcast, *, is_complete: bool = True) -> None:
        """Show a frame to everybody, now or when the pace allows; stragglers and repetitions are ignored."""
        if not self._is_news(broadcast):
            return
        if broadcast.number <= self.newest.number:
            self._written = None
        self.newest, self._is_complete, self._board = broadcast, is_complete, None
        self._ahead.clear()
        if self._timer is None:
            delay = self._written_at + PACE_SECONDS - self._loop.time()
            self._timer = self._loop.call_later(max(delay, 0.0), self._show_newest)

    def sweep(self) -> None:
        """Bring up to date who was behind, dismiss who stays behind, and repeat a board that does not move."""
        now = self._loop.time()
        for wire, since in list(self._behind.items()):
            if now - since >= BEHIND_SECONDS_MAX:
                self.wires.discard(wire)
                self._behind.pop(wire)
                wire.hang_up(BEHIND, "too slow to follow")
            else:
                self._show_board(wire)
        if not self.newest.is_moving and now - self._written_at >= REPEAT_SECONDS:
            self._written_at = now
            for wire in self.wires:
                self._show_board(wire)
        self._dismiss_if_final()

    def _is_news(self, broadcast: Broadcast) -> bool:
        newest = self.newest
        if broadcast.number > newest.number:
            return True
        is_renumbered = broadcast.number < newest.number and broadcast.sent_at_ms > newest.sent_at_ms + RENUMBERED_MS
        return is_renumbered or (broadcast.state == FINAL != newest.state)

    def _show_newest(self) -> None:
        """Write the newest frame to everybody: the delta to those who have the frame before, else the board."""
        self._timer = None
        newest, behind, ahead = self.newest, self._behind, self._ahead
        self._written_at = now = self._loop.time()
        fits = bool(newest.delta) and self._written == newest.number - 1
        text = Text(newest.delta) if fits else self._make_board()
        for wire in self.wires:
            if wire in behind:
                self._show_board(wire)
            elif wire not in ahead and not wire.write(text):
                behind[wire] = now
        self._written = newest.number if self._is_complete else None
        self._dismiss_if_final()

    def _show_board(self, wire: Wire) -> None:
        if wire.write(self._make_board()):
            self._behind.pop(wire, None)
            if self._timer is not None:
                self._ahead.add(wire)
        else:
            self._behind.setdefault(wire, self._loop.time())

    def _make_board(self) -> Text:
        if self._board is None:
            self._board = Text(self.newest.snapshot)
        return self._board

    def _dismiss_if_final(self) -> None:
        """Send home who has seen the end of the season; who is behind is shown it first."""
        if self.newest.state != FINAL or self._timer is not None:
            return
        for wire in self.wires - self._behind.keys():
            self.wires.discard(wire)
            wire.hang_up(OVER, "the season is over")


class Hub:
    """All rooms of a process."""

    def __init__(self, *, bus: Bus, channel_of: Channel, find_places: FindPlaces, recall: Recall) -> None:
        self._bus = bus
        self._channel_of = channel_of
        self._find_places = find_places
        self._recall = recall
        self._rooms: dict[str, Room] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._opening = asyncio.Lock()
        self._places: dict[str, Place] = {}
        self._places_at: float | None = None
        self._finding = asyncio.Lock()
        self._sweeper: asyncio.Task[None] | None = None

    async def find(self, arena: str) -> Place | None:
        """Return the newest season of an arena, as of a second ago at most; None where there is no such arena.

        Whatever name is asked for costs the database nothing: all arenas are read at once, and not every time. While
        it is away, what it said last is good enough.
        """
        loop = asyncio.get_running_loop()
        async with self._finding:
            if self._places_at is None or loop.time() - self._places_at >= PLACES_SECONDS:
                try:
                    self._places = await self._find_places()
                except DatabaseError:
                    if self._places_at is None:
                        raise
                self._places_at = loop.time()
        return self._places.get(arena)

    async def enter(self, *, place: Place, wire: Wire) -> Room:
        """Lead a spectator into the room of a season, opening it for the first one."""
        async with self._opening:
            room = self._rooms.get(place.slug)
            if room is None:
                room = await self._open(place)
            elif place.state == FINAL != room.newest.state:
                # The last frame was lost on its way; the database has the final board.
                room.take(await self._recall(place.season_id), is_complete=False)
            room.enter(wire)
        return room

    async def stop(self) -> None:
        """Listen to nothing any more."""
        tasks = [*self._tasks.values(), *([self._sweeper] if self._sweeper else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._rooms.clear()
        self._tasks.clear()
        self._sweeper = None

    async def _open(self, place: Place) -> Room:
        message = await self._bus.last(self._channel_of(place.slug))
        last = None if message is None else _unpack(message)
        if last is None or (place.state == FINAL != last.state):
            room = Room(newest=await self._recall(place.season_id), is_complete=False)
        else:
            room = Room(newest=last, is_complete=True)
        self._rooms[place.slug] = room
        self._tasks[place.slug] = asyncio.create_task(self._listen(place.slug, room))
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep_forever())
        return room

    async def _listen(self, season: str, room: Room) -> None:
        async for message in self._bus.subscribe(self._channel_of(season)):
            broadcast = _unpack(message)
            if broadcast is not None:
                room.take(broadcast)

    async def _sweep_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            for season, room in list(self._rooms.items()):
                room.sweep()
                if self._tasks[season].done():
                    logger.error("%s was not listened to any more", season, exc_info=self._tasks[season].exception())
                    self._tasks[season] = asyncio.create_task(self._listen(season, room))
                if not room.wires and loop.time() - room.emptied_at >= EMPTY_SECONDS_MAX and not self._opening.locked():
                    del self._rooms[season]
                    self._tasks.pop(season).cancel()


def _unpack(message: bytes) -> Broadcast | None:
    """Return the frame of a message; None for what another version of the house may have left there."""
    try:
        return Broadcast.unpack(message)
    except ValueError:
        logger.warning("a message of the bus is no frame: %r", message[:80])
        return None
