"""The equity points, position points and standings of a race, as its books and its leaderboard tell them."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any

from apps.leaderboard.models import Standing
from apps.trades.models import Decision, EquityPoint, PositionPoint
from tests.factories.books import rows

if TYPE_CHECKING:
    from tests.factories.season import MadeSeason

BATCH = 2000
SPARKLINE_POINTS = 48
DAYS_OF_SHARPE = 7


def store_points(made: MadeSeason) -> None:
    """Store what every account was worth, and what it held, at every tick."""
    chain: dict[str, str] = defaultdict(str)
    points = []
    for row in rows(made.race.books.tables["equity"]):
        name = row.pop("agent")
        chain[name] = hashlib.sha256(f"{chain[name]}{row}".encode()).hexdigest()
        points.append(EquityPoint(account=made.entries[name].account, chain_sha256=chain[name], **row))
    EquityPoint.objects.bulk_create(points, batch_size=BATCH)
    PositionPoint.objects.bulk_create(
        [
            PositionPoint(
                account=made.entries[row.pop("agent")].account, instrument=made.instruments[row.pop("symbol")], **row
            )
            for row in rows(made.race.books.tables["positions"])
        ],
        batch_size=BATCH,
    )


def store_standings(made: MadeSeason, orders: dict[str, Any]) -> None:
    """Store the standings of the books' leaderboard, with what it leaves out."""
    worth: dict[str, list[float]] = defaultdict(list)
    for row in rows(made.race.books.tables["equity"]):
        worth[row["agent"]].append(float(row["equity"]))
    held = _held(made)
    lasted = _holding_times(made)
    acted = _last_actions(made)
    days = (made.ticks[-1].at - made.ticks[0].at).days
    Standing.objects.bulk_create(
        Standing(
            entry=made.entries[row["agent"]],
            season=made.season,
            as_of=made.ticks[-1].at,
            rank=row["rank"],
            equity=row["equity"],
            total_return=row["total_return"],
            excess_return=row["excess_return"],
            drawdown_max=row["drawdown_max"],
            drawdown_now=1 - worth[row["agent"]][-1] / max(worth[row["agent"]]),
            sharpe=row["sharpe"] if days >= DAYS_OF_SHARPE else None,
            trades=row["trades"],
            win_rate=row["win_rate"],
            profit_factor=row["profit_factor"],
            exposure_gross=sum(map(abs, held[row["agent"]])) / float(row["equity"]),
            exposure_net=sum(held[row["agent"]]) / float(row["equity"]),
            fees=row["fees"],
            funding=row["funding"],
            realized_pnl=row["realized_pnl"],
            liquidations=row["liquidations"],
            holding_ms_median=int(median(lasted[row["agent"]])) if lasted[row["agent"]] else None,
            sparkline=_sample(worth[row["agent"]]),
            last_action=acted.get(row["agent"], ("", None))[0],
            last_action_at=acted.get(row["agent"], ("", None))[1],
        )
        for row in made.race.books.leaderboard["standings"]
    )


def _held(made: MadeSeason) -> dict[str, list[float]]:
    held: dict[str, list[float]] = defaultdict(list)
    for row in rows(made.race.books.tables["positions"]):
        if row["at"] == made.ticks[-1].at:
            held[row["agent"]].append(float(row["quantity"] * row["mark_price"]))
    return held


def _holding_times(made: MadeSeason) -> dict[str, list[float]]:
    opened: dict[tuple[str, str], Any] = {}
    lasted: dict[str, list[float]] = defaultdict(list)
    for row in rows(made.race.books.tables["fills"]):
        key = row["agent"], row["symbol"]
        opened.setdefault(key, row["filled_at"])
        if row["position_after"] == 0:
            lasted[row["agent"]].append((row["filled_at"] - opened.pop(key)).total_seconds() * 1000)
    return lasted


def _last_actions(made: MadeSeason) -> dict[str, tuple[str, Any]]:
    names = {entry.pk: name for name, entry in made.entries.items()}
    found = Decision.objects.exclude(action="HOLD").order_by("tick__at").values_list("entry", "action", "tick__at")
    return {names[entry]: (action, at) for entry, action, at in found if entry in names}


def _sample(values: list[float]) -> list[float]:
    last = len(values) - 1
    count = min(SPARKLINE_POINTS, len(values))
    return [round(values[round(number * last / max(1, count - 1))], 2) for number in range(count)]
