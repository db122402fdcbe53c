"""Who is an agent, which seasons did it run in, and how did its account go?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from django.db import connection
from django.db.models import Count, Q

from apps.agents.models import Agent
from apps.arenas.models import Entry, Tick
from apps.leaderboard.selectors.race import POINTS_MAX, RANGES, capital_of
from apps.trades.models import Decision, Fill
from bitnerve.domain.metrics.drawdown import drawdown_series
from bitnerve.engine.scales import envelope

MARKERS_MAX = 400


@dataclass(frozen=True, slots=True)
class Marker:
    """A fill on the equity curve: whether it opened or closed, in words, and the decision that asked for it."""

    seconds: float
    kind: str
    """open, close or liquidation."""
    text: str
    decision: int


@dataclass(frozen=True, slots=True)
class AgentSeries:
    """An account over time; long and short are shares of equity, both above zero, drawdown per one of the peak."""

    seconds: list[float]
    equity: list[float]
    drawdown: list[float]
    long: list[float]
    short: list[float]
    markers: list[Marker]
    capital: float


@dataclass(frozen=True, slots=True)
class Uptime:
    """How many of the ticks that were due an entry decided."""

    due: int
    decided: int
    missed: int

    @property
    def rate(self) -> float | None:
        """Decided ÷ due, None before the first tick."""
        return self.decided / self.due if self.due else None


def get_entry(*, agent: str, season: str = "") -> Entry | None:
    """Return an agent's entry in a season, in its newest one unless a season is named."""
    found = Entry.objects.filter(version__agent__slug=agent).select_related(
        "season__arena", "season__market", "version__agent__team", "account", "standing"
    )
    if season:
        found = found.filter(season__slug=season)
    return found.order_by("-season__starts_at", "-pk").first()


def get_agent(slug: str) -> Agent | None:
    """Return an agent, entered anywhere or not."""
    return Agent.objects.select_related("team").filter(slug=slug).first()


def list_entries(agent: str) -> list[Entry]:
    """Return every season that an agent ever entered, newest first: all of them stay on the record."""
    found = Entry.objects.filter(version__agent__slug=agent).select_related("season__arena", "standing")
    return list(found.order_by("-season__starts_at", "-pk"))


def read_uptime(entry: Entry) -> Uptime:
    """Return how reliably an entry decided; skipped ticks were due to nobody."""
    due = Tick.objects.filter(season=entry.season_id, state__in=[Tick.State.CLOSED, Tick.State.MISSED]).count()
    counts = Decision.objects.filter(entry=entry).aggregate(
        decided=Count("pk", filter=Q(state=Decision.State.DECIDED)),
        missed=Count("pk", filter=Q(state=Decision.State.MISSED)),
    )
    return Uptime(due=max(due, counts["decided"] + counts["missed"]), **counts)


def read_series(*, entry: Entry, span: str = "all", points_max: int = POINTS_MAX) -> AgentSeries:
    """Return an account's course over the last `span`, thinned to about `points_max` instants.

    The drawdown is measured from the season's start, whatever the span: a peak does not expire.
    """
    at, equity = _equity(entry.account_id)
    if not at.size:
        return AgentSeries([], [], [], [], [], [], capital_of(entry.season))
    drawdown = np.nan_to_num(drawdown_series((equity * 1e8).astype(np.int64)))
    long, short = _exposure(entry.account_id, at, equity)
    length = RANGES.get(span)
    since = at[0] if length is None else max(at[0], at[-1] - length.total_seconds())
    kept = at >= since
    seconds, columns = _thin(at[kept], [column[kept] for column in (equity, drawdown, long, short)], points_max)
    return AgentSeries(
        seconds,
        *columns,
        markers=_markers(entry.account_id, float(since)),
        capital=capital_of(entry.season),
    )


def _equity(account: int) -> tuple[np.ndarray, np.ndarray]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT extract(epoch FROM at)::float8, equity::float8 FROM trades_equitypoint"
            " WHERE account_id = %s ORDER BY at",
            [account],
        )
        found = np.array(cursor.fetchall(), dtype=np.float64).reshape(-1, 2)
    return found[:, 0], found[:, 1]


