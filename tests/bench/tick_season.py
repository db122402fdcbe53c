"""Open a season of many entries and drive some ticks of it through tasks: the process that `bench_tick` measures.

Arguments: how many entries, how many ticks, and after how many of them it is warm. Prints one line of JSON at last.
DATABASE_URL and REDIS_URL name the servers.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from bitnerve.domain.strategies.catalog import Agent, list_agents

SYMBOLS = 100
WARM_UP_DAYS = 14
MINUTE_MS = 60_000


def main(entries: int, ticks: int, warm: int) -> None:
    """Prepare, wait for the worker, drive, and tell what it took."""
    import django

    django.setup()
    from apps.arenas.models import Tick
    from apps.common import database
    from apps.trades.models import Decision

    database.prepare_database()
    season = open_season(entries, ticks, agents=list_agents())
    print("ready", flush=True)
    sys.stdin.readline()
    seconds = drive(season, ticks, warm)
    spent = time.process_time() - seconds.pop()
    rows = Tick.objects.filter(season=season)
    decisions = Decision.objects.filter(tick__season=season)
    print(
        json.dumps(
            {
                "seconds": seconds,
                "spent": spent,
                "missed": decisions.filter(state="MISSED").count() + rows.filter(state="MISSED").count(),
                "twice": decisions.count() - decisions.values("entry", "tick").distinct().count(),
                "decided": decisions.count(),
            }
        ),
        flush=True,
    )


def open_season(entries: int, ticks: int, *, agents: Sequence[Agent], warm_up_days: int = WARM_UP_DAYS) -> Any:
    """Return a season whose ticks are due one after the other, with some agents cloned into it."""
    from apps.agents.services import register_agent
    from apps.arenas.models import Arena
    from apps.arenas.services import seasons
    from apps.market import services as markets
    from apps.trades.services import entering
    from apps.users.services import platform_team
    from bitnerve.domain.timeframe import parse_instant
    from bitnerve.domain.units import SCALE

    starts_at = markets.make_instant(parse_instant("2026-01-01", field="start"))
    market = markets.create_market(
        slug="bench",
        name="Simulated",
        source="SIMULATED",
        starts_at=starts_at - timedelta(days=warm_up_days),
        parameters={"seed": 7, "symbol_count": SYMBOLS},
    )
    markets.collect(market, until=starts_at)
    season = seasons.open_season(
        arena=Arena.objects.create(slug="bench", name="Bench", summary="Measured"),
        market=market,
        slug="bench",
        rules=seasons.SeasonRules(
            capital=10_000 * SCALE, tick_ms=5 * MINUTE_MS, seed=1, deadline_ms=4 * MINUTE_MS, quote_every_ms=MINUTE_MS
        ),
        starts_at=starts_at,
        ends_at=starts_at + timedelta(minutes=5 * (ticks + 2)),
        speed=0.0,
    )
    team = platform_team()
    versions = [
        register_agent(
            team=team,
            name=f"{agent.name}-{number}",
            strategy=agent.strategy.name,
            parameters=agent.strategy.parameters,
        )
        for number in range(-(-entries // len(agents)))
        for agent in agents
    ]
    entering.enter_season(season=season, versions=versions[:entries])
    return season


def drive(season: Any, ticks: int, warm: int) -> list[float]:
    """Return the seconds from each tick's claim until it is seen closed, and at last this process's time when warm.

    Says so after `warm` ticks, and waits for an answer.
    """
    from apps.arenas.models import Tick
    from worker import app, schedule

    assert app.app is not None
    schedule.TURN_SECONDS = 0.01
    dispatcher = schedule.Dispatcher(lease_seconds=600.0)
    seconds: list[float] = []
    spent = 0.0
    while len(seconds) < ticks:
        dispatcher.turn()
        done = Tick.objects.filter(season=season, number=len(seconds)).exclude(closed_at=None).first()
        if done is None:
            time.sleep(0.005)
            continue
        # Not when it says it was closed: it is only with its transaction, ranking included.
        seconds.append(time.time() - done.claimed_at.timestamp())
        if len(seconds) == warm:
            print("warm", flush=True)
            sys.stdin.readline()
            spent = time.process_time()
    return [*seconds, spent]


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
