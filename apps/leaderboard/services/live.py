"""Show what everybody is worth now: the standings of the last tick, carried on to the prices of the moment."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import F

from apps.arenas.models import Season, Tick
from apps.arenas.selectors import latest_tick, tick_at, tick_count
from apps.leaderboard.models import Standing
from apps.leaderboard.selectors.live import make_row
from apps.leaderboard.services.frames import publish_frame
from apps.leaderboard.services.standings import rank
from apps.market.selectors import open_window
from apps.market.services import bars_until
from apps.trades.models import Decision, EquityPoint
from apps.trades.services.streaming import Stream, Worth
from bitnerve.domain.market.instrument import bitcoin_column
from bitnerve.domain.units import as_decimal
from bitnerve.engine.frames import plain

DECISIONS_MAX = 20


@dataclass(slots=True)
class _Shown:
    """What this process showed last of a season."""

    tick_number: int = -1
    decision_id: int = 0
    rows: Mapping[str, Mapping[str, Any]] | None = None
    """Everybody's standing at the last closed tick as frames tell it, with its capital, and the peak of equity that its
    drawdown is measured from."""


_shown: dict[int, _Shown] = {}
_lock = threading.Lock()


def show(stream: Stream) -> None:
    """Broadcast a season at the prices that its stream has reached."""
    if stream.season is not None and stream.at is not None:
        _show(stream.season, at=stream.at, worth=stream.worth, prices=stream.prices, lease_epoch=stream.epoch or None)


def show_tick(season: Season, tick: Tick) -> None:
    """Broadcast a season as of a tick that has just been closed."""
    _show(season, at=tick.at, worth={}, prices=_marks(season, tick.at), lease_epoch=None)


def _show(
    season: Season,
    *,
    at: datetime,
    worth: Mapping[str, Worth],
    prices: Mapping[str, int],
    lease_epoch: int | None,
) -> None:
    with _lock:
        shown = _shown.setdefault(season.pk, _Shown())
        tick = latest_tick(season)
        closed = Tick.objects.filter(season=season, state=Tick.State.CLOSED).order_by("-number").first()
        number = closed.number if closed else -1
        is_new = number != shown.tick_number or shown.rows is None
        if is_new:
            shown.rows = _rows(season)
            shown.tick_number = number
        decisions = _decisions(season, shown)
        publish_frame(
            season=season,
            at=at,
            rows=_carry_on(season, shown.rows or {}, worth, prices),
            tick=_tick(season, tick),
            speed=season.speed,
            points=_points(season, closed) if is_new and closed else None,
            decisions=decisions,
            prices={symbol: as_decimal(price) for symbol, price in prices.items() if price > 0},
            lease_epoch=lease_epoch,
        )
        if season.state == Season.State.FINAL:
            _shown.pop(season.pk, None)


def _rows(season: Season) -> dict[str, dict[str, Any]]:
    standings = Standing.objects.filter(season=season).select_related("entry__account")
    return {
        one.entry.name: plain(make_row(standing=one))
        | {"capital": one.entry.account.capital, "peak": one.entry.account.equity_peak}
        for one in standings
    }


def _carry_on(
    season: Season, rows: Mapping[str, Mapping[str, Any]], worth: Mapping[str, Worth], prices: Mapping[str, int]
) -> dict[str, dict[str, Any]]:
    """Return the rows with everything that moves with prices brought up to the moment."""
    held = _bitcoin_return(season, prices)
    carried = {}
    for name, row in rows.items():
        fresh = {key: value for key, value in row.items() if key not in ("capital", "peak")}
        now = worth.get(name)
        if now is not None:
            equity = as_decimal(now.equity)
            fall = float(1 - equity / max(row["peak"], equity))
            earned = float(equity / row["capital"] - 1)
            size = max(now.equity, 1)
            fresh |= {
                "equity": equity,
                "total_return": earned,
                "excess_return": None if held is None else earned - held,
                "drawdown_now": fall,
                "drawdown_max": max(row["drawdown_max"], fall),
                "exposure_gross": now.gross / size,
                "exposure_net": now.net / size,
            }
        carried[name] = fresh
    names = list(carried)
    ranks = rank([carried[name]["total_return"] for name in names], names)
    for name, place in zip(names, ranks, strict=True):
        carried[name]["rank"] = place
    return carried


def _bitcoin_return(season: Season, prices: Mapping[str, int]) -> float | None:
    window = open_window(season.market)
    column = bitcoin_column([contract.symbol for contract in window.contracts])
    if column < 0 or not prices:
        return None
    bars = bars_until(season.market, season.starts_at)
    first = int(window.tables(bars).recording.mark[bars, column])
    return prices[window.contracts[column].symbol] / first - 1.0 if first > 0 else None


def _marks(season: Season, at: datetime) -> dict[str, int]:
    window = open_window(season.market)
    # At a skipped tick the market is known up to some earlier one.
    bars = bars_until(season.market, min(at, season.market.collected_until))
    marks = window.tables(bars).recording.mark[bars].tolist()
    return {contract.symbol: mark for contract, mark in zip(window.contracts, marks, strict=True)}


def _tick(season: Season, tick: Tick | None) -> dict[str, Any] | None:
    if tick is None:
        return None
    following = tick_at(season, tick.number + 1) if tick.number < tick_count(season) else None
    return {
        "number": tick.number,
        "at": tick.at,
        "next_at": following,
        "state": tick.state,
        "reason": tick.reason,
    }


def _points(season: Season, tick: Tick) -> dict[str, Any]:
    points = EquityPoint.objects.filter(account__entry__season=season, at=tick.at)
    return {"at": tick.at, **dict(points.values_list("account__name", "equity"))}


def _decisions(season: Season, shown: _Shown) -> list[dict[str, Any]]:
    """Return the decisions since the last frame that were more than holding, newest last."""
    rows = (
        Decision.objects.filter(tick__season=season, pk__gt=shown.decision_id)
        .exclude(action="HOLD")
        .order_by("-pk")
        .values("id", "action", "reason", "confidence", at=F("arrived_at"), name=F("entry__name"))
    )[:DECISIONS_MAX]
    fresh = [{"entry": row.pop("name"), **row} for row in reversed(rows)]
    if fresh:
        shown.decision_id = fresh[-1]["id"]
    return [one | {"confidence": None if one["confidence"] is None else float(one["confidence"])} for one in fresh]


def forget_shown() -> None:
    """Forget what was shown, as a new process would."""
    with _lock:
        _shown.clear()
