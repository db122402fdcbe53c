"""The steps of a tick; each makes one call into one service."""

from __future__ import annotations

from apps.leaderboard.services import closing
from apps.trades.services import acting
from worker import graph
from worker.app import app


@app.task(name=graph.OPEN_TICK)
def open_tick(tick_id: int, epoch: int) -> None:
    """Store what can be seen, and let the entries act on it."""
    chunks = acting.open_tick(tick_id=tick_id, epoch=epoch)
    graph.follow_open(tick_id=tick_id, epoch=epoch, chunks=chunks)


@app.task(name=graph.ACT)
def act(tick_id: int, epoch: int, entry_ids: list[int]) -> None:
    """Let a chunk of entries decide, and execute what passes the governors."""
    acted = acting.act(tick_id=tick_id, epoch=epoch, entry_ids=entry_ids)
    graph.follow_act(tick_id=tick_id, epoch=epoch, complete=acted.complete)


@app.task(name=graph.CLOSE_TICK)
def close_tick(tick_id: int, epoch: int) -> None:
    """Mark everybody, rank them, and show it."""
    closing.close_tick(tick_id=tick_id, epoch=epoch)
