"""Open the season of the demo, and bring it up to the present: its first day is played at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from apps.agents.services import register_agent
from apps.arenas.models import Arena, Season
from apps.arenas.selectors import latest_tick
from apps.arenas.services import seasons, ticks
from apps.leaderboard.services import closing
from apps.market import services as markets
from apps.market.models import Market
from apps.trades.services import acting, entering
from apps.users.services import platform_team
from bitnerve.domain.errors import Refusal
from bitnerve.domain.strategies.catalog import list_agents
from bitnerve.domain.timeframe import DAY_MS, MINUTE_MS, interval_text, parse_instant
from bitnerve.domain.units import SCALE

ARENA = "open"
SYMBOLS = 60
SEED = 7
CAPITAL = 10_000 * SCALE
SPEED = 60.0
WARM_UP = timedelta(days=14)
"""Candles before the season: the longest signal looks back eleven days."""
FIRST_DAY = timedelta(days=1)
LENGTH = timedelta(days=30)
STARTS_AT = parse_instant("2026-01-01", field="start")
_DRIVER = "demo"
_COLLECT = timedelta(days=2)

Report = Callable[[str], None]


class NoRecording(Refusal):
    """A replay that was asked for without the files to replay, or with too short ones."""

    code = "NO_RECORDING"


@dataclass(frozen=True, slots=True)
class DemoRequest:
    """What the demo runs on: the simulated market, or recordings where candles are given."""

    candles: tuple[Path, ...] = ()
    funding: tuple[Path, ...] = ()
    speed: float | None = None
    """Market time per wall time; None for one tick in five seconds."""
    symbols: int = SYMBOLS
    first_day: timedelta = FIRST_DAY
    """What is played at once."""
    length: timedelta = LENGTH


def open_demo(request: DemoRequest, report: Report) -> Season:
    """Return the demo's season, brought up to the present: the one that was left, or a new one with its first day."""
    arena, _ = Arena.objects.get_or_create(
        slug=ARENA,
        defaults={"name": "Open arena", "summary": "Every agent of the house, on paper, under the same rules."},
    )
    season = arena.seasons.filter(state=Season.State.LIVE).select_related("market").order_by("-number").first()
    if season is not None and not _matches(season, request):
        ticks.end_season(season)
        season = None
    if season is None:
        report("opening a season")
        number = arena.seasons.count() + 1
        season = _open_recorded(arena, number, request) if request.candles else _open_simulated(arena, number, request)
    _bring_up(season, request.first_day, report)
    speed = request.speed or season.tick_ms / 5000
    Season.objects.filter(pk=season.pk).update(speed=speed)
    season.refresh_from_db()
    report("rehearsing a tick")
    acting.rehearse(season)
    return season


def _matches(season: Season, request: DemoRequest) -> bool:
    """Return whether a season that was left runs on the market that is asked for."""
    if not request.candles:
        return season.market.source == Market.Source.SIMULATED
    asked = [str(path) for path in request.candles]
    return season.market.source == Market.Source.RECORDED and season.market.parameters["candles"] == asked


def _open_simulated(arena: Arena, number: int, request: DemoRequest) -> Season:
    starts_at = markets.make_instant(STARTS_AT)
    market = markets.create_market(
        slug=f"{ARENA}-{number}",
        name="Simulated",
        source=Market.Source.SIMULATED,
        starts_at=starts_at - WARM_UP,
        parameters={"seed": SEED + number - 1, "symbol_count": request.symbols},
    )
    return _open(arena, number, market, starts_at, starts_at + request.length, quote_every_ms=MINUTE_MS)


def _open_recorded(arena: Arena, number: int, request: DemoRequest) -> Season:
    market = markets.create_market(
        slug=f"{ARENA}-{number}",
        name="Recorded",
        source=Market.Source.RECORDED,
        starts_at=markets.make_instant(0),
        parameters={"candles": [str(path) for path in request.candles], "funding": [str(p) for p in request.funding]},
    )
    bars = markets.open_feed(market).bar_count or 0
    starts_at = market.starts_at + WARM_UP
    ends_at = market.starts_at + bars * timedelta(milliseconds=market.interval_ms)
    if ends_at - starts_at < 2 * FIRST_DAY:
        raise NoRecording(
            f"CANDLES: {bars} bars of {interval_text(market.interval_ms)} are {bars * market.interval_ms / DAY_MS:.1f} "
            f"days; a season takes {WARM_UP.days} days of warm-up and two at least to run"
        )
    return _open(arena, number, market, starts_at, ends_at, quote_every_ms=0)


def _open(
    arena: Arena, number: int, market: Market, starts_at: datetime, ends_at: datetime, *, quote_every_ms: int
) -> Season:
    season = seasons.open_season(
        arena=arena,
        market=market,
        slug=f"{ARENA}-{number}",
        rules=seasons.SeasonRules(
            capital=CAPITAL,
            tick_ms=market.interval_ms,
            seed=SEED,
            # A tick may last a few seconds only, so the fifth that is usual would be one.
            deadline_ms=market.interval_ms * 4 // 5,
            quote_every_ms=quote_every_ms,
        ),
        starts_at=starts_at,
        ends_at=ends_at,
        mode=Season.Mode.PAPER if quote_every_ms else Season.Mode.REPLAY,
        speed=0.0,
    )
    team = platform_team()
    versions = [
        register_agent(team=team, name=one.name, strategy=one.strategy.name, parameters=one.strategy.parameters)
        for one in list_agents()
    ]
    entering.enter_season(season=season, versions=versions)
    return season


def _bring_up(season: Season, first_day: timedelta, report: Report) -> None:
    """Store the candles behind the season and play its first day, as far as that has not been done."""
    present = season.starts_at + first_day
    market = season.market
    while market.collected_until < present:
        until = min(market.collected_until + _COLLECT, present)
        report(f"storing candles: {(until - market.starts_at) / (present - market.starts_at):.0%}")
        market = markets.collect(market, until=until)
    fast_forward(season, until=present, report=report)


def fast_forward(season: Season, *, until: datetime, report: Report = lambda _: None) -> None:
    """Run a season's ticks up to an instant one after the other, without waiting for its clock."""
    last = latest_tick(season)
    if last is not None and last.at >= until:
        return
    Season.objects.filter(pk=season.pk).update(speed=0.0)
    closed = None
    try:
        while (tick := _claim(season)) is not None and tick.at <= until:
            report(f"playing the first day: {(tick.at - season.starts_at) / (until - season.starts_at):.0%}")
            for entry_ids in acting.open_tick(tick_id=tick.pk, epoch=tick.epoch):
                acting.act(tick_id=tick.pk, epoch=tick.epoch, entry_ids=entry_ids)
            closed = closing.close_tick(tick_id=tick.pk, epoch=tick.epoch, shown=False) or closed
            if tick.at >= until:
                break
        if closed is not None:
            closing.show_tick(closed)
    finally:
        ticks.release_leases(holder=_DRIVER)


def _claim(season: Season) -> ticks.Tick | None:
    """Return the season's open tick, or its next."""
    for lease in ticks.hold_leases(holder=_DRIVER, seconds=60.0):
        if lease.season_id == season.pk:
            return ticks.adopt_open_tick(lease) or ticks.claim_tick(lease)
    return None
