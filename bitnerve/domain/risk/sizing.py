"""How many lots is a share of equity worth?"""

from __future__ import annotations

from bitnerve.domain.arithmetic import DOWN, mul_div
from bitnerve.domain.market.instrument import Instrument
from bitnerve.domain.units import SCALE


def lots_for_share(*, equity: int, share: int, price: int, instrument: Instrument) -> int:
    """Return the lots that `share` (rate units) of `equity` (money units) buys at `price`, toward zero."""
    if price <= 0 or equity <= 0:
        return 0
    budget = mul_div(equity, share, SCALE, DOWN)
    return mul_div(budget, instrument.lot_denominator, price * instrument.lot_numerator, DOWN)
