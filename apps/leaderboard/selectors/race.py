"""Which lines does a race show, and through which points do they run?

Points come out of the database thinned: the lowest and the highest value of each stretch of time, in the order in
which they came, so that no spike is lost. All lines share their instants.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import F

from apps.arenas.models import Entry, Season
from apps.market.models import Instrument

LINES_MAX = 12
AGENTS_MAX = LINES_MAX - 1
"""Bitcoin, held, is a line too."""
POINTS_MAX = 800
RANGES: Mapping[str, timedelta | None] = {
    "24h": timedelta(hours=24),
    "72h": timedelta(hours=72),
    "7d": timedelta(days=7),
    "all": None,
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line: who, and its values at the race's instants, None where nothing is known."""

    name: str
    slug: str
    """Of the agent; empty for a reference."""
    order: int
    """Its look among the competitors, or among the benchmarks."""
    benchmark: bool
    values: list[float | None]

    @property
    def last(self) -> float | None:
        """The newest value that is known."""
        return next((value for value in reversed(self.values) if value is not None), None)

    @property
    def look(self) -> str:
        """The classes of its color and dashes."""
        return f"grey q{self.order % 6}" if self.benchmark else f"c{self.order % 6} p{self.order % 12}"


@dataclass(frozen=True, slots=True)
class RaceData:
    """What there is to draw: instants in seconds since the epoch, and a value per line and instant."""

    seconds: list[float]
    lines: list[Line]
    capital: float
    bitcoin: Line | None
    thinned: bool
    """Whether points are the extremes of stretches of time rather than ticks."""

    @property
    def all_lines(self) -> list[Line]:
        """The agents' lines and the Bitcoin reference."""
        return self.lines if self.bitcoin is None else [*self.lines, self.bitcoin]

    @property
    def standings(self) -> list[Line]:
        """The lines, best first."""
        return sorted(self.all_lines, key=lambda line: -math.inf if line.last is None else line.last, reverse=True)


def capital_of(season: Season) -> float:
    """Return what everybody began with."""
    return float(season.rules["capital"])


def choose_names(*, season: Season, wanted: Sequence[str] = ()) -> list[str]:
    """Return the entries whose lines are drawn: the wanted ones, else the best; never more than eleven."""
    ranked = Entry.objects.filter(season=season).order_by(F("standing__rank").asc(nulls_last=True), "name")
    return choose(ranked=list(ranked.values_list("name", flat=True)), wanted=wanted)


def choose(*, ranked: Sequence[str], wanted: Sequence[str] = ()) -> list[str]:
    """Return the names that are wanted and known, else the first; never more than eleven."""
    known = set(ranked)
    chosen = [name for name in dict.fromkeys(wanted) if name in known]
    return (chosen or list(ranked))[:AGENTS_MAX]


def read_race(*, season: Season, names: Sequence[str], span: str = "all", points_max: int = POINTS_MAX) -> RaceData:
    """Return the lines of some entries over the last `span` of a season, with at most `points_max` instants."""
    entries = list(Entry.objects.filter(season=season, name__in=names).select_related("version__agent"))
    accounts = {entry.account_id: entry for entry in entries}
    since, until = _span(list(accounts), season, span)
    if until is None:
        return RaceData(seconds=[], lines=_dress(entries, {}), capital=capital_of(season), bitcoin=None, thinned=False)
    step = _step(since, until, season.tick_ms / 1000, points_max)
    grid = _Grid(since.timestamp(), until.timestamp(), step, thinned=step > season.tick_ms / 1000)
    samples = _equity(list(accounts), since, until, grid)
    values = {accounts[account].name: grid.values(found) for account, found in samples.items()}
    capital = capital_of(season)
    return RaceData(
        seconds=grid.seconds,
        lines=_dress(entries, values),
        capital=capital,
        bitcoin=_hold_bitcoin(season, since, until, grid, capital),
        thinned=grid.thinned,
    )


def _span(accounts: list[int], season: Season, span: str) -> tuple[datetime, datetime | None]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT min(at), max(at) FROM trades_equitypoint WHERE account_id = ANY(%s)", [accounts])
        first, last = cursor.fetchone()
    if last is None:
        return season.starts_at, None
    length = RANGES.get(span)
    return (first if length is None else max(first, last - length)), last


def _step(since: datetime, until: datetime, tick_s: float, points_max: int) -> float:
    """Return the seconds between two points: a tick, or twice as much as a stretch may last to give two points."""
    ticks = (until - since).total_seconds() / tick_s + 1
    if ticks <= points_max:
        return tick_s
    stretches = (points_max - 2) // 2
    return tick_s * math.ceil(ticks / stretches)


