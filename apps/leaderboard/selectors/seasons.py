"""Which season does a page speak of, how old is what it shows, and when does the next tick come?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, Prefetch
from django.db.models.functions import Now
from django.utils import timezone

from apps.arenas.models import Arena, Season, Tick

LIVE_FOR = timedelta(seconds=15)
DELAYED_FOR = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class Moment:
    """A season at the instant a page is made. `now` is the database's clock, everything `market_` the season's."""

    season: Season
    tick: Tick | None
    now: datetime
    updated_at: datetime | None
    """When the newest tick was closed, or claimed, by the wall's clock."""
    freshness: str
    """live, delayed, stale or closed; `waiting` before the first tick."""

    @property
    def age(self) -> timedelta | None:
        """How old the newest tick is by the wall's clock."""
        return None if self.updated_at is None else max(timedelta(0), self.now - self.updated_at)

    @property
    def speed(self) -> float:
        """Market seconds per second on the wall; 0 while the clock stands still."""
        return self.season.speed if self.season.anchored_at and self.season.state == Season.State.LIVE else 0.0

    @property
    def market_now(self) -> datetime:
        """What the season's own clock says."""
        season = self.season
        if not self.speed:
            return season.clock_at
        return season.clock_at + (self.now - season.anchored_at) * self.speed

    @property
    def next_at(self) -> datetime | None:
        """When the next tick is due, in the market's time; None where none is to come."""
        season = self.season
        if season.state == Season.State.FINAL:
            return None
        if self.tick is None:
            return season.starts_at
        due = self.tick.at + timedelta(milliseconds=season.tick_ms)
        return due if due <= season.ends_at else None

    @property
    def next_in(self) -> timedelta | None:
        """How long that is on the wall; None while the clock stands still."""
        if self.next_at is None or not self.speed:
            return None
        return max(timedelta(0), (self.next_at - self.market_now) / self.speed)

    @property
    def phases(self) -> list[tuple[str, str]]:
        """The phases of a season, each with done, now or later."""
        order = [Season.State.WARM_UP, Season.State.LIVE, Season.State.FINAL]
        here = order.index(Season.State(self.season.state))
        words = {Season.State.WARM_UP: "warm-up", Season.State.LIVE: "live", Season.State.FINAL: "final"}
        return [
            (words[state], "done" if place < here else "now" if place == here else "later")
            for place, state in enumerate(order)
        ]

    @property
    def notices(self) -> list[str]:
        """What everybody must know about the newest tick: that it was skipped or missed, or that prices are flawed."""
        tick = self.tick
        if tick is None:
            return []
        said = []
        if tick.state == Tick.State.SKIPPED:
            said.append(f"Tick {tick.number} was skipped, nobody traded: {tick.reason or 'no reason was given'}")
        if tick.state == Tick.State.MISSED:
            said.append(
                f"Tick {tick.number} was missed, nobody ran it in time{f': {tick.reason}' if tick.reason else ''}"
            )
        flaws = tick.snapshot.flaws if tick.snapshot else []
        if flaws:
            named = ", ".join(f"{flaw['symbol']} ({flaw['rule']})" for flaw in flaws[:6])
            more = f" and {len(flaws) - 6} more" if len(flaws) > 6 else ""
            said.append(f"No new risk at tick {tick.number}: {named}{more}")
        return said


def get_season(*, arena: str, number: int | None = None) -> Season | None:
    """Return a season of an arena, its newest unless a number is given."""
    found = Season.objects.select_related("arena", "market").filter(arena__slug=arena)
    if number is not None:
        found = found.filter(number=number)
    return found.order_by("-number").first()


def featured_season() -> Season | None:
    """Return the season that the front page shows: the one that started last, live ones first."""
    seasons = Season.objects.select_related("arena", "market").order_by("-starts_at", "-pk")
    return seasons.filter(state=Season.State.LIVE).first() or seasons.first()


def list_arenas() -> list[Arena]:
    """Return all arenas by name, each with `newest` season and its number of entries, None without one."""
    seasons = Season.objects.select_related("market").annotate(entry_count=Count("entries")).order_by("-number")
    arenas = list(
        Arena.objects.prefetch_related(Prefetch("seasons", queryset=seasons, to_attr="by_age")).order_by("name")
    )
    for arena in arenas:
        arena.newest = arena.by_age[0] if arena.by_age else None
    return arenas


def count_ticks(season: Season) -> dict[str, int]:
    """Return how many ticks of a season are in each state."""
    counts = dict(Tick.objects.filter(season=season).values_list("state").annotate(count=Count("pk")).order_by())
    return {state.lower(): counts.get(state, 0) for state in Tick.State.values}


def newest_tick(season: Season) -> str:
    """Return the newest tick of a season and its state in a word, for a tag of what depends on ticks alone."""
    newest = Tick.objects.filter(season=season).order_by("-number").values_list("number", "state").first()
    return "none" if newest is None else f"{newest[0]}{newest[1]}"


def read_moment(season: Season) -> Moment:
    """Return where a season stands right now."""
    tick = Tick.objects.filter(season=season).select_related("snapshot").annotate(now=Now()).order_by("-number").first()
    now = timezone.now() if tick is None else tick.now
    updated_at = None if tick is None else tick.closed_at or tick.claimed_at
    return Moment(
        season=season,
        tick=tick,
        now=now,
        updated_at=updated_at,
        freshness=_freshness(season, updated_at, now),
    )


def _freshness(season: Season, updated_at: datetime | None, now: datetime) -> str:
    if season.state == Season.State.FINAL:
        return "closed"
    if updated_at is None:
        return "waiting"
    age = now - updated_at
    if age < LIVE_FOR:
        return "live"
    return "delayed" if age < DELAYED_FOR else "stale"
