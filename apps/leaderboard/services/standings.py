"""Rank everybody as of a tick, and keep the root of each day."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import numpy as np
from django.db import connection, transaction

from apps.arenas.models import Entry, Season, Tick
from apps.common import exact
from apps.leaderboard.models import DayRoot, Standing
from apps.market.selectors import open_window
from apps.market.services import at_ms, bars_until
from apps.trades.models import EquityPoint
from apps.trades.selectors import read_trades
from bitnerve.domain.ledger import chain
from bitnerve.domain.market.instrument import bitcoin_column
from bitnerve.domain.metrics.scores import Scores
from bitnerve.domain.metrics.trades import profit_factor, round_trips, win_ratio
from bitnerve.domain.units import SCALE, checked_sum

DAY = timedelta(days=1)


@dataclass(slots=True)
class _Record:
    """What an entry's fills say, as of a number of its counter."""

    sequence: int = -1
    trades: int = 0
    win_rate: float = math.nan
    profit_factor: float = math.nan
    fees: int = 0
    funding: int = 0
    realized_pnl: int = 0
    liquidations: int = 0
    holding_ms_median: int | None = None


@dataclass(slots=True)
class _Board:
    """What this process knows of a season's scores; made again from the database where it is missing."""

    entries: tuple[Entry, ...]
    scores: Scores
    as_of: datetime | None = None
    records: dict[int, _Record] = field(default_factory=dict)
    """By account."""


_boards: dict[int, _Board] = {}
_lock = threading.Lock()


def update_standings(season: Season, tick: Tick) -> None:
    """Bring the standings of a season up to a tick that everybody was marked at.

    Whose account breaks was not: it keeps the figures of its own last tick, and only its rank moves.
    """
    with _lock:
        board = _boards.get(season.pk)
        entries = tuple(Entry.objects.filter(season=season).select_related("account").order_by("name"))
        if board is None or [one.pk for one in board.entries] != [one.pk for one in entries]:
            board = _boards[season.pk] = _Board(entries, Scores(entry_count=len(entries), step_ms=season.tick_ms))
        board.entries = entries
        _catch_up(board, tick.at)
        if board.as_of is None:
            return
        _read_records(board)
        _write(season, board, tick)


def _catch_up(board: _Board, at: datetime) -> None:
    """Take in the equity of every tick up to an instant at which all accounts were marked."""
    accounts = [entry.account_id for entry in board.entries]
    place = {pk: number for number, pk in enumerate(accounts)}
    with connection.cursor() as cursor:
        rows = exact.read_integers(
            cursor,
            f"""SELECT {exact.milliseconds("at")}, account_id, {exact.units("equity")} FROM trades_equitypoint
                WHERE account_id = ANY(%s) AND at > %s AND at <= %s""",
            [accounts, board.as_of or datetime(1970, 1, 2, tzinfo=at.tzinfo), at],
            3,
        )
    instants, counts = np.unique(rows[:, 0], return_counts=True)
    owners = np.array([place[pk] for pk in rows[:, 1].tolist()], dtype=np.int64)
    for instant in instants[counts >= len(accounts) - len(_stuck(board.entries, at))].tolist():
        those = rows[:, 0] == instant
        equity = board.scores.equity.copy()
        equity[owners[those]] = rows[those, 2]
        board.scores.add(equity)
        board.as_of = datetime.fromtimestamp(instant / 1000, tz=at.tzinfo)


def _stuck(entries: Sequence[Entry], at: datetime) -> set[int]:
    """Return the places of those who have not been marked at a tick that is being closed."""
    return {number for number, entry in enumerate(entries) if at_ms(entry.account.played_until) + 1 < at_ms(at)}


def _read_records(board: _Board) -> None:
    """Read what the fills say of everybody to whose account something has happened since."""
    moved = {
        entry.account_id: entry.account.sequence
        for entry in board.entries
        if board.records.setdefault(entry.account_id, _Record()).sequence != entry.account.sequence
    }
    for pk, (fills, times, funding) in read_trades(list(moved)).items() if moved else ():
        trades = round_trips(fills=fills, funding=funding)
        held = times[np.asarray(trades.closed, dtype=np.int64)] - times[np.asarray(trades.opened, dtype=np.int64)]
        board.records[pk] = _Record(
            sequence=moved[pk],
            trades=len(trades.symbol),
            win_rate=win_ratio(trades),
            profit_factor=profit_factor(trades),
            fees=checked_sum(fills.fee),
            funding=checked_sum(funding.amount),
            realized_pnl=checked_sum(fills.realized_pnl),
            liquidations=int(np.asarray(fills.liquidation).sum()),
            holding_ms_median=int(np.median(held)) if len(held) else None,
        )


def rank(returns: Sequence[float], names: Sequence[str]) -> list[int]:
    """Return everybody's rank, 1 for the best: by return, ties by name."""
    order = sorted(range(len(names)), key=lambda number: (-returns[number], names[number]))
    ranks = [0] * len(names)
    for place, number in enumerate(order, start=1):
        ranks[number] = place
    return ranks


