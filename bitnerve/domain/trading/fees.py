"""What does a fill cost beside its price: spread, impact and fee?"""

from __future__ import annotations

from bitnerve.domain.arithmetic import DOWN, UP, mul_div, sqrt_mul_div_up
from bitnerve.domain.kernel import kernel
from bitnerve.domain.market import instrument
from bitnerve.domain.market.instrument import Instruments
from bitnerve.domain.trading.account import Rules
from bitnerve.domain.units import SCALE, price_ceiling, price_floor


@kernel
def notional(instruments: Instruments, symbol: int, lots: int, price: int, rounding: int) -> int:
    """Return lots × price in money units; exact whatever the rounding when the price lies on the tick grid."""
    return mul_div(
        lots * instruments.table[symbol, instrument.LOT_NUMERATOR],
        price,
        instruments.table[symbol, instrument.LOT_DENOMINATOR],
        rounding,
    )


@kernel
def impact_rate(rules: Rules, slice_notional: int, depth: int) -> int:
    """Return how far a slice moves the price, as a rate: it grows with the square root of participation.

    `depth` is the money that trades in the bar, or that the touch quotes; both in money units.
    """
    return sqrt_mul_div_up(rules.impact_rate * rules.impact_rate, slice_notional, depth)


@kernel
def taker_price(base: int, side: int, rate: int, tick: int) -> int:
    """Return the base price moved by `rate` against the taker, rounded once, against the taker, to the tick."""
    if side > 0:
        return price_ceiling(mul_div(base, SCALE + rate, SCALE, UP), tick)
    return max(tick, price_floor(mul_div(base, max(0, SCALE - rate), SCALE, DOWN), tick))
