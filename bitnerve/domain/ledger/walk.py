"""What must an account hold at every equity row, if the rules are told once more from its fills and funding alone?

The account walks through everything that happened to it in order of sequence: orders that set leverage and margin
mode, fills, funding, and transfers with the insurance account. It returns the first thing that is not as it must be.
"""

from __future__ import annotations

from typing import Any

from bitnerve.domain.arithmetic import (
    DOWN,
    HALF_EVEN,
    UP,
    checked_add,
    mul_div,
    wide_add,
    wide_divide,
    wide_product,
    wide_scale,
)
from bitnerve.domain.kernel import inner, kernel
from bitnerve.domain.market import instrument
from bitnerve.domain.units import SCALE

# Kinds of a step.
ORDER, FILL, FUNDING, LIQUIDATION_FEE, SHORTFALL = range(5)

# Columns of a step.
(
    KIND,
    TIME,
    SYMBOL,
    ROW,
    LOTS,
    PRICE,
    FEE,
    AMOUNT,
    AFTER,
    MAKER,
    LIQUIDATED,
    REDUCE_ONLY,
    LEVERAGE,
    ISOLATED,
    RATE,
    KNOWN,
    CAUSE,
    ACCEPTED,
) = range(18)
STEP_COLUMNS = 18
"""TIME: an equity row at or after it holds the step. LOTS carry the side; of funding they are the position. ROW is the
row in the step's own table, CAUSE the row of a transfer's fill."""

# Columns of an equity row and of a position row, as the files have them; ROW_AT is the equity row's place.
AT, CASH, UNREALIZED, EQUITY, USED, MAINTENANCE = range(6)
(
    ROW_AT,
    ROW_SYMBOL,
    ROW_LOTS,
    ROW_COST,
    ROW_MARK,
    ROW_UNREALIZED,
    ROW_LEVERAGE,
    ROW_ISOLATED,
    ROW_MARGIN,
    ROW_MAINTENANCE,
) = range(10)

# Columns of the state of a symbol.
HELD, COST, MARGIN, LEVERAGE_NOW, ISOLATED_NOW = range(5)
STATE_COLUMNS = 5

# Scalars of the account; the last ones belong to a fill that is not settled yet.
(
    CASH_NOW,
    LOCKED,
    CROSS_COUNT,
    OPEN_COUNT,
    PENDING,
    PENDING_SYMBOL,
    PENDING_NOTIONAL,
    FLIP_MISSING,
    FEE_SEEN,
    PAID,
    PAID_ROW,
    WAS_LIQUIDATED,
) = range(12)
SCALARS = 12

# What can be wrong: 0 nothing, else a table's column.
(
    FINE,
    ORDER_LEVERAGE,
    ORDER_MODE,
    FILL_REALIZED,
    FILL_FEE,
    FILL_AFTER,
    FILL_REDUCES,
    FUNDING_LOTS,
    FUNDING_AMOUNT,
    TRANSFER_CAUSE,
    TRANSFER_AMOUNT,
    TRANSFER_MISSING,
    POSITION_SYMBOL,
    POSITION_LOTS,
    POSITION_COST,
    POSITION_UNREALIZED,
    POSITION_LEVERAGE,
    POSITION_MODE,
    POSITION_MARGIN,
    POSITION_MAINTENANCE,
    POSITION_MISSING,
    EQUITY_CASH,
    EQUITY_UNREALIZED,
    EQUITY_EQUITY,
    EQUITY_USED,
    EQUITY_MAINTENANCE,
) = range(26)
PLACES = (
    ("", ""),
    ("orders", "leverage"),
    ("orders", "margin_mode"),
    ("fills", "realized_pnl"),
    ("fills", "fee"),
    ("fills", "position_after"),
    ("fills", "quantity"),
    ("funding", "position_quantity"),
    ("funding", "amount"),
    ("postings", "source_id"),
    ("postings", "amount"),
    ("fills", "shortfall or liquidation fee posted"),
    ("positions", "symbol"),
    ("positions", "quantity"),
    ("positions", "cost_basis"),
    ("positions", "unrealized_pnl"),
    ("positions", "leverage"),
    ("positions", "margin_mode"),
    ("positions", "margin"),
    ("positions", "maintenance_margin"),
    ("equity", "open positions with a row"),
    ("equity", "cash"),
    ("equity", "unrealized_pnl"),
    ("equity", "equity"),
    ("equity", "margin_used"),
    ("equity", "maintenance_margin"),
)


