"""Close ticks: rank everybody, keep each day's root, and tell those who watch."""

from __future__ import annotations

from apps.arenas.models import Season, Tick
from apps.leaderboard.services import live, standings
from apps.trades.services import acting


def close_tick(*, tick_id: int, epoch: int, shown: bool = True) -> Tick | None:
    """Close a tick if it is time, with the standings up to it, show it unless nobody watches, and return it."""
    tick = acting.close_tick(tick_id=tick_id, epoch=epoch, also=_rank)
    if tick is not None and shown:
        show_tick(tick)
    return tick


def show_tick(tick: Tick) -> None:
    """Show everybody who watches what a closed tick has made of its season."""
    live.show_tick(Season.objects.select_related("market").get(pk=tick.season_id), tick)


def _rank(season: Season, tick: Tick) -> None:
    if tick.state != Tick.State.SKIPPED:
        # A skipped one has marked nobody, and its market is not known.
        standings.update_standings(season, tick)
    standings.keep_day_roots(season, tick.at)