def _exposure(account: int, at: np.ndarray, equity: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what is held long and short ÷ equity at each point."""
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT extract(epoch FROM at)::float8, coalesce(sum(worth) FILTER (WHERE worth > 0), 0)::float8,
                      coalesce(-sum(worth) FILTER (WHERE worth < 0), 0)::float8
               FROM (SELECT at, quantity::numeric * mark_price::numeric AS worth
                     FROM trades_positionpoint WHERE account_id = %s) AS held GROUP BY at""",
            [account],
        )
        found = np.array(cursor.fetchall(), dtype=np.float64).reshape(-1, 3)
    long, short = np.zeros(at.shape), np.zeros(at.shape)
    places = np.searchsorted(at, found[:, 0])
    fits = places < at.size
    worth = np.where(equity > 0, equity, np.inf)
    long[places[fits]], short[places[fits]] = found[fits, 1], found[fits, 2]
    return long / worth, short / worth


def _thin(at: np.ndarray, columns: Sequence[np.ndarray], points_max: int) -> tuple[list[float], list[list[float]]]:
    if at.size <= points_max:
        return at.tolist(), [column.tolist() for column in columns]
    length = at[-1] - at[0]
    thinned = [envelope((at - at[0]) / length, column, columns=(points_max - 2) // 2) for column in columns]
    shares = thinned[0][0]
    # Both extremes of a stretch stand at its center; a chart wants its instants to rise.
    nudge = np.tile([-0.25, 0.25], (shares.size - 2) // 2) * 2 / points_max
    shares = np.concatenate([shares[:1], np.clip(shares[1:-1] + nudge, 0, 1), shares[-1:]])
    return (at[0] + shares * length).tolist(), [values.tolist() for _, values in thinned]


def _markers(account: int, since: float) -> list[Marker]:
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT extract(epoch FROM f.filled_at)::float8, f.side, f.quantity::numeric, f.position_after::numeric,
                      f.reason, i.symbol, f.price::numeric, coalesce(o.decision_id, p.decision_id, 0)
               FROM trades_fill f JOIN trades_order o ON o.id = f.order_id
               LEFT JOIN trades_order p ON p.id = o.parent_id JOIN market_instrument i ON i.id = f.instrument_id
               WHERE f.account_id = %s AND f.filled_at >= to_timestamp(%s) ORDER BY f.sequence DESC LIMIT %s""",
            [account, since, MARKERS_MAX],
        )
        return [_marker(*row) for row in reversed(cursor.fetchall())]


def _marker(
    seconds: float, side: str, quantity: Any, after: Any, reason: str, symbol: str, price: Any, decision: int
) -> Marker:
    before = after - (quantity if side == "BUY" else -quantity)
    opens = abs(after) > abs(before) or before * after < 0
    kind = "liquidation" if reason == "LIQUIDATION" else "open" if opens else "close"
    verb = {"liquidation": "liquidated", "open": "opened", "close": "closed"}[kind]
    text = f"{verb} {side.lower()} {quantity.normalize():f} {symbol} at {price.normalize():f}"
    return Marker(seconds=seconds, kind=kind, text=text, decision=decision)


def list_fills(*, entry: Entry, before: int | None = None, limit: int = 50) -> list[Fill]:
    """Return an entry's fills, newest first, from below a sequence number on, with their orders and decisions."""
    found = Fill.objects.filter(account=entry.account_id).select_related("instrument", "order__parent")
    if before is not None:
        found = found.filter(sequence__lt=before)
    return list(found.order_by("-sequence")[:limit])


def count_closings(entry: Entry) -> list[float]:
    """Return the realized PnL of every fill that closed something, in the order they came."""
    found = Fill.objects.filter(account=entry.account_id).exclude(realized_pnl=0).order_by("sequence")
    return [float(value) for value in found.values_list("realized_pnl", flat=True)]
