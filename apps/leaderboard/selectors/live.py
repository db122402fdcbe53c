"""What do the database's own rows say about a season, for whoever comes while nothing is broadcast?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from apps.arenas.models import Season, Tick
from apps.leaderboard.models import Standing

ROW_FIELDS = (
    "rank",
    "equity",
    "total_return",
    "excess_return",
    "drawdown_max",
    "drawdown_now",
    "sharpe",
    "trades",
    "win_rate",
    "profit_factor",
    "exposure_gross",
    "exposure_net",
    "fees",
    "funding",
    "last_action",
    "last_action_at",
)
"""What a row of the board takes from a standing, under the same names."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an arena's spectators are led: its newest season."""

    season_id: int
    slug: str
    state: str


def list_places() -> dict[str, Place]:
    """Return the newest season of every arena that has one, by the arena's slug."""
    seasons = Season.objects.order_by("arena_id", "-number").distinct("arena_id")
    rows = seasons.values_list("arena__slug", "pk", "slug", "state")
    return {arena: Place(season_id=pk, slug=slug, state=state) for arena, pk, slug, state in rows}


def get_board(*, season: Season) -> dict[str, Any]:
    """Return the board as of the last closed tick: as a frame has it, without prices, points and decisions."""
    standings = Standing.objects.filter(season=season).select_related("entry")
    return {
        "season_state": season.state,
        "tick": get_last_tick(season=season),
        "speed": season.speed if season.anchored_at is not None else 0.0,
        "rows": {standing.entry.name: make_row(standing=standing) for standing in standings},
        "prices": {},
        "points": {},
        "decisions": [],
    }


def make_row(*, standing: Standing) -> dict[str, Any]:
    """Return a standing as a row of the board."""
    return {name: getattr(standing, name) for name in ROW_FIELDS} | {"state": standing.entry.state}


def get_last_tick(*, season: Season) -> dict[str, Any] | None:
    """Return the newest tick as a frame tells it; None before the first."""
    tick = Tick.objects.filter(season=season).order_by("-number").first()
    if tick is None:
        return None
    next_at = tick.at + timedelta(milliseconds=season.tick_ms)
    return {"number": tick.number, "at": tick.at, "next_at": next_at, "state": tick.state, "reason": tick.reason}
