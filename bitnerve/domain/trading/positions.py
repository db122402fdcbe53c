"""What does a position look like, and what does a fill make of it?

A position is a row of integers. Quantity and cost basis carry the sign of the position.
"""

from __future__ import annotations

from bitnerve.domain.arithmetic import DOWN, checked_add, mul_div
from bitnerve.domain.kernel import INT64_MAX, kernel
from bitnerve.domain.units import cost_removed_units

QUANTITY = 0
"""Lots, below zero for a short."""
COST = 1
"""Money units paid for the position, with its sign; exactly 0 when flat."""
MARGIN = 2
"""Money units locked by an isolated position; part of the account's cash."""
LEVERAGE = 3
ISOLATED = 4
CAP_USED = 5
"""Lots filled in the current bar against the volume cap."""
COLUMNS = 6

# Rows of an account's alerts, [row, symbol]: the ranges within which a bar meets nothing of the account's. They may be
# too narrow, never too wide; whoever is alerted in vain looks closer and sets them anew.
ORDER_LOW = 0
"""A bar whose low stays above this and ..."""
ORDER_HIGH = 1
"""... whose high stays below this meets no resting order of the symbol."""
BAND_LOW = 2
"""While no mark falls below this, in any symbol, ..."""
BAND_HIGH = 3
"""... or rises above this, no breach is possible."""
WORST = 4
"""Not a range: what a cross position's PnL less maintenance is at least, anywhere in its band; 0 for others."""
MARGIN_MOST = 5
"""Nor this: the initial margin that a cross position needs at most, anywhere in its band; 0 for others."""
ALERT_ROWS = 6

NO_LOW = -1
NO_HIGH = INT64_MAX


@kernel
def changed(quantity: int, cost: int, signed_lots: int, lot_value: int) -> tuple[int, int, int, int]:
    """Return (quantity, cost basis, realized PnL, lots closed) after a fill.

    `signed_lots` is above zero for a buy; `lot_value` is what one lot costs at the fill price, a whole number of
    money units because fills lie on the tick grid. A fill may close a position and open the opposite one.
    """
    held = abs(quantity)
    lots = abs(signed_lots)
    direction = 1 if signed_lots > 0 else -1
    if quantity == 0 or (quantity > 0) == (signed_lots > 0):
        notional = mul_div(lots, lot_value, 1, DOWN)
        return checked_add(quantity, signed_lots), checked_add(cost, direction * notional), 0, 0
    closed = min(lots, held)
    removed = cost_removed_units(cost, closed, held)
    realized = checked_add(-direction * mul_div(closed, lot_value, 1, DOWN), -removed)
    if lots <= held:
        return quantity + signed_lots, cost - removed, realized, closed
    opened = lots - held
    return direction * opened, direction * mul_div(opened, lot_value, 1, DOWN), realized, closed
