"""The decisions, orders, fills, funding, postings and positions of a race, as its books tell them."""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from apps.accounts.models import Line, Posting
from apps.trades.models import Decision, Fill, FundingPayment, Order, Position
from tests.factories.books import TICK_MS, rows

if TYPE_CHECKING:
    from tests.factories.season import MadeSeason

BATCH = 2000
POSTINGS = 1000


def store_decisions(made: MadeSeason) -> dict[tuple[str, Any], Decision]:
    """Store every decision with the orders that it asked for; return them by agent and instant."""
    ticks = {tick.at: tick for tick in made.ticks}
    asked = defaultdict(list)
    for row in rows(made.race.books.tables["orders"]):
        if row["reason"] in ("ENTRY", "EXIT"):
            asked[row["agent"], row["tick_at"]].append(_asked(row))
    made_rows = [
        Decision(
            tick=ticks[row["tick_at"]],
            entry=made.entries[row["agent"]],
            state=Decision.State.DECIDED,
            action=row["action"],
            confidence=row["confidence"],
            reason=row["reason"] or "",
            orders=asked[row["agent"], row["tick_at"]],
            verdict=row["verdict"] or "NO_ORDERS",
            arrived_at=row["tick_at"],
        )
        for row in sorted(rows(made.race.books.tables["decisions"]), key=lambda row: row["tick_at"])
    ]
    Decision.objects.bulk_create(made_rows, batch_size=BATCH)
    names = {entry.pk: name for name, entry in made.entries.items()}
    return {(names[one.entry_id], one.tick.at): one for one in made_rows}


def _asked(row: dict[str, Any]) -> dict[str, Any]:
    kept = {name: row[name] for name in ("symbol", "side", "type", "reduce_only", "margin_mode", "leverage", "reason")}
    exact = {name: row[name] for name in ("quantity", "limit_price", "trigger_price") if row[name] is not None}
    return {**kept, **{name: f"{value.normalize():f}" for name, value in exact.items()}}


def store_orders(made: MadeSeason, decisions: dict[tuple[str, Any], Decision]) -> dict[str, Order]:
    """Store every order and its fills; return the orders by id."""
    filled: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows(made.race.books.tables["fills"]):
        filled[row["order_id"]].append(row)
    start_at = made.race.run.recording.candles.start_at
    ordinals: dict[tuple[str, Any], int] = defaultdict(int)
    stored = []
    for row in rows(made.race.books.tables["orders"]):
        key = (row["agent"], row["tick_at"])
        stored.append(_order(made, row, filled[row["order_id"]], decisions.get(key), start_at, ordinals[key]))
        ordinals[key] += 1
    Order.objects.bulk_create(stored, batch_size=BATCH)
    orders = {one.order_id: one for one in stored}
    fills = [
        _fill(made, row, orders[order_id], number)
        for order_id, own in filled.items()
        for number, row in enumerate(own, start=1)
    ]
    Fill.objects.bulk_create(sorted(fills, key=lambda fill: fill.filled_at), batch_size=BATCH)
    _adopt(stored)
    return orders


def _adopt(orders: list[Order]) -> None:
    """Give each protection the entry of its symbol that was filled last before it: the books name no parents."""
    entries: dict[tuple[int, int], Order] = {}
    adopted = []
    for order in sorted(orders, key=lambda order: (order.account_id, order.sequence)):
        key = order.account_id, order.instrument_id
        if order.reason == "ENTRY":
            entries[key] = order
        elif order.decision is None and order.reason != "LIQUIDATION" and key in entries:
            order.parent = entries[key]
            adopted.append(order)
    Order.objects.bulk_update(adopted, ["parent"], batch_size=BATCH)


def _order(
    made: MadeSeason,
    row: dict[str, Any],
    fills: list[dict[str, Any]],
    decision: Decision | None,
    start_at: int,
    ordinal: int,
) -> Order:
    protects = row["reason"] not in ("ENTRY", "EXIT")
    tick = (int(row["tick_at"].timestamp() * 1000) - start_at) // TICK_MS
    return Order(
        account=made.entries[row["agent"]].account,
        instrument=made.instruments[row["symbol"]],
        decision=None if protects else decision,
        tick=tick,
        ordinal=ordinal,
        filled=sum((fill["quantity"] for fill in fills), Decimal(0)),
        time_in_force="GTC",
        trigger_by="LAST",
        close_position=False,
        triggered=False,
        callback_rate=0,
        trailing_rate=0,
        leverage_asked=0,
        alive_from=tick,
        attempts=len(fills),
        tried_in=tick,
        fills_count=len(fills),
        **{
            name: row[name]
            for name in (
                "order_id", "sequence", "side", "type", "status", "refusal_code", "reason", "margin_mode",
                "reduce_only", "quantity", "limit_price", "trigger_price", "leverage", "accepted_at", "ended_at",
            )
        },
    )  # fmt: skip


def _fill(made: MadeSeason, row: dict[str, Any], order: Order, number: int) -> Fill:
    kept = {name: value for name, value in row.items() if name not in ("agent", "order_id", "symbol")}
    return Fill(
        account=made.entries[row["agent"]].account,
        order=order,
        instrument=made.instruments[row["symbol"]],
        number=number,
        **kept,
    )


def store_funding(made: MadeSeason) -> None:
    """Store what positions paid and received."""
    FundingPayment.objects.bulk_create(
        [
            FundingPayment(
                account=made.entries[row.pop("agent")].account, instrument=made.instruments[row.pop("symbol")], **row
            )
            for row in rows(made.race.books.tables["funding"])
        ],
        batch_size=BATCH,
    )


def store_postings(made: MadeSeason) -> None:
    """Store the journal."""
    lines: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in rows(made.race.books.tables["postings"]):
        lines[row["posting_id"]].append(row)
    postings = Posting.objects.bulk_create(
        [
            Posting(
                book=made.season.slug,
                account=made.entries[own[0]["agent"]].account,
                line_count=len(own),
                **{name: own[0][name] for name in ("posting_id", "sequence", "posted_at", "kind", "source_id")},
            )
            for own in lines.values()
        ],
        batch_size=BATCH,
    )
    # The database looks at whole postings after every statement, so all lines of one go in together.
    for start in range(0, len(postings), POSTINGS):
        Line.objects.bulk_create(
            Line(posting=posting, account_name=row["account"], asset=row["asset"], amount=row["amount"])
            for posting in postings[start : start + POSTINGS]
            for row in lines[posting.posting_id]
        )


def store_positions(made: MadeSeason) -> None:
    """Store what is held now, and when it was opened."""
    last = made.ticks[-1].at
    opened: dict[tuple[str, str], Any] = {}
    for row in rows(made.race.books.tables["fills"]):
        before = row["position_after"] - (row["quantity"] if row["side"] == "BUY" else -row["quantity"])
        if before == 0 or before * row["position_after"] < 0:
            opened[row["agent"], row["symbol"]] = row["filled_at"]
    Position.objects.bulk_create(
        Position(
            account=made.entries[row["agent"]].account,
            instrument=made.instruments[row["symbol"]],
            opened_at=opened.get((row["agent"], row["symbol"])),
            **{name: row[name] for name in ("quantity", "cost_basis", "margin", "leverage", "margin_mode")},
        )
        for row in rows(made.race.books.tables["positions"])
        if row["at"] == last
    )
