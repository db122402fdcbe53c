"""At which mark price would an account be in breach? Asked of the kernel, so that no rule is written twice."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from apps.arenas.models import Entry
from apps.market.models import Instrument as InstrumentRow
from apps.trades.models import PositionPoint
from bitnerve.domain.kernel import zeros
from bitnerve.domain.market.instrument import Instrument, instrument_arrays, make_instrument, make_tier
from bitnerve.domain.trading import account, positions
from bitnerve.domain.trading.account import Exchange, Rules, open_exchange
from bitnerve.domain.trading.liquidation import revalue
from bitnerve.domain.units import as_decimal, money_units, price_units, quantity_lots

HIGHEST = 20
"""How many times the mark a short's level is looked for."""


def liquidation_prices(*, entry: Entry, points: Sequence[PositionPoint]) -> dict[int, Decimal]:
    """Return the mark, by instrument, at which the account falls into breach while all other marks stand still.

    A position that no price of its own can bring into breach has none. `points` are all open positions.
    """
    if not points:
        return {}
    exchange = _exchange(entry, points)
    marks = zeros(len(points))
    marks[:] = [price_units(point.mark_price, field="mark") for point in points]
    levels = {}
    for column, point in enumerate(points):
        level = _level(exchange, marks, column, is_long=point.quantity > 0)
        if level is not None:
            levels[point.instrument_id] = as_decimal(level)
    return levels


def _exchange(entry: Entry, points: Sequence[PositionPoint]) -> Exchange:
    """Return an exchange with this one account, and the symbols that it holds."""
    instruments = [_instrument(point.instrument) for point in points]
    exchange = open_exchange(
        instruments=instrument_arrays(instruments), rules=Rules(), account_count=1, capital=0, has_mark=False
    )
    cross = 0
    for column, (instrument, point) in enumerate(zip(instruments, points, strict=True)):
        held = exchange.positions[0, column]
        lots = quantity_lots(abs(point.quantity), lot_size=instrument.lot_size)
        held[positions.QUANTITY] = lots if point.quantity > 0 else -lots
        held[positions.COST] = money_units(point.cost_basis, field="cost")
        held[positions.LEVERAGE] = point.leverage
        if point.margin_mode == "ISOLATED":
            held[positions.ISOLATED] = 1
            held[positions.MARGIN] = money_units(point.margin, field="margin")
        else:
            cross += 1
    exchange.accounts[0, account.CASH] = money_units(entry.account.cash, field="cash")
    exchange.accounts[0, account.LOCKED] = money_units(entry.account.locked, field="locked")
    exchange.accounts[0, account.CROSS_COUNT] = cross
    return exchange


def _instrument(row: InstrumentRow) -> Instrument:
    return make_instrument(
        symbol=row.symbol,
        tick_size=row.tick_size,
        lot_size=row.lot_size,
        min_quantity=row.min_quantity,
        min_notional=row.min_notional,
        maker_fee_rate=row.maker_fee_rate,
        taker_fee_rate=row.taker_fee_rate,
        tiers=[
            make_tier(
                notional_until=None if tier["notional_until"] is None else Decimal(tier["notional_until"]),
                maintenance_rate=Decimal(tier["maintenance_rate"]),
                deduction=Decimal(tier["deduction"]),
                leverage_max=tier["leverage_max"],
                field=row.symbol,
            )
            for tier in row.tiers
        ],
        inferred=row.inferred,
    )


def _level(exchange: Exchange, marks: Any, column: int, *, is_long: bool) -> int | None:
    """Return the breach nearest to the mark, by halving: against a position, what is left only falls."""
    tick = int(exchange.instruments.table[column, 0])
    mark = int(marks[column])
    if _in_breach(exchange, marks):
        return mark
    safe, bad = mark // tick, 1 if is_long else HIGHEST * mark // tick
    if not _in_breach(exchange, _moved(marks, column, bad * tick)):
        return None
    while abs(safe - bad) > 1:
        middle = (safe + bad) // 2
        if _in_breach(exchange, _moved(marks, column, middle * tick)):
            bad = middle
        else:
            safe = middle
    return bad * tick


def _moved(marks: Any, column: int, price: int) -> Any:
    moved = marks.copy()
    moved[column] = price
    return moved


def _in_breach(exchange: Exchange, marks: Any) -> bool:
    equity, breached = zeros(1), zeros(1)
    revalue(exchange, 0, 1, marks, equity, breached)
    return bool(breached[0])
