"""Who holds what, as of the newest points, and how far is each position from liquidation?"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db.models import Max, Sum

from apps.arenas.models import Entry, Season
from apps.leaderboard.models import Standing
from apps.trades.models import Fill, FundingPayment, Order, Position, PositionPoint


@dataclass(frozen=True, slots=True)
class Cell:
    """What one agent holds of one symbol."""

    quantity: Decimal
    notional: Decimal
    share: float
    """Notional ÷ equity, above zero."""
    unrealized_pnl: Decimal

    @property
    def side(self) -> str:
        """long or short."""
        return "long" if self.quantity > 0 else "short"

    @property
    def weight(self) -> int:
        """How heavy the cell looks, 1 to 4, by its share of equity."""
        return 1 + sum(self.share >= bound for bound in (0.25, 0.75, 1.5))


@dataclass(frozen=True, slots=True)
class Matrix:
    """Positions of a season, a row per agent that holds something, best first."""

    as_of: datetime | None
    symbols: list[str]
    rows: list[tuple[str, str, list[Cell | None]]]
    """Name, address of the agent, and a cell per symbol."""
    flat: int
    """How many hold nothing."""
    totals: list[tuple[int, int]]
    """How many are long and short, per symbol."""


def read_matrix(season: Season) -> Matrix:
    """Return who holds what at the season's newest points."""
    standings = list(
        Standing.objects.filter(season=season)
        .order_by("rank")
        .values_list("entry__account", "entry__name", "entry__version__agent__slug", "equity", "as_of")
    )
    as_of = max((row[4] for row in standings), default=None)
    worth = {account: equity for account, _, _, equity, _ in standings}
    cells: dict[int, dict[str, Cell]] = defaultdict(dict)
    points = PositionPoint.objects.filter(account__in=list(worth), at=as_of).values_list(
        "account", "instrument__symbol", "quantity", "mark_price", "unrealized_pnl"
    )
    for account, symbol, quantity, mark, unrealized in points:
        notional = abs(quantity * mark)
        share = float(notional / worth[account]) if worth[account] > 0 else 0.0
        cells[account][symbol] = Cell(quantity, notional, share, unrealized)
    symbols = sorted({symbol for held in cells.values() for symbol in held})
    rows = [
        (name, slug, [cells[account].get(symbol) for symbol in symbols])
        for account, name, slug, _, _ in standings
        if account in cells
    ]
    totals = []
    for column in range(len(symbols)):
        held = [row[2][column] for row in rows if row[2][column] is not None]
        longs = sum(cell.quantity > 0 for cell in held)
        totals.append((longs, len(held) - longs))
    return Matrix(as_of=as_of, symbols=symbols, rows=rows, flat=len(standings) - len(rows), totals=totals)


@dataclass(frozen=True, slots=True)
class Holding:
    """One open position of one entry: valued by its newest point, with what protects it and what threatens it."""

    symbol: str
    quantity: Decimal
    tick_size: Decimal
    leverage: int
    margin_mode: str
    entry_price: Decimal
    mark_price: Decimal
    unrealized_pnl: Decimal
    liquidation_price: Decimal | None
    stop_loss: Decimal | None
    take_profit: Decimal | None
    funding: Decimal
    opened_at: datetime | None
    decision: int | None
    """The decision that opened it."""

    @property
    def side(self) -> str:
        """long or short."""
        return "long" if self.quantity > 0 else "short"

    @property
    def liquidation_distance(self) -> float | None:
        """How far the mark may move, per one, before the account is in breach; None where no price does it."""
        if self.liquidation_price is None:
            return None
        return abs(float(self.liquidation_price / self.mark_price) - 1)


def list_holdings(entry: Entry) -> list[Holding]:
    """Return the open positions of an entry by symbol, as of its newest points."""
    # The kernel is loaded by who asks for it, not by every process that serves pages.
    from apps.leaderboard.selectors.liquidation import liquidation_prices

    newest = PositionPoint.objects.filter(account=entry.account_id).aggregate(at=Max("at"))["at"]
    standing = getattr(entry, "standing", None)
    # An account that became flat writes no more rows; its newest ones are history.
    if newest is None or (standing is not None and newest < standing.as_of):
        return []
    points = list(
        PositionPoint.objects.filter(account=entry.account_id, at=newest)
        .select_related("instrument")
        .order_by("instrument__symbol")
    )
    now = {row.instrument_id: row for row in Position.objects.filter(account=entry.account_id).exclude(quantity=0)}
    levels = liquidation_prices(entry=entry, points=points)
    protection = _protections(entry)
    why = _openers(entry, now)
    return [
        Holding(
            symbol=point.instrument.symbol,
            quantity=point.quantity,
            tick_size=point.instrument.tick_size,
            leverage=point.leverage,
            margin_mode=point.margin_mode,
            entry_price=abs(point.cost_basis / point.quantity),
            mark_price=point.mark_price,
            unrealized_pnl=point.unrealized_pnl,
            liquidation_price=levels.get(point.instrument_id),
            stop_loss=protection.get((point.instrument_id, "STOP")),
            take_profit=protection.get((point.instrument_id, "TAKE_PROFIT")),
            funding=_funding(entry, point.instrument_id, now),
            opened_at=now[point.instrument_id].opened_at if point.instrument_id in now else None,
            decision=why.get(point.instrument_id),
        )
        for point in points
    ]


def _protections(entry: Entry) -> dict[tuple[int, str], Decimal]:
    working = Order.objects.filter(account=entry.account_id, ended_at=None, trigger_price__isnull=False)
    found = {}
    for instrument, reason, price in working.values_list("instrument", "reason", "trigger_price"):
        found[instrument, "STOP" if reason == "TRAILING" else reason] = price
    return found


def _openers(entry: Entry, now: dict[int, Position]) -> dict[int, int]:
    opened = {row.opened_at for row in now.values() if row.opened_at}
    fills = Fill.objects.filter(account=entry.account_id, filled_at__in=opened, order__decision__isnull=False)
    return dict(fills.values_list("instrument", "order__decision"))


def _funding(entry: Entry, instrument: int, now: dict[int, Position]) -> Decimal:
    since = now[instrument].opened_at if instrument in now else None
    if since is None:
        return Decimal(0)
    paid = FundingPayment.objects.filter(account=entry.account_id, instrument=instrument, funded_at__gte=since)
    return paid.aggregate(total=Sum("amount"))["total"] or Decimal(0)
