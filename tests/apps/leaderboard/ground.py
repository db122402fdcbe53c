"""What must stand on every page of a season, worked out from its rows alone, in exact fractions.

Nothing here asks the code that the pages are made by: sums, trades, ratios and the rounding are said once more.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from typing import Any

from apps.accounts.models import Line
from apps.arenas.models import Entry, Season, Tick
from apps.market.models import Mark
from apps.trades.models import Decision, EquityPoint, Fill, FundingPayment, PositionPoint

GRAIN = Fraction(1, 10**8)
"""The smallest amount that the house keeps."""
NARROW_SPACE, MINUS, UNKNOWN = "\u202f", "\u2212", "\u2013"
WEEK_S, YEAR_S = 7 * 86400, 365 * 86400


@dataclass(frozen=True, slots=True)
class Figures:
    """Where an entry stands, exactly; None where nobody can know."""

    rank: int
    equity: Fraction
    total_return: Fraction
    excess_return: Fraction
    drawdown_max: Fraction
    drawdown_now: Fraction
    sharpe: Fraction | None
    trades: int
    win_rate: Fraction | None
    profit_factor: Fraction | None
    exposure_gross: Fraction
    exposure_net: Fraction
    fees: Fraction
    funding: Fraction
    realized_pnl: Fraction
    liquidations: int
    held_ms: int | None
    last_action: str
    last_action_at: datetime | None
    state: str


def written(value: Fraction | int | None, decimals: int, *, signed: bool = False, unit: str = "") -> str:
    """Return a number as a page must write it: half-even, narrow spaces, a true minus, and no sign on a zero."""
    if value is None:
        return UNKNOWN
    steps = round(Fraction(value) * 10**decimals)
    digits = str(abs(steps)).rjust(decimals + 1, "0")
    whole, part = (digits[:-decimals], f".{digits[-decimals:]}") if decimals else (digits, "")
    groups = []
    while whole:
        whole, group = whole[:-3], whole[-3:]
        groups.insert(0, group)
    sign = "" if steps == 0 else MINUS if steps < 0 else "+" if signed else ""
    return f"{sign}{NARROW_SPACE.join(groups)}{part}{unit}"


def per_cent(value: Fraction | None, decimals: int, *, signed: bool = False) -> str:
    """Return a ratio per one as a page must write it."""
    return UNKNOWN if value is None else written(100 * value, decimals, signed=signed, unit=f"{NARROW_SPACE}%")


def in_full(value: Fraction) -> str:
    """Return an amount with all its decimals and no zero behind them."""
    steps = value / GRAIN
    assert steps.denominator == 1, f"{value} is finer than the house counts"
    text = f"{abs(steps.numerator):09d}"
    part = text[-8:].rstrip("0")
    return f"{'-' if steps < 0 else ''}{text[:-8]}{'.' if part else ''}{part}"


def lasting(milliseconds: int | None) -> str:
    """Return a length of time in its two largest measures, the second where the first is below ten."""
    if milliseconds is None:
        return UNKNOWN
    seconds = milliseconds // 1000
    measures = [(86400, "d"), (3600, "h"), (60, "min"), (1, "s")]
    place = next((number for number, (size, _) in enumerate(measures) if seconds >= size), 3)
    size, name = measures[place]
    many, rest = divmod(seconds, size)
    more = rest // measures[place + 1][0] if place < 3 and many < 10 else 0
    return f"{many} {name}" + (f" {more} {measures[place + 1][1]}" if more else "")


def read_ground(season: Season) -> tuple[Tick, dict[str, Figures]]:
    """Return the newest closed tick and, by entry, what its rows come to as of then."""
    tick = Tick.objects.filter(season=season, state=Tick.State.CLOSED).latest("number")
    entries = list(Entry.objects.filter(season=season).select_related("account"))
    worth = {entry.name: _worth(entry, tick.at) for entry in entries}
    earned = {name: points[-1] / points[0] - 1 for name, points in worth.items()}
    order = sorted(earned, key=lambda name: (-earned[name], name))
    bitcoin = _bitcoin(season, tick.at)
    found = {}
    for entry in entries:
        points, total = worth[entry.name], earned[entry.name]
        assert points[0] == entry.account.capital
        peaks = [max(points[: number + 1]) for number in range(len(points))]
        falls = [(peak - point) / peak for peak, point in zip(peaks, points, strict=True)]
        trades = _trades(entry)
        nets = [trade.net for trade in trades]
        won, lost = (sum((sign * net for net in nets if sign * net > 0), Fraction(0)) for sign in (1, -1))
        held = [_notional(one) for one in _held(entry, tick.at)]
        size = max(points[-1], GRAIN)
        fills = Fill.objects.filter(account=entry.account_id)
        acted = Decision.objects.filter(entry=entry).exclude(action="HOLD").order_by("-tick__number").first()
        found[entry.name] = Figures(
            rank=order.index(entry.name) + 1,
            equity=points[-1],
            total_return=total,
            excess_return=total - bitcoin,
            drawdown_max=max(falls),
            drawdown_now=falls[-1],
            sharpe=_sharpe(points, season.tick_ms // 1000),
            trades=len(trades),
            win_rate=Fraction(sum(net > 0 for net in nets), len(nets)) if nets else None,
            profit_factor=won / lost if lost else None,
            exposure_gross=sum(map(abs, held), Fraction(0)) / size,
            exposure_net=sum(held, Fraction(0)) / size,
            fees=_sum(fills.values_list("fee", flat=True)) + sum(_charges(entry).values()),
            funding=_sum(
                FundingPayment.objects.filter(account=entry.account_id, amount__isnull=False).values_list(
                    "amount", flat=True
                )
            ),
            realized_pnl=_sum(fills.values_list("realized_pnl", flat=True)),
            liquidations=fills.filter(reason="LIQUIDATION").count(),
            held_ms=int(statistics.median(trade.held_ms for trade in trades)) if trades else None,
            last_action=acted.action if acted else "",
            last_action_at=acted.arrived_at if acted else None,
            state=entry.state,
        )
    return tick, found


def _sum(amounts: Iterable[Decimal]) -> Fraction:
    return sum(map(Fraction, amounts), Fraction(0))


def _worth(entry: Entry, until: datetime) -> list[Fraction]:
    """Return the equity of every tick: its cash and what its open positions have earned there."""
    found = []
    for point in EquityPoint.objects.filter(account=entry.account_id, at__lte=until).order_by("at"):
        open_pnl = _sum(one.unrealized_pnl for one in _held(entry, point.at))
        assert Fraction(point.equity) == Fraction(point.cash) + open_pnl, f"{entry.name} at {point.at}"
        found.append(Fraction(point.equity))
    return found


def _held(entry: Entry, at: datetime) -> list[PositionPoint]:
    return list(PositionPoint.objects.filter(account=entry.account_id, at=at))


def _notional(point: PositionPoint) -> Fraction:
    """Return what a position is worth: its cost and what it has earned, which is its size at the mark."""
    amount = Fraction(point.cost_basis) + Fraction(point.unrealized_pnl)
    assert abs(amount - Fraction(point.quantity) * Fraction(point.mark_price)) <= GRAIN
    return amount


def _bitcoin(season: Season, at: datetime) -> Fraction:
    marks = Mark.objects.filter(instrument__market=season.market_id, instrument__symbol="BTCUSDT")
    return Fraction(marks.get(at=at).price) / Fraction(marks.get(at=season.starts_at).price) - 1


def _sharpe(points: list[Fraction], step_s: int) -> Fraction | None:
    """Return mean ÷ deviation of the steps' returns, of a year; nobody is told before a week has passed."""
    # Whoever has nothing left earns nothing on it.
    steps = [after / before - 1 for before, after in pairwise(points) if before > 0]
    if len(points) * step_s < WEEK_S or len(set(steps)) < 2:
        return None
    return Fraction(float(statistics.mean(steps)) / statistics.stdev(steps) * (YEAR_S / step_s) ** 0.5)


