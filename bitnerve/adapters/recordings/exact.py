"""How do recorded floats become exact integers when their decimals are not known beforehand?

A float stands for its shortest decimal text. A count below 10¹⁵ that divides back to the very same float *is*
that text, so almost all of the work is done on whole columns; only the others are looked at one by one.
"""

from __future__ import annotations

from decimal import Decimal

import numpy as np

from bitnerve.adapters.recordings.rows import Flags, Floats, Integers
from bitnerve.domain.kernel import INT64_MAX
from bitnerve.domain.units import DECIMALS, EXACT, SCALE, floats_to_units, parse_recorded

_SURE = 10**15
_EXACT_FLOAT = 2**53


def decimal_of(value: float, *, field: str) -> Decimal:
    """Return the decimal that a recorded float stands for."""
    return parse_recorded(repr(float(value)), field=field)


def finer_than(values: Floats, decimals: int) -> Flags:
    """Return where the shortest text of a float has more than so many decimals."""
    scale = 10**decimals
    candidates = np.rint(values * scale)
    finer: Flags = candidates / scale != values
    for index in np.flatnonzero(np.abs(candidates) >= _SURE):
        finer[index] = _decimals(decimal_of(values[index], field="recorded value")) > decimals
    return finer


def decimals_of(values: Floats, *, most: int = DECIMALS) -> int:
    """Return the fewest decimals that hold every value exactly, or `most` when some value is finer still."""
    rest = values
    for decimals in range(most):
        rest = rest[finer_than(rest, decimals)]
        if not rest.size:
            return decimals
    return most


def whole_lots(volume: Floats, lot_size: Decimal) -> Integers:
    """Return volumes as lots, floored; the caller has refused those that do not fit (`fits_lots`)."""
    # With the volume's own decimals, where they are more, the rows need no text to be floored exactly.
    decimals = max(_decimals(lot_size), decimals_of(volume, most=_room(volume)))
    lots: Integers = floats_to_units(volume, decimals) // int(lot_size.scaleb(decimals, EXACT))
    return lots


def fits_lots(volume: Floats, lot_size: Decimal) -> Flags:
    """Return where a volume, counted in the decimals of the lot, stays within 64 bits."""
    fits: Flags = volume * 10 ** _decimals(lot_size) < INT64_MAX
    return fits


def money(values: Floats) -> Integers:
    """Return amounts as money units, floored; the caller has refused what leaves the range."""
    decimals = decimals_of(values)
    amounts: Integers = floats_to_units(values, decimals) * 10 ** (DECIMALS - decimals)
    return amounts


def turnover(volume: Floats, price: Integers) -> Integers:
    """Return volume × price in money units, exact, then floored; the caller has refused what is too much.

    With m = volume × s a whole number, m·p ÷ s = m·⌊p ÷ s⌋ + ⌊m ÷ s⌋·(p mod s) + (m mod s)·(p mod s) ÷ s: no
    term exceeds the result, and the last product stays below s² ≤ 10¹⁶, so 64 bits are enough.
    """
    decimals = decimals_of(volume, most=_room(volume))
    scale = 10**decimals
    amount = floats_to_units(volume, decimals)
    whole, rest = np.divmod(amount, scale)
    price_whole, price_rest = np.divmod(price, scale)
    result: Integers = amount * price_whole + whole * price_rest + rest * price_rest // scale
    for index in np.flatnonzero(finer_than(volume, decimals)):
        product = EXACT.multiply(decimal_of(volume[index], field="volume"), Decimal(int(price[index])))
        result[index] = int(product.to_integral_value(rounding="ROUND_FLOOR"))
    return result


def as_floats(units: Integers, scale: int = SCALE) -> Floats:
    """Return units ÷ scale as floats, each the one nearest to the exact quotient."""
    floats: Floats = units / scale
    for index in np.flatnonzero(np.abs(units) > _EXACT_FLOAT):
        # Above 2^53 an int64 is rounded on its way into a float, and the quotient once more; Python rounds once.
        floats[index] = int(units[index]) / scale
    return floats


def price_decimals(price: Integers) -> int:
    """Return the decimals of the finest decimal step among prices in units."""
    step = np.gcd(np.gcd.reduce(price), SCALE).item()
    return next(decimals for decimals in range(DECIMALS + 1) if step % 10 ** (DECIMALS - decimals) == 0)


def _decimals(value: Decimal) -> int:
    return max(0, -int(value.normalize(EXACT).as_tuple().exponent))


def _room(volume: Floats) -> int:
    """Return the most decimals, up to the usual, at which every volume still fits into 64 bits."""
    largest = float(volume.max(initial=0.0))
    return next(decimals for decimals in range(DECIMALS, -1, -1) if largest * 10**decimals < INT64_MAX)