@kernel
def walk(
    instruments: Any,
    fee_rate: int,
    steps: Any,
    first: int,
    until: int,
    equity: Any,
    equity_first: int,
    equity_until: int,
    rows: Any,
    rows_first: int,
    rows_until: int,
    state: Any,
    scalars: Any,
) -> tuple[int, int, int]:
    """Walk one account through steps [first, until) and its equity and position rows.

    Returns (what is wrong, the row of its table, the value that it should have had). `fee_rate` is the liquidation
    fee's; `state` [symbol, column] and `scalars` begin with the capital and 1× leverage.
    """
    step = first
    row = rows_first
    for at in range(equity_first, equity_until):
        while step < until and steps[step, TIME] <= equity[at, AT]:
            wrong, where, value = take_step(instruments, fee_rate, steps[step], state, scalars)
            if wrong != FINE:
                return wrong, where, value
            step += 1
        wrong, where, value = settle(fee_rate, state, scalars)
        if wrong != FINE:
            return wrong, where, value
        last = row
        while last < rows_until and rows[last, ROW_AT] == at:
            last += 1
        wrong, where, value = check_rows(instruments, equity, at, rows, row, last, state, scalars)
        if wrong != FINE:
            return wrong, where, value
        row = last
    # What has happened since the last tick of a season that still runs.
    while step < until:
        wrong, where, value = take_step(instruments, fee_rate, steps[step], state, scalars)
        if wrong != FINE:
            return wrong, where, value
        step += 1
    return settle(fee_rate, state, scalars)


@inner
def take_step(instruments: Any, fee_rate: int, step: Any, state: Any, scalars: Any) -> tuple[int, int, int]:
    """Apply one step and check what it says about itself."""
    kind = step[KIND]
    if kind == ORDER:
        return take_order(step, state[step[SYMBOL]])
    if kind in (FILL, FUNDING):
        wrong, where, value = settle(fee_rate, state, scalars)
        if wrong != FINE:
            return wrong, where, value
        if kind == FILL:
            return take_fill(instruments, step, state[step[SYMBOL]], scalars)
        return take_funding(instruments, step, state[step[SYMBOL]], scalars)
    if scalars[PENDING] < 0 or step[CAUSE] != scalars[PENDING]:
        return TRANSFER_CAUSE, step[ROW], 0
    if kind == LIQUIDATION_FEE:
        return take_liquidation_fee(fee_rate, step, state[scalars[PENDING_SYMBOL]], scalars)
    scalars[PAID] = checked_add(scalars[PAID], step[AMOUNT])
    scalars[PAID_ROW] = step[ROW]
    return FINE, 0, 0


@inner
def take_order(step: Any, own: Any) -> tuple[int, int, int]:
    """Let an accepted order that may open set leverage and mode; every other one shows the symbol's."""
    if step[REDUCE_ONLY] == 1:
        if step[LEVERAGE] != own[LEVERAGE_NOW]:
            return ORDER_LEVERAGE, step[ROW], own[LEVERAGE_NOW]
        if step[ACCEPTED] == 1 and own[HELD] != 0 and step[ISOLATED] != own[ISOLATED_NOW]:
            return ORDER_MODE, step[ROW], own[ISOLATED_NOW]
    elif step[ACCEPTED] == 1:
        if own[HELD] != 0 and step[ISOLATED] != own[ISOLATED_NOW]:
            return ORDER_MODE, step[ROW], own[ISOLATED_NOW]
        own[LEVERAGE_NOW] = step[LEVERAGE]
        own[ISOLATED_NOW] = step[ISOLATED]
    return FINE, 0, 0


