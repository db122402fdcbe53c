"""Within which prices can no breach happen to an account, so that bars that keep to them need no exact test?

Filters in floats. Every term is taken at its worst and a sum must clear zero by far more than all rounding together
(FILTER_SLACK of the gross sums, where floats are right to 10⁻¹³), so a yes is certain; after a no the exact test
decides. Nothing of it flows into the books.
"""

from __future__ import annotations

import math
from typing import Any

from bitnerve.domain.kernel import inner
from bitnerve.domain.market import instrument
from bitnerve.domain.trading import account, positions
from bitnerve.domain.trading.account import Exchange
from bitnerve.domain.units import SCALE

INFINITY = math.inf
PER_SCALE = 1.0 / SCALE
"""A float's multiplication is quicker than its division, and near enough for the filters."""
FILTER_SLACK = 1e-9
"""What the float filters leave between themselves and the truth, relative to the sums they are made of."""
WORST_MAX = 2.0**62
"""What the sum of all that positions are worth at their worst must stay below, to be kept as an integer."""


@inner
def any_reached(low: Any, high: Any, floor: Any, ceiling: Any) -> bool:
    """Return whether a price range, [symbol], reaches its floor or its ceiling anywhere; made for vector units."""
    reached = False
    for symbol in range(floor.shape[0]):
        reached |= (low[symbol] <= floor[symbol]) | (high[symbol] >= ceiling[symbol])
    return reached


@inner
def lot_size(exchange: Exchange, symbol: int) -> float:
    """Return the lot as a float, for the filters below."""
    table = exchange.instruments.table
    return float(table[symbol, instrument.LOT_NUMERATOR]) / float(table[symbol, instrument.LOT_DENOMINATOR])


@inner
def bound_tier(exchange: Exchange, symbol: int, value: float) -> int:
    """Return the highest tier that a position worth up to `value` can be in."""
    tier = 0
    last = exchange.instruments.table[symbol, instrument.TIER_COUNT] - 1
    tiers = exchange.instruments.tiers[symbol]
    while tier < last and value * (1.0 + FILTER_SLACK) >= float(tiers[tier, instrument.NOTIONAL_UNTIL]):
        tier += 1
    return tier


@inner
def maintenance_bound(exchange: Exchange, symbol: int, value: float) -> float:
    """Return more than the maintenance of a position worth up to `value`: its tier's rate without the deduction."""
    tier = bound_tier(exchange, symbol, value)
    return value * float(exchange.instruments.tiers[symbol, tier, instrument.MAINTENANCE_RATE]) * PER_SCALE


@inner
def worst_within(exchange: Exchange, a: int, symbol: int, low: float, high: float) -> tuple[float, float, float]:
    """Return (worst PnL less maintenance, largest value, gross of the terms) of a position within a price range."""
    position = exchange.positions[a, symbol]
    size = float(position[positions.QUANTITY]) * lot_size(exchange, symbol)
    value = size * (low if size > 0.0 else high)
    largest = abs(size) * high
    cost = float(position[positions.COST])
    worst = value - cost - maintenance_bound(exchange, symbol, largest)
    return worst, largest, abs(value) + abs(cost) + largest


@inner
def is_safe(exchange: Exchange, a: int, low: Any, high: Any) -> bool:
    """Return True only when no prices within [low, high] of each symbol can bring a breach."""
    room = float(exchange.accounts[a, account.CASH] - exchange.accounts[a, account.LOCKED])
    gross = abs(room)
    cross = False
    for symbol in range(exchange.positions.shape[1]):
        position = exchange.positions[a, symbol]
        if position[positions.QUANTITY] == 0:
            continue
        worst, _, terms = worst_within(exchange, a, symbol, float(low[symbol]), float(high[symbol]))
        if position[positions.ISOLATED] == 1:
            margin = float(position[positions.MARGIN])
            if margin + worst <= (terms + abs(margin)) * FILTER_SLACK + 16.0:
                return False
        else:
            cross = True
            room += worst
            gross += terms
    return not cross or room > gross * FILTER_SLACK + 16.0


@inner
def has_headroom(exchange: Exchange, a: int) -> bool:
    """Return whether the cross positions, each at the worst within its own band, leave more than they need."""
    free = float(exchange.accounts[a, account.CASH] - exchange.accounts[a, account.LOCKED])
    worst = float(exchange.accounts[a, account.WORST])
    return exchange.accounts[a, account.CROSS_COUNT] == 0 or free + worst > (abs(free) + abs(worst)) * FILTER_SLACK


@inner
def room_within_bands(exchange: Exchange, a: int, symbol: int) -> float:
    """Return less than what is left to be locked beside the cross positions, as far as their bands tell.

    Minus infinity where they do not. `symbol` is the position that may have changed since; it is valued at its mark.
    """
    cells = exchange.accounts[a]
    alerts = exchange.alerts[a]
    marks = exchange.prices[account.MARK]
    if cells[account.BANDED] == 0 or any_reached(marks, marks, alerts[positions.BAND_LOW], alerts[positions.BAND_HIGH]):
        return -INFINITY
    free = float(cells[account.CASH] - cells[account.LOCKED])
    others = float(cells[account.WORST] - alerts[positions.WORST, symbol])
    others -= float(cells[account.MARGIN_MOST] - alerts[positions.MARGIN_MOST, symbol])
    gross = abs(free) + abs(others)
    position = exchange.positions[a, symbol]
    own = 0.0
    if position[positions.QUANTITY] != 0 and position[positions.ISOLATED] == 0:
        worst, largest, terms = worst_within(exchange, a, symbol, float(marks[symbol]), float(marks[symbol]))
        own = worst - largest / float(position[positions.LEVERAGE])
        gross += terms
    return free + others + own - gross * FILTER_SLACK - 16.0


