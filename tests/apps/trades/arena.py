"""A season for tests: a market from a recording or a seed, the roster entered, and a hand that drives it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from apps.agents.services import register_agent
from apps.arenas.models import Arena, Season
from apps.arenas.services import seasons, ticks
from apps.market import services as markets
from apps.market.models import Market
from apps.trades.services import acting, entering
from apps.users.services import platform_team
from bitnerve.adapters.recordings import write_recording
from bitnerve.domain.market.recording import Recording
from bitnerve.domain.strategies.catalog import Agent, list_agents
from bitnerve.domain.timeframe import MINUTE_MS
from bitnerve.domain.units import SCALE

BAR_MS = 5 * MINUTE_MS
CAPITAL = 10_000 * SCALE


def recorded_market(recording: Recording, folder: Path, slug: str = "recorded") -> Market:
    """Return a market that hands out a recording, which is written to files first."""
    files = write_recording(recording=recording, folder=folder, exchange="simulated")
    return markets.create_market(
        slug=slug,
        name="Recorded",
        source=Market.Source.RECORDED,
        starts_at=markets.make_instant(0),
        parameters={
            "candles": list(map(str, files.candles)),
            "funding": list(map(str, files.funding)),
            "tiers": str(files.tiers),
            "filters": str(files.filters),
        },
    )


def simulated_market(*, seed: int, start_at: int, symbol_count: int, slug: str = "simulated") -> Market:
    return markets.create_market(
        slug=slug,
        name="Simulated",
        source=Market.Source.SIMULATED,
        starts_at=markets.make_instant(start_at),
        parameters={"seed": seed, "symbol_count": symbol_count},
    )


def open_season(
    market: Market,
    *,
    starts_at: datetime,
    ends_at: datetime,
    seed: int,
    agents: Sequence[Agent] | None = None,
    slug: str = "season",
    speed: float = 0.0,
    **rules: Any,
) -> Season:
    """Open a season that runs as fast as it is driven, with the roster in it."""
    arena, _ = Arena.objects.get_or_create(slug="arena", defaults={"name": "Arena", "summary": "For tests"})
    terms = {"capital": CAPITAL, "tick_ms": BAR_MS, "seed": seed, "deadline_ms": MINUTE_MS, **rules}
    season = seasons.open_season(
        arena=arena,
        market=market,
        slug=slug,
        rules=seasons.SeasonRules(**terms),
        starts_at=starts_at,
        ends_at=ends_at,
        speed=speed,
    )
    team = platform_team()
    versions = [
        register_agent(team=team, name=one.name, strategy=one.strategy.name, parameters=one.strategy.parameters)
        for one in (list_agents() if agents is None else agents)
    ]
    entering.enter_season(season=season, versions=versions)
    return season


def drive(season: Season, *, ticks_max: int = 10**9, chunk: int | None = None) -> int:
    """Run a season's ticks one after the other, as dispatcher and tasks do, and return how many were closed."""
    closed = 0
    while closed < ticks_max:
        leases = [lease for lease in ticks.hold_leases(holder="test", seconds=600) if lease.season_id == season.pk]
        tick = ticks.claim_tick(leases[0]) if leases else None
        if tick is None:
            return closed
        for ids in acting.open_tick(tick_id=tick.pk, epoch=tick.epoch):
            size = chunk or len(ids)
            for begin in range(0, len(ids), size):
                acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=ids[begin : begin + size])
        assert acting.close_tick(tick_id=tick.pk, epoch=tick.epoch) is not None
        closed += 1
    return closed


__all__ = ["drive", "open_season", "recorded_market", "simulated_market", "timedelta"]
