"""Who stands where, in which order, and who is left out by the filters?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from urllib.parse import urlencode

from apps.agents.models import AgentVersion
from apps.arenas.models import Entry, Season

SORTS: Mapping[str, str] = {
    "rank": "Rank",
    "name": "Agent",
    "equity": "Account value",
    "total_return": "Return",
    "excess_return": "vs BTC hold",
    "sharpe": "Sharpe",
    "drawdown_max": "Max drawdown",
    "trades": "Trades",
    "exposure_gross": "Exposure",
    "costs": "Fees + funding",
    "holding_ms_median": "Holding time",
    "last_action_at": "Last action",
}
"""What a board may be sorted by, and what its column is called."""
ASCENDING = {"rank", "name", "drawdown_max"}
"""What begins with the smallest when it is chosen; everything else with the largest."""
DEFAULT_SORT = "rank"
TRADES_MAX = 10**6

_STANDING = (
    "rank", "equity", "total_return", "excess_return", "drawdown_max", "drawdown_now", "sharpe", "trades", "win_rate",
    "profit_factor", "exposure_gross", "exposure_net", "fees", "funding", "holding_ms_median", "sparkline",
    "last_action", "last_action_at", "as_of",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class BoardQuery:
    """How a visitor wants to see a board; everything of it lives in the address."""

    sort: str = DEFAULT_SORT
    descending: bool = False
    brain: str = ""
    trades_min: int = 0
    text: str = ""

    @property
    def sort_key(self) -> str:
        """The sort as the address says it: `-` before what begins with the largest."""
        return f"-{self.sort}" if self.descending else self.sort

    @property
    def is_filtered(self) -> bool:
        """Whether somebody may be left out."""
        return bool(self.brain or self.trades_min or self.text)

    def address(self, **changed: str) -> str:
        """Return the query string of this view of the board, without what is the default anyway."""
        told = {
            "sort": "" if self.sort_key == DEFAULT_SORT else self.sort_key,
            "brain": self.brain,
            "trades": str(self.trades_min or ""),
            "q": self.text,
            **changed,
        }
        return urlencode({name: value for name, value in told.items() if value})


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One entry with its standing; whoever has none yet has None everywhere."""

    name: str
    slug: str
    brain: str
    strategy: str
    state: str
    halted_because: str
    rank: int | None
    equity: Decimal | None
    total_return: float | None
    excess_return: float | None
    drawdown_max: float | None
    drawdown_now: float | None
    sharpe: float | None
    trades: int | None
    win_rate: float | None
    profit_factor: float | None
    exposure_gross: float | None
    exposure_net: float | None
    fees: Decimal | None
    funding: Decimal | None
    holding_ms_median: int | None
    sparkline: list[float] | None
    last_action: str | None
    last_action_at: datetime | None
    as_of: datetime | None

    @property
    def costs(self) -> Decimal | None:
        """What fees and funding took together; funding that was received makes it less."""
        return None if self.fees is None or self.funding is None else self.fees - self.funding

    @property
    def exposure_long(self) -> float:
        """Long positions' share of equity."""
        return ((self.exposure_gross or 0.0) + (self.exposure_net or 0.0)) / 2

    @property
    def exposure_short(self) -> float:
        """Short positions' share of equity, above zero."""
        return ((self.exposure_gross or 0.0) - (self.exposure_net or 0.0)) / 2


def read_query(given: Mapping[str, str]) -> BoardQuery:
    """Return what an address asks for; what it spells wrongly counts as not asked."""
    wanted = given.get("sort", "")
    sort = wanted.removeprefix("-")
    if sort not in SORTS:
        sort, wanted = DEFAULT_SORT, DEFAULT_SORT
    brain = given.get("brain", "").upper()
    trades = given.get("trades", "")
    return BoardQuery(
        sort=sort,
        descending=wanted.startswith("-"),
        brain=brain if brain in AgentVersion.Brain.values else "",
        trades_min=min(int(trades), TRADES_MAX) if trades.isascii() and trades.isdigit() else 0,
        text=given.get("q", "").strip()[:64],
    )


def list_rows(*, season: Season, query: BoardQuery | None = None) -> list[BoardRow]:
    """Return the entries of a season that pass the filters, sorted; what is unknown comes last, either way."""
    query = query or BoardQuery()
    found = Entry.objects.filter(season=season).order_by()
    if query.brain:
        found = found.filter(version__brain=query.brain)
    if query.trades_min:
        found = found.filter(standing__trades__gte=query.trades_min)
    if query.text:
        found = found.filter(name__icontains=query.text)
    fields = found.values_list(
        "name", "version__agent__slug", "version__brain", "version__strategy", "state", "halted_because",
        *(f"standing__{name}" for name in _STANDING),
    )  # fmt: skip
    rows = [BoardRow(*values) for values in fields]
    return sort_rows(rows, query)


def sort_rows(rows: list[BoardRow], query: BoardQuery) -> list[BoardRow]:
    """Return the rows in the wanted order; equals stand by rank, then by name."""
    rows = sorted(rows, key=lambda row: (row.rank is None, row.rank or 0, row.name))
    known = [row for row in rows if getattr(row, query.sort) is not None]
    unknown = [row for row in rows if getattr(row, query.sort) is None]

    def key(row: BoardRow) -> Any:
        value = getattr(row, query.sort)
        return value.casefold() if isinstance(value, str) else value

    return sorted(known, key=key, reverse=query.descending) + unknown
