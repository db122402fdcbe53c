"""How does decimal text become integer units and back, and which way does each kind of value round?

Money, prices and rates are integers of 10⁻⁸; a quantity is an integer number of lots. This is the one file that
converts and rounds. The rounding kernels follow the table of rule M6: always toward less risk.
"""

from __future__ import annotations

import re
from decimal import Context, Decimal, DivisionByZero, FloatOperation, InvalidOperation, Overflow
from typing import Any

import numpy as np
import numpy.typing as npt

from bitnerve.domain.arithmetic import DOWN, HALF_EVEN, UP, mul_div
from bitnerve.domain.errors import Refusal
from bitnerve.domain.kernel import INT64_MAX, kernel

SCALE = 10**8
"""Units in one: of the quote asset for money and prices, of 100 % for rates."""
DECIMALS = 8

PRICE_MAX = 10**9 * SCALE
MONEY_MAX = 9 * 10**10 * SCALE
QUANTITY_MAX = Decimal(10**12)
LEVERAGE_MAX = 1000

EXACT = Context(prec=60, traps=[InvalidOperation, DivisionByZero, Overflow, FloatOperation])
"""The one decimal context: 60 digits, half-even, and floats may not slip in (rule M4)."""

_TEXT = re.compile(r"\A(0|[1-9][0-9]{0,17})(\.[0-9]{1,12})?\Z", re.ASCII)
_RECORDED = re.compile(r"\A-?[0-9]{1,40}(\.[0-9]{1,40})?([eE][-+]?[0-9]{1,3})?\Z", re.ASCII)


class BadNumber(Refusal):
    """A number that cannot be taken as it is written."""

    code = "BAD_NUMBER"


def parse_decimal(text: str, *, field: str) -> Decimal:
    """Return the decimal that a person, a bot or a model wrote; raise `BadNumber` for anything but plain digits.

    Rule M2: ASCII digits with at most 18 before and 12 after the point; no sign, exponent, underscore or space.
    """
    if not isinstance(text, str) or not _TEXT.match(text):
        raise BadNumber(
            f"{field}: {text!r} is not plain decimal text (digits, at most 18 before and 12 after the point)",
            field=field,
            value=text,
        )
    return EXACT.create_decimal(text)


def parse_recorded(text: str, *, field: str) -> Decimal:
    """Return the decimal of a recorded value, which unlike `parse_decimal`'s may carry a sign or an exponent."""
    if not _RECORDED.match(text):
        raise BadNumber(f"{field}: {text!r} is not a finite decimal number", field=field, value=text)
    return EXACT.create_decimal(text)


def _to_units(value: Decimal, *, field: str, limit: int) -> int:
    bound = EXACT.divide(Decimal(limit), Decimal(SCALE))
    # The range comes first: int() of a decimal with a huge exponent would run for minutes.
    if not -bound <= value <= bound:
        raise BadNumber(f"{field}: {value} is outside ±{bound}", field=field, value=str(value), limit=str(bound))
    units = EXACT.multiply(value, Decimal(SCALE))
    if units != units.to_integral_value():
        raise BadNumber(f"{field}: {value} has more than {DECIMALS} decimals", field=field, value=str(value))
    return int(units)


def money_units(value: Decimal, *, field: str) -> int:
    """Return an amount of the quote asset in units, exactly, or raise `BadNumber`."""
    return _to_units(value, field=field, limit=MONEY_MAX)


def price_units(value: Decimal, *, field: str) -> int:
    """Return a price in units, exactly and above zero, or raise `BadNumber`."""
    units = _to_units(value, field=field, limit=PRICE_MAX)
    if units <= 0:
        raise BadNumber(f"{field}: a price must be above zero, not {value}", field=field, value=str(value))
    return units