class _Grid:
    """The instants that all lines share."""

    def __init__(self, since: float, until: float, step: float, *, thinned: bool) -> None:
        self.since, self.until, self.step, self.thinned = since, until, step, thinned
        self.count = int((until - since) // step) + 1
        if thinned:
            self.seconds = [since + (cell + part) * step for cell in range(self.count) for part in (0.25, 0.75)]
            # The newest value stands where it belongs, whatever the last stretch made of it.
            self.seconds = [at for at in self.seconds if at < until] + [until]
        else:
            self.seconds = [since + cell * step for cell in range(self.count)]

    def values(self, samples: dict[int, tuple[float, float, float, float]]) -> list[float | None]:
        """Return the values of one line from (lowest, highest, first, last) by stretch."""
        if not self.thinned:
            return [samples[cell][3] if cell in samples else None for cell in range(self.count)]
        values: list[float | None] = []
        for cell in range(self.count):
            low, high, first, last = samples.get(cell, (None, None, None, None))
            values += [high, low] if low is not None and last < first else [low, high]
        values = values[: len(self.seconds) - 1]
        newest = samples.get(self.count - 1)
        return [*values, None if newest is None else newest[3]]


_CELL = "floor(extract(epoch FROM at - %s::timestamptz) / %s)::int"


def _equity(accounts: list[int], since: datetime, until: datetime, grid: _Grid) -> dict[int, dict[int, Any]]:
    samples: dict[int, dict[int, Any]] = defaultdict(dict)
    if grid.thinned:
        statement = f"""
            SELECT account_id, {_CELL} AS cell, min(equity)::float8, max(equity)::float8,
                   (array_agg(equity ORDER BY at))[1]::float8, (array_agg(equity ORDER BY at DESC))[1]::float8
            FROM trades_equitypoint WHERE account_id = ANY(%s) AND at BETWEEN %s AND %s GROUP BY 1, 2"""
    else:
        statement = f"""
            SELECT account_id, {_CELL} AS cell, 0::float8, 0::float8, 0::float8, equity::float8
            FROM trades_equitypoint WHERE account_id = ANY(%s) AND at BETWEEN %s AND %s"""
    with connection.cursor() as cursor:
        cursor.execute(statement, [since, grid.step, accounts, since, until])
        for account, cell, *values in cursor.fetchall():
            samples[account][cell] = tuple(values)
    return samples


def _hold_bitcoin(season: Season, since: datetime, until: datetime, grid: _Grid, capital: float) -> Line | None:
    """Return what the start capital would be worth in Bitcoin, by its marks; None where it has none."""
    # The compiler comes with it: whoever serves no race does without.
    from bitnerve.domain.market.instrument import is_bitcoin

    symbols = Instrument.objects.filter(market=season.market_id).values_list("pk", "symbol")
    instrument = next((pk for pk, symbol in symbols if is_bitcoin(symbol)), None)
    if instrument is None:
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT cell, min(price), max(price), (array_agg(price ORDER BY at))[1],
                       (array_agg(price ORDER BY at DESC))[1],
                       (SELECT price::float8 FROM market_mark WHERE instrument_id = %s AND at >= %s ORDER BY at LIMIT 1)
                FROM (SELECT {_CELL} AS cell, price::float8 AS price, at FROM market_mark
                      WHERE instrument_id = %s AND at BETWEEN %s AND %s) AS marks GROUP BY cell""",
            [instrument, season.starts_at, since, grid.step, instrument, since, until],
        )
        found = cursor.fetchall()
    if not found:
        return None
    start = found[0][5]
    samples = {cell: tuple(capital * price / start for price in prices) for cell, *prices, _ in found}
    return Line(name="hold BTC", slug="", order=0, benchmark=True, values=grid.values(samples))


def _dress(entries: Sequence[Entry], values: Mapping[str, list[float | None]]) -> list[Line]:
    """Return the lines by name, so that a look does not change with the winner."""
    from bitnerve.engine.race import BENCHMARKS

    lines, orders = [], {False: 0, True: 1}
    for entry in sorted(entries, key=lambda entry: entry.name):
        benchmark = entry.version.brain == "STRATEGY" and entry.version.strategy in BENCHMARKS
        lines.append(
            Line(
                name=entry.name,
                slug=entry.version.agent.slug,
                order=orders[benchmark],
                benchmark=benchmark,
                values=values.get(entry.name, []),
            )
        )
        orders[benchmark] += 1
    return lines
