"""Read what a season is and what time it is there."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache

from django.db import connection

from apps.arenas.models import Entry, Season, Tick
from bitnerve.domain.risk.limits import Limits
from bitnerve.domain.strategies.base import Strategy
from bitnerve.domain.strategies.catalog import Agent, list_strategies
from bitnerve.domain.trading.account import Rules
from bitnerve.engine import season_rules


def clock_at(instant: str) -> str:
    """Return the expression of the market's time in a season at an instant of the database's clock.

    It runs while somebody holds the season's lease.
    """
    return f"""CASE WHEN anchored_at IS NULL OR lease_until IS NULL THEN clock_at
        ELSE clock_at + greatest(least({instant}, lease_until) - anchored_at, interval '0') * speed END"""


NOW = clock_at("clock_timestamp()")


def market_now(season: Season) -> datetime:
    """Return what time it is in a season's market."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {NOW} FROM arenas_season WHERE id = %s", [season.pk])
        return cursor.fetchone()[0]


def rules_of(season: Season) -> Rules:
    """Return a season's rates as the engine reads them."""
    return season_rules.read_rates(season.rules)


def capital_of(season: Season) -> int:
    """Return what every entry starts with, in money units."""
    return season_rules.read_capital(season.rules)


def limits_of(season: Season) -> Limits:
    """Return the limits that hold for every entry of a season."""
    return season_rules.read_limits(season.rules)


def agent_of(entry: Entry) -> Agent:
    """Return an entry's agent as the engine knows it; the entry comes with its version."""
    return Agent(entry.name, _strategy(entry.version.strategy, tuple(sorted(entry.version.parameters.items()))))


@lru_cache(maxsize=4096)
def _strategy(name: str, parameters: tuple[tuple[str, str], ...]) -> Strategy:
    """Return a strategy with its parameters; it keeps nothing, so all entries that run it may share one."""
    kinds = {kind.name: kind for kind in list_strategies()}
    return kinds[name](dict(parameters))


def tick_step(season: Season) -> int:
    """Return the number of bars in a tick."""
    return season.tick_ms // season.market.interval_ms


def tick_at(season: Season, number: int) -> datetime:
    """Return when a tick is due, in the market's time; tick 0 is due when the season starts."""
    return season.starts_at + number * timedelta(milliseconds=season.tick_ms)


def tick_count(season: Season) -> int:
    """Return the number of a season's ticks; at its end accounts are marked, but nobody decides."""
    return (season.ends_at - season.starts_at) // timedelta(milliseconds=season.tick_ms)


def latest_tick(season: Season) -> Tick | None:
    """Return the newest tick that was opened."""
    return Tick.objects.filter(season=season).order_by("-number").first()
