"""What was decided, what did the governors make of it, and what came of it, down to the journal?"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import Prefetch, QuerySet

from apps.accounts.models import Line, Posting
from apps.arenas.models import Entry, Season
from apps.market.models import Candle, Mark
from apps.trades.models import Decision, Fill, Order

PAGE = 40
"""How many decisions are shown at once."""

FILTERS: Mapping[str, str] = {
    "acted": "Acted",
    "all": "All",
    "refused": "Refused or trimmed",
    "missed": "Missed",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """A verdict in one word, with every ruling behind it."""

    word: str
    """accepted, trimmed, refused, no orders or missed."""
    rulings: list[dict[str, Any]]

    @property
    def kind(self) -> str:
        """The word as a class name."""
        return self.word.replace(" ", "-")


def read_verdict(decision: Decision) -> Verdict:
    """Return the verdict on a decision; refused only where nothing was left of any order."""
    if decision.state == Decision.State.MISSED:
        return Verdict("missed", [])
    if not decision.verdict.startswith("["):
        return Verdict("no orders" if decision.verdict == "NO_ORDERS" else "accepted", [])
    rulings = json.loads(decision.verdict)
    refused = {ruling["order"] for ruling in rulings if ruling["outcome"] == "REFUSED"}
    return Verdict("refused" if len(refused) >= max(1, len(decision.orders)) else "trimmed", rulings)


def list_decisions(
    *, season: Season, entry: Entry | None = None, kind: str = "acted", before: int | None = None, limit: int = PAGE
) -> list[Decision]:
    """Return decisions of a season, or of one entry, newest first, from below a number on; with `reviewed` set."""
    found = Decision.objects.filter(tick__season=season).select_related("tick", "entry__version__agent")
    if entry is not None:
        found = found.filter(entry=entry)
    found = _of_kind(found, kind)
    if before is not None:
        found = found.filter(pk__lt=before)
    decisions = list(found.order_by("-pk")[:limit])
    for decision in decisions:
        decision.reviewed = read_verdict(decision)
    return decisions


def _of_kind(found: QuerySet[Decision], kind: str) -> QuerySet[Decision]:
    if kind == "refused":
        return found.filter(verdict__startswith="[")
    if kind == "missed":
        return found.filter(state=Decision.State.MISSED)
    if kind == "all":
        return found
    return found.filter(state=Decision.State.DECIDED).exclude(verdict="NO_ORDERS")


@dataclass(frozen=True, slots=True)
class Consequences:
    """What followed from a decision: its orders with their protections and fills, and the postings they caused."""

    orders: list[Order]
    postings: list[Posting]


def get_decision(*, agent: str, number: int) -> Decision | None:
    """Return one decision of an agent with its tick and snapshot."""
    found = Decision.objects.select_related(
        "tick__snapshot", "tick__season__arena", "tick__season__market", "entry__version__agent", "entry__account"
    ).filter(pk=number, entry__version__agent__slug=agent)
    decision = found.first()
    if decision is not None:
        decision.reviewed = read_verdict(decision)
    return decision


def read_consequences(decision: Decision) -> Consequences:
    """Return the orders of a decision, their fills, and the postings of those fills with all lines."""
    filled = Prefetch("fills", queryset=Fill.objects.order_by("number"))
    orders = list(
        Order.objects.filter(decision=decision)
        .select_related("instrument")
        .prefetch_related(
            filled,
            Prefetch("protections", queryset=Order.objects.select_related("instrument").prefetch_related(filled)),
        )
        .order_by("sequence")
    )
    fills = [fill.fill_id for order in orders for one in (order, *order.protections.all()) for fill in one.fills.all()]
    postings = Posting.objects.filter(account=decision.entry.account_id, source_id__in=fills).order_by("sequence")
    lines = Prefetch("lines", queryset=Line.objects.order_by("account_name"))
    return Consequences(orders=orders, postings=list(postings.prefetch_related(lines)))


@dataclass(frozen=True, slots=True)
class Seen:
    """What a snapshot added to the one before, for one symbol: its bars, and the mark at the tick."""

    symbol: str
    tick_size: Any
    named: bool
    """Whether the decision asked for an order in it."""
    flaw: str
    candles: Sequence[Candle]
    mark: Any


def read_snapshot(decision: Decision) -> list[Seen]:
    """Return the bars and marks that a tick's snapshot added, the symbols that the decision names first."""
    snapshot = decision.tick.snapshot
    if snapshot is None:
        return []
    named = {order.get("symbol") for order in decision.orders}
    flaws = {flaw["symbol"]: flaw["rule"] for flaw in snapshot.flaws}
    instruments = list(snapshot.market.instruments.all())
    keys = [instrument.pk for instrument in instruments]
    marks = dict(Mark.objects.filter(instrument__in=keys, at=snapshot.taken_at).values_list("instrument", "price"))
    bars: dict[int, list[Candle]] = {}
    seen = Candle.objects.filter(
        instrument__in=keys, opened_at__gte=snapshot.seen_from, opened_at__lt=snapshot.taken_at
    )
    for candle in seen.order_by("opened_at"):
        bars.setdefault(candle.instrument_id, []).append(candle)
    rows = [
        Seen(
            symbol=instrument.symbol,
            tick_size=instrument.tick_size,
            named=instrument.symbol in named,
            flaw=flaws.get(instrument.symbol, ""),
            # A first snapshot holds the whole past; what came just before the tick is enough to look at.
            candles=bars.get(instrument.pk, [])[-12:],
            mark=marks.get(instrument.pk),
        )
        for instrument in instruments
    ]
    return sorted(rows, key=lambda row: (not row.named, row.symbol))


def list_season_fills(*, season: Season, before: int | None = None, limit: int = 60) -> list[Fill]:
    """Return the fills of a season, newest first, with who traded."""
    found = Fill.objects.filter(account__book=season.slug).select_related(
        "instrument", "order__parent", "account__entry__version__agent"
    )
    if before is not None:
        found = found.filter(pk__lt=before)
    # Rows come in by batches of entries; within a page the venue's own times decide.
    return sorted(found.order_by("-pk")[:limit], key=lambda fill: (fill.filled_at, fill.pk), reverse=True)