def _charges(entry: Entry) -> Mapping[str, Fraction]:
    """Return what each liquidation was charged beside its fee, by the name of its fill."""
    lines = Line.objects.filter(
        posting__account=entry.account_id, posting__kind="LIQUIDATION_FEE", account_name=f"cash:{entry.name}"
    )
    return {one.posting.source_id: -Fraction(one.amount) for one in lines.select_related("posting")}


@dataclass(slots=True)
class _Trade:
    """A round trip from flat to flat."""

    opened_at: datetime
    net: Fraction = Fraction(0)
    held_ms: int = 0


def _trades(entry: Entry) -> list[_Trade]:
    """Return the closed round trips; a fill that turns a position ends one and begins another, paid for by size."""
    charges, closed = _charges(entry), []
    position: dict[int, Fraction] = defaultdict(Fraction)
    running: dict[int, _Trade] = {}
    for fill in Fill.objects.filter(account=entry.account_id).order_by("sequence"):
        held, symbol = position[fill.instrument_id], fill.instrument_id
        size = Fraction(fill.quantity) * (1 if fill.side == "BUY" else -1)
        fee = Fraction(fill.fee) + charges.get(fill.fill_id, 0)
        turns = held * size < 0 and abs(size) > abs(held)
        own = GRAIN * round(fee / GRAIN * abs(held) / abs(size)) if turns else fee
        trade = running.setdefault(symbol, _Trade(fill.filled_at))
        trade.net += Fraction(fill.realized_pnl) - own
        position[symbol] = held + size
        if turns or not position[symbol]:
            trade.held_ms = round((fill.filled_at - trade.opened_at).total_seconds() * 1000)
            closed.append(running.pop(symbol))
        if turns:
            running[symbol] = _Trade(fill.filled_at, net=own - fee)
    return closed


