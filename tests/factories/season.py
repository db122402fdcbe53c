"""A season as the services leave it behind: entries, ticks, decisions, orders, fills, postings, points, standings."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from apps.accounts.models import Account
from apps.agents.models import Agent, AgentVersion
from apps.arenas.models import Arena, Entry, Season, Tick
from apps.leaderboard.models import DayRoot
from apps.market.models import Instrument, Snapshot
from apps.users.models import Team
from bitnerve.engine.export import season_document
from tests.factories.books import CAPITAL, TICK_MS, Race, instant, rows, run_race
from tests.factories.market import make_market
from tests.factories.results import store_points, store_standings
from tests.factories.trades import store_decisions, store_funding, store_orders, store_positions, store_postings

BRAINS = {"coin": ("LLM", "EXTERNAL", "COUNCIL", "ENSEMBLE")}


@dataclass(frozen=True, slots=True)
class MadeSeason:
    """What was stored, with the race that it came from."""

    season: Season
    race: Race
    entries: dict[str, Entry]
    ticks: list[Tick]
    instruments: dict[str, Instrument]


def arena_without_seasons(slug: str = "open") -> Arena:
    """Return an arena in which nothing has happened yet."""
    return Arena.objects.create(
        slug=slug, name="Open arena", summary="Everybody trades the same market under the same rules, in public."
    )


@transaction.atomic
def season_with(
    *,
    agents: int = 8,
    ticks: int = 288,
    symbols: int = 6,
    seed: int = 7,
    slug: str = "open",
    state: str = Season.State.LIVE,
    age: timedelta = timedelta(seconds=3),
    speed: float = 60.0,
    skipped: Iterable[int] = (),
    flaws: Iterable[dict[str, str]] = (),
) -> MadeSeason:
    """Store a season of `agents` that has run for `ticks`; its last tick was closed `age` ago by the wall's clock.

    `skipped` numbers ticks at which nobody could trade; `flaws` are those of the newest snapshot.
    """
    race = run_race(agents=agents, ticks=ticks, symbols=symbols, seed=seed)
    market, instruments = make_market(race=race, slug=f"market-{slug}")
    arena = arena_without_seasons(slug)
    season = _make_season(race, arena, market, state=state, age=age, speed=speed)
    entries = _make_entries(race, season)
    made_ticks = _make_ticks(race, season, age=age, skipped=set(skipped), flaws=list(flaws))
    made = MadeSeason(season=season, race=race, entries=entries, ticks=made_ticks, instruments=instruments)
    decisions = store_decisions(made)
    orders = store_orders(made, decisions)
    store_funding(made)
    store_postings(made)
    store_positions(made)
    store_points(made)
    store_standings(made, orders)
    _make_roots(made)
    return made


@transaction.atomic
def enter_only(*, agents: int = 4, state: str = Season.State.WARM_UP) -> Season:
    """Store a season with its entries before its first tick."""
    race = run_race(agents=agents, ticks=12, symbols=6, seed=7)
    market, _ = make_market(race=race, slug="market-open")
    season = _make_season(race, arena_without_seasons(), market, state=state, age=timedelta(0), speed=60.0)
    Season.objects.filter(pk=season.pk).update(clock_at=season.starts_at)
    _make_entries(race, season)
    Account.objects.filter(book=season.slug).update(cash=CAPITAL, equity=CAPITAL, played_until=season.starts_at)
    return season


def _make_season(race: Race, arena: Arena, market: Any, *, state: str, age: timedelta, speed: float) -> Season:
    document = season_document(run=race.run, asset="USDT", sha256="")
    first, last = instant(race.run.ticks[0]), instant(race.run.ticks[-1])
    live = state == Season.State.LIVE
    return Season.objects.create(
        arena=arena,
        number=1,
        slug=f"{arena.slug}-1",
        market=market,
        mode=Season.Mode.PAPER,
        state=state,
        rules=document["rules"],
        tick_ms=TICK_MS,
        with_quotes=False,
        seed=race.run.seed,
        starts_at=first,
        ends_at=last if state == Season.State.FINAL else first + timedelta(days=30),
        speed=speed,
        clock_at=last,
        anchored_at=timezone.now() - age if live else None,
    )


def _make_entries(race: Race, season: Season) -> dict[str, Entry]:
    team, _ = Team.objects.get_or_create(slug="house", defaults={"name": "House", "kind": Team.Kind.PLATFORM})
    cash = {row["agent"]: row for row in rows(race.books.tables["equity"])}
    entries = {}
    for number, card in enumerate(race.run.agents):
        agent, _ = Agent.objects.get_or_create(slug=slugify(card.name), defaults={"name": card.name, "team": team})
        kinds = BRAINS.get(card.name.split("-")[0], ("STRATEGY",))
        kind = kinds[number % len(kinds)]
        version = agent.versions.first() or AgentVersion.objects.create(
            agent=agent,
            number=1,
            brain=kind,
            strategy=card.strategy if kind == "STRATEGY" else "prompt",
            parameters=dict(card.parameters),
            sha256=_digest(card.name, json.dumps(dict(card.parameters), sort_keys=True)),
        )
        last = cash[card.name]
        account = Account.objects.create(
            kind=Account.Kind.PAPER,
            book=season.slug,
            name=card.name,
            capital=CAPITAL,
            cash=last["cash"],
            played_until=last["at"],
            equity=last["equity"],
            equity_peak=max(last["equity"], CAPITAL),
            equity_at_midnight=CAPITAL,
            chain_sha256=_digest(card.name, "chain"),
        )
        entries[card.name] = Entry.objects.create(season=season, version=version, account=account, name=card.name)
    return entries


def _make_ticks(
    race: Race, season: Season, *, age: timedelta, skipped: set[int], flaws: list[dict[str, str]]
) -> list[Tick]:
    instants = [instant(at) for at in race.run.ticks.tolist()]
    taken = Snapshot.objects.bulk_create(
        Snapshot(
            market=season.market,
            series=season.slug,
            taken_at=at,
            seen_from=at - timedelta(milliseconds=TICK_MS),
            sha256=race.run.decisions.snapshots[number] if number < len(instants) - 1 else _digest("last", str(at)),
            flaws=flaws if number == len(instants) - 1 else [],
        )
        for number, at in enumerate(instants)
    )
    closed_at = timezone.now() - age
    return Tick.objects.bulk_create(
        Tick(
            season=season,
            number=number,
            at=at,
            deadline_at=at + timedelta(minutes=4),
            state=Tick.State.SKIPPED if number in skipped else Tick.State.CLOSED,
            reason="no new risk: 3 of 6 prices are older than two bars" if number in skipped else "",
            snapshot=taken[number],
            epoch=1,
            claimed_at=_wall(closed_at, instants[-1], at, season.speed) - timedelta(milliseconds=200),
            closed_at=_wall(closed_at, instants[-1], at, season.speed),
        )
        for number, at in enumerate(instants)
    )


def _wall(closed_at: datetime, last: datetime, at: datetime, speed: float) -> datetime:
    return closed_at - (last - at) / speed


def _make_roots(made: MadeSeason) -> None:
    by_day: dict[Any, datetime] = defaultdict(lambda: made.ticks[0].at)
    for tick in made.ticks:
        by_day[tick.at.date()] = tick.at
    previous = "0" * 64
    for day, at in sorted(by_day.items()):
        root = _digest(previous, str(day))
        DayRoot.objects.create(
            season=made.season,
            day=day,
            at=at,
            entry_count=len(made.entries),
            root_sha256=root,
            previous_sha256=previous,
        )
        previous = root


def _digest(*parts: str) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
