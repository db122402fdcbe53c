"""Tell everybody who watches a season what the board shows now."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import connection

from apps.arenas.models import Season
from apps.common.bus import Bus, get_bus
from apps.leaderboard.selectors import live
from bitnerve.engine import frames

# What this process told last of each season; another process may have told something since.
_told: dict[int, _Told] = {}
_locks: dict[int, threading.Lock] = {}


@dataclass(frozen=True, slots=True)
class _Told:
    number: int
    board: frames.Board


def publish_frame(
    *,
    season: Season,
    at: datetime,
    rows: Mapping[str, Mapping[str, Any]],
    tick: Mapping[str, Any] | None,
    speed: float,
    points: Mapping[str, Any] | None = None,
    decisions: Sequence[Mapping[str, Any]] = (),
    prices: Mapping[str, Any] | None = None,
    lease_epoch: int | None = None,
    bus: Bus | None = None,
) -> int | None:
    """Send a season's board to all who watch it and return the frame's number; call it about once a second.

    `rows` (by entry) holds everything of everybody; `points`, `decisions` and `prices` what is new. Decimals,
    instants and ratios come as they are. Call it after the commit: the number is drawn by a statement of its own.

    Returns None, and sends nothing, when `lease_epoch` is no longer the season's: somebody else drives it now.
    """
    with _locks.setdefault(season.pk, threading.Lock()):
        told = _told.get(season.pk)
        number = _draw_number(season=season, after=told.number if told else 0, lease_epoch=lease_epoch)
        if number is None:
            _told.pop(season.pk, None)
            return None
        fresh = {"season_state": season.state, "tick": tick, "speed": speed, "rows": rows}
        board = _compose(told.board if told else None, frames.plain(fresh), points, decisions, prices)
        # The counter is everybody's: where it moved by one, nobody else has published since.
        is_next = told is not None and told.number == number - 1
        changes = frames.diff_boards(before=told.board, after=board) if told is not None and is_next else None
        broadcast = make_broadcast(season=season, number=number, at=at, board=board, changes=changes)
        (bus or get_bus()).publish(channel_of(season.slug), broadcast.pack())
        _told[season.pk] = _Told(number=number, board=board)
        if season.state == Season.State.FINAL:
            _told.pop(season.pk)
        return number


def make_broadcast(
    *, season: Season, number: int, at: datetime | None, board: frames.Board, changes: frames.Board | None
) -> frames.Broadcast:
    """Return a frame in both forms, encoded; without `changes` it is a snapshot alone."""
    sent_at = datetime.now(UTC)
    shown = {part: value for part, value in board.items() if value or part != "points"}
    told = {"seq": number, "at": frames.plain(at), "sent_at": frames.plain(sent_at), "season": season.slug}
    return frames.Broadcast(
        number=number,
        sent_at_ms=time.time_ns() // 1_000_000,
        state=season.state,
        is_moving=season.state == Season.State.LIVE and board["speed"] > 0,
        snapshot=frames.encode({"type": "snapshot", **told, **shown}),
        delta=b"" if changes is None else frames.encode({"type": "delta", **told, **changes}),
    )


def recall_broadcast(*, season_id: int) -> frames.Broadcast:
    """Return what the database knows of a season, as a snapshot under the number of the last frame."""
    season = Season.objects.get(pk=season_id)
    board = frames.plain(live.get_board(season=season))
    return make_broadcast(season=season, number=season.frame, at=season.clock_at, board=board, changes=None)


def channel_of(season: str) -> str:
    """Return the bus channel of a season, given its slug."""
    return f"bitnerve:frames:{season}"


def _compose(
    before: frames.Board | None,
    fresh: frames.Board,
    points: Mapping[str, Any] | None,
    decisions: Sequence[Mapping[str, Any]],
    prices: Mapping[str, Any] | None,
) -> frames.Board:
    """Return the whole board: what is given, and of points, decisions and prices what was known before."""
    known = before or {"points": {}, "decisions": [], "prices": {}}
    return fresh | {
        "points": frames.plain(points) if points else known["points"],
        "decisions": frames.keep_newest(known["decisions"], frames.plain(decisions)),
        "prices": known["prices"] | frames.plain(prices or {}),
    }


def _draw_number(*, season: Season, after: int, lease_epoch: int | None) -> int | None:
    """Return the season's next frame number, which no other publisher gets; None under a lease that is over.

    It is above `after` even where somebody has saved the whole row, with the counter as it once was.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE arenas_season SET frame = GREATEST(frame, %s) + 1 "
            "WHERE id = %s AND lease_epoch = COALESCE(%s, lease_epoch) RETURNING frame",
            [after, season.pk, lease_epoch],
        )
        row = cursor.fetchone()
    return None if row is None else int(row[0])
