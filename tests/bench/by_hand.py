"""Run the ticks of a season in this process, with every entry doing what a benchmark wants of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any

from bitnerve.domain.decisions.decision import Decision
from bitnerve.domain.strategies.benchmarks import RandomTrader
from bitnerve.domain.strategies.catalog import Agent
from bitnerve.engine.replay import NO_ORDERS, AgentView
from tests.bench.tick_season import open_season

Wish = Callable[[int, AgentView], Decision]
"""What an entry decides, from its number among all entries and from what it sees."""


def begin_tick(season: Any, holder: str, wish: Wish) -> Any:
    """Open the next tick, let everybody decide, and return it; every order must pass."""
    from apps.arenas.models import Entry, Tick
    from apps.arenas.services import ticks
    from apps.market.services import at_ms
    from apps.trades.services import acting
    from apps.trades.services.desks import Ruled

    (lease,) = ticks.hold_leases(holder=holder, seconds=3600)
    claimed = ticks.claim_tick(lease)
    assert claimed is not None
    chunks = acting.open_tick(tick_id=claimed.pk, epoch=claimed.epoch)
    tick = Tick.objects.select_related("season__market", "snapshot").get(pk=claimed.pk)
    number = 0
    for ids in chunks:
        entries = Entry.objects.filter(pk__in=ids).select_related("version", "account")
        sitting = acting.sit(tick.season, list(entries))
        desk = sitting.desk
        desk.play_until(at_ms(tick.at))
        ruled = {}
        for place in range(len(ids)):
            decision, first = wish(number, AgentView(desk, place)), desk.order_count
            verdict = desk.submit(place, decision).verdict if decision.orders else NO_ORDERS
            if "REFUSED" in verdict:
                raise AssertionError(f"an order was refused: {verdict}")
            ruled[place] = Ruled(decision, verdict, "DECIDED", desk.now, range(first, desk.order_count))
            number += 1
        assert acting.store(sitting, tick, lease.epoch, ruled)
    return tick


def open_for_hands(entries: int, ticks: int) -> Any:
    """Return a season of agents that may trade every symbol, without the candles that no signal needs here."""
    return open_season(entries, ticks, agents=[Agent("random", RandomTrader())], warm_up_days=1)


def end_tick(tick: Any) -> None:
    """Close a tick with everybody ranked."""
    from apps.leaderboard.services import closing

    assert closing.close_tick(tick_id=tick.pk, epoch=tick.epoch) is not None


def set_clock(season: Any, now: datetime) -> None:
    """Let it be this time in a season's market; its clock stands still by itself."""
    from apps.arenas.models import Season

    Season.objects.filter(pk=season.pk).update(clock_at=now)
