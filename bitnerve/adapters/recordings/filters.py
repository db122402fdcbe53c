"""Which grids and minimums does an instrument have: those of its venue, or what its bars betray?"""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from bitnerve.adapters.recordings.bars import Bars
from bitnerve.adapters.recordings.exact import decimal_of, decimals_of, price_decimals
from bitnerve.adapters.recordings.parquet import Input, Schema
from bitnerve.adapters.recordings.rows import Rows, refuse_first
from bitnerve.domain.errors import Refusal
from bitnerve.domain.units import DECIMALS

_FEES = ("maker_fee_rate", "taker_fee_rate")
BINANCE_FILTERS = Schema(numbers=("tick_size", "qty_step", "min_qty", "min_notional"), optional=_FEES, timed=False)
BYBIT_FILTERS = Schema(
    numbers=("tick_size", "qty_step", "min_order_qty", "min_notional_value"), optional=_FEES, timed=False
)
INFERRED_MIN_NOTIONAL = Decimal(5)


class DuplicateFilter(Refusal):
    """A symbol that a filters file describes twice."""

    code = "DUPLICATE_FILTER"


class UnfitFilter(Refusal):
    """A grid or minimum that is missing, infinite, negative, or zero where it must not be."""

    code = "UNFIT_FILTER"


def read_filters(opened: Input, rows: Rows) -> dict[str, Decimal]:
    """Return what a venue says about one symbol, named as `make_instrument` takes it, or raise.

    Fees are left out where the file has none.
    """
    if len(rows.row) > 1:
        raise DuplicateFilter(f"{rows.place(1)}: stands in row {rows.row[0]} already", symbol=rows.symbol)
    tick, lot, quantity, notional = opened.schema.numbers
    fees = {field: _fee(rows, field) for field in _FEES}
    return {
        "tick_size": _above_zero(rows, tick),
        "lot_size": _above_zero(rows, lot),
        "min_quantity": _not_negative(rows, quantity),
        "min_notional": _not_negative(rows, notional),
        **{field: fee for field, fee in fees.items() if fee is not None},
    }


def infer_filters(bars: Bars) -> dict[str, Decimal]:
    """Return the finest decimal steps seen in the bars, named as `make_instrument` takes them.

    The lot is made coarse enough for tick × lot to be whole money units. The smallest order is one lot, and
    5 of the quote asset.
    """
    tick_decimals = max(price_decimals(prices) for prices in (bars.open, bars.high, bars.low, bars.close))
    lot_decimals = min(decimals_of(bars.volume), DECIMALS - tick_decimals)
    lot_size = Decimal(1).scaleb(-lot_decimals)
    return {
        "tick_size": Decimal(1).scaleb(-tick_decimals),
        "lot_size": lot_size,
        "min_quantity": lot_size,
        "min_notional": INFERRED_MIN_NOTIONAL,
    }


def _above_zero(rows: Rows, field: str) -> Decimal:
    value = rows.numbers(field)
    fits = np.isfinite(value) & (value > 0)
    refuse_first(UnfitFilter, ~fits, rows, field, "must be finite and above 0")
    return decimal_of(value[0], field=field)


def _not_negative(rows: Rows, field: str) -> Decimal:
    value = rows.numbers(field)
    fits = np.isfinite(value) & (value >= 0)
    refuse_first(UnfitFilter, ~fits, rows, field, "must be finite and at least 0")
    return decimal_of(value[0], field=field)


def _fee(rows: Rows, field: str) -> Decimal | None:
    value = rows.numbers(field)
    refuse_first(UnfitFilter, np.abs(value) > 1, rows, field, "must lie in [-1, 1] or be missing")
    return None if np.isnan(value[0]) else decimal_of(value[0], field=field)