def as_board(one: Figures) -> dict[str, Any]:
    """Return the cells of a row of the board: the text of each, and the whole of what a tooltip tells."""
    factor = f"profit factor {written(one.profit_factor, 2)}"
    return {
        "rank": str(one.rank),
        "state": one.state.lower(),
        "equity": written(one.equity, 2),
        "equity title": in_full(one.equity),
        "total_return": per_cent(one.total_return, 2, signed=True),
        "excess_return": written(100 * one.excess_return, 2, signed=True),
        "sharpe": written(one.sharpe, 2, signed=True),
        "drawdown_max": per_cent(one.drawdown_max, 1),
        "drawdown_now": per_cent(one.drawdown_now, 1),
        "profit_factor title": factor,
        "trades": str(one.trades),
        "win_rate": per_cent(one.win_rate, 0),
        "exposure": written(one.exposure_gross, 2, unit="×"),
        "fees": written(one.fees, 2),
        "fees title": in_full(one.fees),
        "funding": written(one.funding, 2, signed=True),
        "funding title": in_full(one.funding),
        "held": lasting(one.held_ms),
        "last_action": one.last_action.lower().replace("_", " ") or UNKNOWN,
    }


def as_agent(one: Figures) -> dict[str, Any]:
    """Return the tiles of an agent's page."""
    elsewhere = ("held", "last_action", "state", "profit_factor title", "funding title")
    board = {name: text for name, text in as_board(one).items() if name not in elsewhere}
    return board | {
        "profit_factor_plain": written(one.profit_factor, 2),
        "said equity": board["equity"],
        "said return": board["total_return"],
        "said fall": board["drawdown_max"],
    }


_IN_FRAME = (
    "rank", "equity", "total_return", "excess_return", "drawdown_max", "drawdown_now", "sharpe", "trades", "win_rate",
    "profit_factor", "exposure_gross", "exposure_net", "fees", "funding", "last_action", "state",
)  # fmt: skip
_IN_EXPORT = (
    "rank", "equity", "total_return", "excess_return", "drawdown_max", "trades", "win_rate", "profit_factor", "fees",
    "funding", "realized_pnl", "liquidations",
)  # fmt: skip


def as_frame(one: Figures) -> dict[str, Any]:
    """Return a row of the feed: money and counts to the last digit, ratios as fractions."""
    at = one.last_action_at
    acted_at = None if at is None else at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {name: getattr(one, name) for name in _IN_FRAME} | {"last_action_at": acted_at}


def as_export(one: Figures) -> dict[str, Any]:
    """Return a row of `leaderboard.json`, as far as a board shows it."""
    return {name: getattr(one, name) for name in _IN_EXPORT}
