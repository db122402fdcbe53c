"""THE task graph: what a tick starts, what follows what, and what is sent again when it got lost.

    open_tick ─▶ act, act, … (a chunk of entries each) ─▶ close_tick

No step waits for another's result: the last chunk to finish finds that nobody is missing and sends the close. Every
step may run zero, one or three times.
"""

from __future__ import annotations

from collections.abc import Sequence

from apps.arenas.models import Tick
from apps.common import dispatch
from apps.trades.services import acting

OPEN_TICK, ACT, CLOSE_TICK = "arena.open_tick", "arena.act", "arena.close_tick"


def start_tick(tick: Tick) -> None:
    """Begin a tick that was claimed."""
    dispatch.send(OPEN_TICK, tick_id=tick.pk, epoch=tick.epoch)


def follow_open(*, tick_id: int, epoch: int, chunks: Sequence[Sequence[int]]) -> None:
    """Let entries act, or close the tick where nobody may."""
    for chunk in chunks:
        dispatch.send(ACT, tick_id=tick_id, epoch=epoch, entry_ids=list(chunk))
    if not chunks:
        dispatch.send(CLOSE_TICK, tick_id=tick_id, epoch=epoch)


def follow_act(*, tick_id: int, epoch: int, complete: bool) -> None:
    """Close the tick once nobody is missing."""
    if complete:
        dispatch.send(CLOSE_TICK, tick_id=tick_id, epoch=epoch)


def sweep(tick: Tick) -> None:
    """Send again whatever an open tick waits for: the truth is in the database, not in the broker (rule A3)."""
    if tick.snapshot_id is None and not tick.reason:
        start_tick(tick)
        return
    follow_open(tick_id=tick.pk, epoch=tick.epoch, chunks=acting.waiting_chunks(tick))