@inner
def fee_of(terms: Any, lots: int, lot_value: int, maker: int) -> int:
    """Return rate × notional, up."""
    rate = terms[instrument.MAKER_FEE_RATE] if maker == 1 else terms[instrument.TAKER_FEE_RATE]
    return mul_div(mul_div(lots, lot_value, 1, DOWN), rate, SCALE, UP)


@inner
def take_fill(instruments: Any, step: Any, own: Any, scalars: Any) -> tuple[int, int, int]:
    """Move cash, position and margin by a fill, and compare its fee, realized profit and position."""
    terms = instruments.table[step[SYMBOL]]
    lot_value = mul_div(step[PRICE], terms[instrument.LOT_NUMERATOR], terms[instrument.LOT_DENOMINATOR], DOWN)
    lots = abs(step[LOTS])
    sign = 1 if step[LOTS] > 0 else -1
    held = own[HELD]
    closed = 0
    if held != 0 and (held > 0) != (step[LOTS] > 0):
        closed = min(lots, abs(held))
    opened = lots - closed
    if step[REDUCE_ONLY] == 1 and opened > 0:
        return FILL_REDUCES, step[ROW], closed
    removed = 0
    if closed == abs(held):
        removed = own[COST]
    elif closed > 0:
        removed = mul_div(own[COST], closed, abs(held), HALF_EVEN)
    if closed == 0:
        removed = 0
    realized = -sign * mul_div(closed, lot_value, 1, DOWN) - removed
    fee = fee_of(terms, lots, lot_value, step[MAKER])
    if realized != step[AMOUNT]:
        return FILL_REALIZED, step[ROW], realized
    if fee != step[FEE]:
        return FILL_FEE, step[ROW], fee
    after = held + step[LOTS]
    if after != step[AFTER]:
        return FILL_AFTER, step[ROW], after
    own[HELD] = after
    own[COST] = checked_add(own[COST] - removed, sign * mul_div(opened, lot_value, 1, DOWN))
    scalars[CASH_NOW] = checked_add(scalars[CASH_NOW], realized - fee)
    change = (1 if after != 0 else 0) - (1 if held != 0 else 0)
    scalars[OPEN_COUNT] += change
    scalars[FLIP_MISSING] = 0
    if own[ISOLATED_NOW] == 1:
        take_margin(terms, step, own, scalars, held, closed, opened, lot_value, realized, fee)
    else:
        scalars[CROSS_COUNT] += change
    scalars[PENDING] = step[ROW]
    scalars[PENDING_SYMBOL] = step[SYMBOL]
    scalars[PENDING_NOTIONAL] = mul_div(lots, lot_value, 1, DOWN)
    scalars[FEE_SEEN] = 0
    scalars[PAID] = 0
    scalars[PAID_ROW] = -1
    scalars[WAS_LIQUIDATED] = step[LIQUIDATED]
    return FINE, 0, 0