def rate_units(value: Decimal, *, field: str) -> int:
    """Return a rate in units; one finer than 10⁻⁸ is rounded half-even, once, here."""
    if not -100 <= value <= 100:
        raise BadNumber(f"{field}: a rate must lie within ±100, not {value}", field=field, value=str(value))
    return int(EXACT.quantize(EXACT.multiply(value, Decimal(SCALE)), Decimal(1)))


def decimal_text(units: int, decimals: int = DECIMALS) -> str:
    """Return units as plain decimal text without exponent or trailing zeros."""
    sign, digits = ("-" if units < 0 else ""), str(abs(units)).rjust(decimals + 1, "0")
    whole, fraction = digits[: len(digits) - decimals], digits[len(digits) - decimals :].rstrip("0")
    return f"{sign}{whole}.{fraction}" if fraction else f"{sign}{whole}"


def floats_to_units(values: npt.NDArray[np.float64], decimals: int = DECIMALS) -> npt.NDArray[np.int64]:
    """Return recorded floats as integers of 10^-decimals, each by its shortest decimal text.

    Values with finer text are floored; the caller has refused NaN, infinities and what leaves the range.
    A candidate below 10¹⁵ that divides back to the very same float *is* the shortest text, because decimals of
    up to 15 digits map one-to-one into floats; the others (few) take the slow road through text.
    """
    scale = 10**decimals
    candidates = np.rint(values * scale)
    result: npt.NDArray[np.int64] = np.where(np.abs(candidates) < 10**15, candidates, 0).astype(np.int64)
    for index in np.flatnonzero((np.abs(candidates) >= 10**15) | (result / scale != values)):
        exact = EXACT.multiply(parse_recorded(repr(float(values[index])), field="recorded value"), Decimal(scale))
        if abs(exact) > INT64_MAX:
            raise BadNumber(f"recorded value: {values[index]!r} does not fit into 64 bits of 10^-{decimals}")
        result[index] = int(exact.to_integral_value(rounding="ROUND_FLOOR"))
    return result


# The rounding table (rule M6). Quantities round toward zero, so a position is never larger than asked for.


@kernel
def fee_units(notional_units: int, rate: int) -> int:
    """Return the fee of a fill: what is paid rounds up, a rebate (negative rate) rounds to the smaller rebate."""
    return mul_div(notional_units, rate, SCALE, UP)


@kernel
def cost_removed_units(cost_units: int, closed_lots: int, held_lots: int) -> int:
    """Return the part of a cost basis (or margin) that leaves with `closed_lots` of `held_lots`, half-even.

    The closing fill removes the exact remainder, because all of it is all of it.
    """
    return mul_div(cost_units, closed_lots, held_lots, HALF_EVEN)


@kernel
def price_floor(price_units: int, tick_units: int) -> int:
    """Return the tick at or below a price: a buy limit or a seller's fill, and the protective stop of a short."""
    return price_units // tick_units * tick_units


@kernel
def price_ceiling(price_units: int, tick_units: int) -> int:
    """Return the tick at or above a price: a sell limit or a buyer's fill, and the protective stop of a long."""
    return -(-price_units // tick_units) * tick_units


@kernel
def protective_stop(price_units: int, tick_units: int, is_long: bool) -> int:
    """Return a stop level on the tick grid that triggers earlier rather than later."""
    if is_long:
        return price_ceiling(price_units, tick_units)
    return price_floor(price_units, tick_units)


@kernel
def rate_floor(amount: int, rate: int) -> int:
    """Return amount × rate, down."""
    return mul_div(amount, rate, SCALE, DOWN)


def quantity_lots(value: Decimal, *, lot_size: Decimal) -> int:
    """Return the whole lots in a quantity, toward zero; the caller has checked the range."""
    return int(EXACT.divide_int(value, lot_size))


def as_decimal(units: int, decimals: int = DECIMALS) -> Decimal:
    """Return units as an exact decimal."""
    return Decimal(units).scaleb(-decimals, context=EXACT)


def checked_sum(values: Any) -> int:
    """Return the sum of int64 values in unbounded integers."""
    return sum(int(value) for value in values)