@inner
def set_band(exchange: Exchange, a: int, symbol: int, price: int, share: float) -> bool:
    """Set a symbol's band to a share around a price, and what its cross position is worth at the worst within.

    Return False when there is no such band.
    """
    alerts = exchange.alerts[a]
    exchange.accounts[a, account.WORST] -= alerts[positions.WORST, symbol]
    exchange.accounts[a, account.MARGIN_MOST] -= alerts[positions.MARGIN_MOST, symbol]
    alerts[positions.WORST, symbol] = 0
    alerts[positions.MARGIN_MOST, symbol] = 0
    alerts[positions.BAND_LOW, symbol] = positions.NO_LOW
    alerts[positions.BAND_HIGH, symbol] = positions.NO_HIGH
    position = exchange.positions[a, symbol]
    if position[positions.QUANTITY] == 0:
        return True
    if share <= 0.0:
        return False
    low = float(price) * (1.0 - share)
    high = float(price) * (1.0 + share)
    alerts[positions.BAND_LOW, symbol] = int(low * (1.0 + FILTER_SLACK)) + 1
    alerts[positions.BAND_HIGH, symbol] = int(high * (1.0 - FILTER_SLACK)) - 1
    if position[positions.ISOLATED] == 0:
        worst, largest, terms = worst_within(exchange, a, symbol, low, high)
        worst -= terms * FILTER_SLACK + 16.0
        margin = largest * (1.0 + FILTER_SLACK) / float(position[positions.LEVERAGE]) + 16.0
        if max(abs(worst), margin) * exchange.positions.shape[1] > WORST_MAX:
            return False
        alerts[positions.WORST, symbol] = int(worst) - 1
        alerts[positions.MARGIN_MOST, symbol] = int(margin) + 1
        exchange.accounts[a, account.WORST] += alerts[positions.WORST, symbol]
        exchange.accounts[a, account.MARGIN_MOST] += alerts[positions.MARGIN_MOST, symbol]
    return True


@inner
def set_bands(exchange: Exchange, a: int, close: Any) -> None:
    """Set for each symbol the band around `close` in which, as long as all keep to theirs, no breach is possible.

    What is left after everything at its worst, over the gross value, is the share by which all prices may move at
    once, half at most; maintenance is bounded at one and a half times the value.
    """
    room = float(exchange.accounts[a, account.CASH] - exchange.accounts[a, account.LOCKED])
    gross = 0.0
    terms = abs(room)
    for symbol in range(exchange.positions.shape[1]):
        position = exchange.positions[a, symbol]
        if position[positions.QUANTITY] == 0 or position[positions.ISOLATED] == 1:
            continue
        value = float(position[positions.QUANTITY]) * lot_size(exchange, symbol) * float(close[symbol])
        cost = float(position[positions.COST])
        room += value - cost - maintenance_bound(exchange, symbol, 1.5 * abs(value))
        gross += abs(value)
        terms += 3.0 * abs(value) + abs(cost)
    share = 0.5
    if gross > 0.0:
        share = min(share, (room - 2.0 * terms * FILTER_SLACK - 32.0 * (1 + exchange.positions.shape[1])) / gross)
    exchange.accounts[a, account.BANDED] = 0
    exchange.accounts[a, account.SHARE] = int(share * SCALE) if share > 0.0 else 0
    for symbol in range(exchange.positions.shape[1]):
        own = float(exchange.accounts[a, account.SHARE]) * PER_SCALE
        if exchange.positions[a, symbol, positions.ISOLATED] == 1:
            own = isolated_share(exchange, a, symbol, close[symbol])
        if not set_band(exchange, a, symbol, close[symbol], own):
            return
    exchange.accounts[a, account.BANDED] = 1 if has_headroom(exchange, a) else 0


@inner
def isolated_share(exchange: Exchange, a: int, symbol: int, close: int) -> float:
    """Return the share by which the price of an isolated position may move before a breach is possible."""
    position = exchange.positions[a, symbol]
    value = float(position[positions.QUANTITY]) * lot_size(exchange, symbol) * float(close)
    cost = float(position[positions.COST])
    margin = float(position[positions.MARGIN])
    left = margin + value - cost - maintenance_bound(exchange, symbol, 1.5 * abs(value))
    slack = (3.0 * abs(value) + abs(cost) + abs(margin)) * FILTER_SLACK + 16.0
    return min(0.5, (left - slack) / abs(value)) if value != 0.0 else 0.0


@inner
def forget_safety(exchange: Exchange, a: int) -> None:
    """Note that the account has changed, so that what was known about its safety is not known any more."""
    exchange.prices[account.STATE, 0] = account.UNKNOWN
    exchange.accounts[a, account.BANDED] = 0


@inner
def renew_band(exchange: Exchange, a: int, symbol: int) -> None:
    """Renew the band of the one position that has changed; the others keep theirs while there is headroom."""
    banded = exchange.accounts[a, account.BANDED] == 1 and exchange.positions[a, symbol, positions.ISOLATED] == 0
    forget_safety(exchange, a)
    share = float(exchange.accounts[a, account.SHARE]) * PER_SCALE
    if banded and set_band(exchange, a, symbol, exchange.prices[account.MARK, symbol], share):
        exchange.accounts[a, account.BANDED] = 1 if has_headroom(exchange, a) else 0