@inner
def take_margin(
    terms: Any,
    step: Any,
    own: Any,
    scalars: Any,
    held: int,
    closed: int,
    opened: int,
    lot_value: int,
    realized: int,
    fee: int,
) -> None:
    """Move the margin of an isolated position: realized and fees, the closed share, the opened part's initial margin.

    A flip ends one position and begins another: nothing of the old margin stays, and what it lacks insurance pays.
    """
    closing_fee = fee_of(terms, closed, lot_value, step[MAKER])
    before = own[MARGIN]
    margin = checked_add(before, realized - closing_fee)
    if 0 < closed < abs(held):
        margin -= mul_div(max(0, margin), closed, abs(held), HALF_EVEN)
    if opened > 0:
        if closed > 0:
            scalars[FLIP_MISSING] = max(0, -margin)
            margin = 0
        initial = -(-mul_div(opened, lot_value, 1, DOWN) // own[LEVERAGE_NOW])
        margin = checked_add(margin, initial - (fee - closing_fee))
    own[MARGIN] = margin
    scalars[LOCKED] = checked_add(scalars[LOCKED], margin - before)


@inner
def take_funding(instruments: Any, step: Any, own: Any, scalars: Any) -> tuple[int, int, int]:
    """Settle −quantity × mark × rate, paid up and received down; an unknown rate moves nothing."""
    if step[LOTS] != own[HELD] or own[HELD] == 0:
        return FUNDING_LOTS, step[ROW], own[HELD]
    if step[KNOWN] == 0:
        return FINE, 0, 0
    terms = instruments.table[step[SYMBOL]]
    paid = wide_scale(wide_product(own[HELD] * terms[instrument.LOT_NUMERATOR], step[PRICE]), step[RATE])
    amount = -wide_divide(paid, terms[instrument.LOT_DENOMINATOR] * SCALE, UP)
    if amount != step[AMOUNT]:
        return FUNDING_AMOUNT, step[ROW], amount
    scalars[CASH_NOW] = checked_add(scalars[CASH_NOW], amount)
    if own[ISOLATED_NOW] == 1:
        own[MARGIN] = checked_add(own[MARGIN], amount)
        scalars[LOCKED] = checked_add(scalars[LOCKED], amount)
    return FINE, 0, 0


@inner
def liquidation_fee(fee_rate: int, own: Any, scalars: Any) -> tuple[int, bool]:
    """Return (the fee due on the pending fill, whether that is certain).

    It takes no more than what is left; with other cross positions open that depends on prices the files do not hold,
    and the fee is an upper bound.
    """
    charge = mul_div(scalars[PENDING_NOTIONAL], fee_rate, SCALE, UP)
    balance = scalars[CASH_NOW] - scalars[LOCKED]
    if own[ISOLATED_NOW] == 1:
        balance = own[MARGIN]
    elif scalars[CROSS_COUNT] > 0:
        return charge, False
    return min(charge, max(0, balance)), True


@inner
def take_liquidation_fee(fee_rate: int, step: Any, own: Any, scalars: Any) -> tuple[int, int, int]:
    """Check and take a liquidation's fee."""
    if scalars[WAS_LIQUIDATED] == 0 or scalars[FEE_SEEN] == 1:
        return TRANSFER_CAUSE, step[ROW], 0
    due, certain = liquidation_fee(fee_rate, own, scalars)
    if not -due <= step[AMOUNT] < 0 or (certain and step[AMOUNT] != -due):
        return TRANSFER_AMOUNT, step[ROW], -due
    scalars[FEE_SEEN] = 1
    scalars[CASH_NOW] += step[AMOUNT]
    if own[ISOLATED_NOW] == 1:
        own[MARGIN] += step[AMOUNT]
        scalars[LOCKED] += step[AMOUNT]
    return FINE, 0, 0


@inner
def settle(fee_rate: int, state: Any, scalars: Any) -> tuple[int, int, int]:
    """Close the books of the pending fill: its fee was taken if due, and insurance paid exactly what was missing."""
    if scalars[PENDING] < 0:
        return FINE, 0, 0
    fill = scalars[PENDING]
    scalars[PENDING] = -1
    own = state[scalars[PENDING_SYMBOL]]
    if scalars[WAS_LIQUIDATED] == 1 and scalars[FEE_SEEN] == 0:
        due, certain = liquidation_fee(fee_rate, own, scalars)
        if certain and due > 0:
            return TRANSFER_MISSING, fill, -due
    missing = scalars[FLIP_MISSING]
    if own[HELD] == 0 and own[MARGIN] != 0:
        missing += max(0, -own[MARGIN])
        scalars[LOCKED] -= own[MARGIN]
        own[MARGIN] = 0
    if scalars[CROSS_COUNT] == 0:
        missing += max(0, scalars[LOCKED] - scalars[CASH_NOW] - missing)
    if missing != scalars[PAID]:
        if scalars[PAID_ROW] >= 0:
            return TRANSFER_AMOUNT, scalars[PAID_ROW], missing
        return TRANSFER_MISSING, fill, missing
    scalars[CASH_NOW] = checked_add(scalars[CASH_NOW], missing)
    return FINE, 0, 0


@inner
def maintenance_of(instruments: Any, symbol: int, lots: int, mark: int) -> int:
    """Return notional × rate − deduction of the notional's tier, up, never below zero."""
    terms = instruments.table[symbol]
    held = abs(lots) * terms[instrument.LOT_NUMERATOR]
    notional = mul_div(held, mark, terms[instrument.LOT_DENOMINATOR], UP)
    tier = 0
    while (
        tier < terms[instrument.TIER_COUNT] - 1
        and notional > instruments.tiers[symbol, tier, instrument.NOTIONAL_UNTIL]
    ):
        tier += 1
    rate = instruments.tiers[symbol, tier, instrument.MAINTENANCE_RATE]
    deduction = instruments.tiers[symbol, tier, instrument.DEDUCTION]
    denominator = terms[instrument.LOT_DENOMINATOR] * SCALE
    charged = wide_add(wide_scale(wide_product(held, mark), rate), wide_product(-deduction, denominator))
    return max(0, wide_divide(charged, denominator, UP))


@inner
def check_rows(
    instruments: Any, equity: Any, at: int, rows: Any, first: int, until: int, state: Any, scalars: Any
) -> tuple[int, int, int]:
    """Compare one equity row and its position rows with what the account holds."""
    pnl = 0
    used = scalars[LOCKED]
    maintenance = 0
    for number in range(first, until):
        row = rows[number]
        symbol = row[ROW_SYMBOL]
        own = state[symbol]
        terms = instruments.table[symbol]
        if own[HELD] == 0 or row[ROW_LOTS] != own[HELD]:
            return POSITION_LOTS, number, own[HELD]
        if row[ROW_COST] != own[COST]:
            return POSITION_COST, number, own[COST]
        if row[ROW_LEVERAGE] != own[LEVERAGE_NOW]:
            return POSITION_LEVERAGE, number, own[LEVERAGE_NOW]
        if row[ROW_ISOLATED] != own[ISOLATED_NOW]:
            return POSITION_MODE, number, own[ISOLATED_NOW]
        held = own[HELD] * terms[instrument.LOT_NUMERATOR]
        gain = mul_div(held, row[ROW_MARK], terms[instrument.LOT_DENOMINATOR], DOWN) - own[COST]
        if row[ROW_UNREALIZED] != gain:
            return POSITION_UNREALIZED, number, gain
        margin = own[MARGIN]
        if own[ISOLATED_NOW] == 0:
            divisor = terms[instrument.LOT_DENOMINATOR] * own[LEVERAGE_NOW]
            margin = mul_div(abs(held), row[ROW_MARK], divisor, UP)
            used = checked_add(used, margin)
        if row[ROW_MARGIN] != margin:
            return POSITION_MARGIN, number, margin
        needed = maintenance_of(instruments, symbol, own[HELD], row[ROW_MARK])
        if row[ROW_MAINTENANCE] != needed:
            return POSITION_MAINTENANCE, number, needed
        pnl = checked_add(pnl, gain)
        maintenance = checked_add(maintenance, needed)
    if until - first != scalars[OPEN_COUNT]:
        return POSITION_MISSING, at, scalars[OPEN_COUNT]
    point = equity[at]
    if point[CASH] != scalars[CASH_NOW]:
        return EQUITY_CASH, at, scalars[CASH_NOW]
    if point[UNREALIZED] != pnl:
        return EQUITY_UNREALIZED, at, pnl
    if point[EQUITY] != checked_add(scalars[CASH_NOW], pnl):
        return EQUITY_EQUITY, at, checked_add(scalars[CASH_NOW], pnl)
    if point[USED] != used:
        return EQUITY_USED, at, used
    if point[MAINTENANCE] != maintenance:
        return EQUITY_MAINTENANCE, at, maintenance
    return FINE, 0, 0