def _write(season: Season, board: _Board, tick: Tick) -> None:
    scores, entries = board.scores, board.entries
    records = [board.records[entry.account_id] for entry in entries]
    returns = scores.total_return.tolist()
    held = bitcoin_return(season, tick.at)
    gross, net = _read_exposure(entries, tick.at)
    equity = np.maximum(scores.equity, 1)
    sparklines = (scores.sparkline() / SCALE).round(2).T.tolist()
    actions = _read_last_actions(season)
    ranks = rank(returns, [entry.name for entry in entries])
    columns: dict[str, tuple[exact.Kind, Any]] = {
        "entry_id": (exact.INTEGER, [entry.pk for entry in entries]),
        "season_id": (exact.INTEGER, [season.pk] * len(entries)),
        "as_of": (exact.TIME, [at_ms(tick.at)] * len(entries)),
        "rank": (exact.INTEGER, ranks),
        "equity": (exact.UNITS, scores.equity),
        "total_return": (exact.FLOAT, returns),
        "excess_return": (exact.FLOAT, [None if held is None else one - held for one in returns]),
        "drawdown_max": (exact.FLOAT, scores.drawdown_max),
        "drawdown_now": (exact.FLOAT, scores.drawdown),
        "sharpe": (exact.FLOAT, [_known(one) for one in scores.sharpe.tolist()]),
        "trades": (exact.INTEGER, [record.trades for record in records]),
        "win_rate": (exact.FLOAT, [_known(record.win_rate) for record in records]),
        "profit_factor": (exact.FLOAT, [_known(record.profit_factor) for record in records]),
        "exposure_gross": (exact.FLOAT, gross / equity),
        "exposure_net": (exact.FLOAT, net / equity),
        "fees": (exact.UNITS, [record.fees for record in records]),
        "funding": (exact.UNITS, [record.funding for record in records]),
        "realized_pnl": (exact.UNITS, [record.realized_pnl for record in records]),
        "liquidations": (exact.INTEGER, [record.liquidations for record in records]),
        "holding_ms_median": (exact.INTEGER, [record.holding_ms_median for record in records]),
        "sparkline": (exact.JSON, [str(line) for line in sparklines]),
        "last_action": (exact.TEXT, [actions.get(entry.pk, ("", -1))[0] for entry in entries]),
        "last_action_at": (exact.TIME_OR_NONE, [actions.get(entry.pk, ("", -1))[1] for entry in entries]),
    }
    stuck = _stuck(entries, tick.at)
    if stuck:
        kept = [number for number in range(len(entries)) if number not in stuck]
        columns = {name: (kind, [values[number] for number in kept]) for name, (kind, values) in columns.items()}
        for number in stuck:
            Standing.objects.filter(entry=entries[number]).update(rank=ranks[number])
    changes = ", ".join(f"{name} = excluded.{name}" for name in columns if name != "entry_id")
    with connection.cursor() as cursor:
        exact.insert(cursor, "leaderboard_standing", columns, ending=f"ON CONFLICT (entry_id) DO UPDATE SET {changes}")


def _known(ratio: float) -> float | None:
    return ratio if math.isfinite(ratio) else None


def bitcoin_return(season: Season, at: datetime) -> float | None:
    """Return what holding Bitcoin has earned since the season began, by its marks; None where it does not trade."""
    window = open_window(season.market)
    column = bitcoin_column([contract.symbol for contract in window.contracts])
    if column < 0:
        return None
    bars = bars_until(season.market, at)
    mark = window.tables(bars).recording.mark
    first = int(mark[bars_until(season.market, season.starts_at), column])
    return float(mark[bars, column]) / first - 1.0 if first > 0 else None


def _read_exposure(entries: Sequence[Entry], at: datetime) -> tuple[Any, Any]:
    """Return Σ |notional| and Σ notional of everybody's positions at a tick, in money units."""
    place = {entry.account_id: number for number, entry in enumerate(entries)}
    gross, net = np.zeros(len(entries)), np.zeros(len(entries))
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT account_id, {exact.units("sum(abs(cost_basis + unrealized_pnl))")},
                       {exact.units("sum(cost_basis + unrealized_pnl)")}
                FROM trades_positionpoint WHERE at = %s AND account_id = ANY(%s) GROUP BY account_id""",
            [at, list(place)],
        )
        for account_id, total, signed in cursor.fetchall():
            gross[place[account_id]], net[place[account_id]] = total, signed
    return gross, net


def _read_last_actions(season: Season) -> dict[int, tuple[str, int]]:
    """Return everybody's newest decision that was not to hold: its word and its time, by entry."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT entry.id, acted.action, {exact.milliseconds("acted.arrived_at")}
                FROM arenas_entry entry CROSS JOIN LATERAL (
                    SELECT action, arrived_at FROM trades_decision
                    WHERE entry_id = entry.id AND action <> 'HOLD' ORDER BY tick_id DESC LIMIT 1
                ) acted WHERE entry.season_id = %s""",
            [season.pk],
        )
        return {row[0]: (row[1], int(row[2])) for row in cursor.fetchall()}


def keep_day_roots(season: Season, at: datetime) -> None:
    """Keep the root of every day that has ended by an instant at which everybody was marked."""
    last = DayRoot.objects.filter(season=season).order_by("-day").first()
    entries = Entry.objects.filter(season=season).count()
    day = last.day + DAY if last else season.starts_at.date()
    while True:
        ends_at = min(datetime.combine(day + DAY, datetime.min.time(), tzinfo=at.tzinfo), season.ends_at)
        begins_at = datetime.combine(day, datetime.min.time(), tzinfo=at.tzinfo)
        if ends_at > at or begins_at >= season.ends_at:
            return
        previous = last.root_sha256 if last else ""
        points = EquityPoint.objects.filter(account__entry__season=season, at=ends_at)
        links = dict(points.values_list("account__name", "chain_sha256"))
        if len(links) < entries:
            # A tick that was skipped has marked nobody: the root waits until everybody has been marked at that instant.
            return
        with transaction.atomic():
            last, _ = DayRoot.objects.get_or_create(
                season=season,
                day=day,
                defaults={
                    "at": ends_at,
                    "entry_count": len(links),
                    "root_sha256": chain.day_root(previous, day=day.isoformat(), links=links),
                    "previous_sha256": previous,
                },
            )
        day += DAY


def forget_boards() -> None:
    """Forget every board, as a new process would."""
    with _lock:
        _boards.clear()
