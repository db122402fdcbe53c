"""What does a venue say about one perpetual: its grids, minimums, fees and margin tiers?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import lru_cache
from math import gcd
from typing import Any, NamedTuple

import numpy.typing as npt

from bitnerve.domain.errors import Refusal
from bitnerve.domain.kernel import INT64_MAX, zeros
from bitnerve.domain.units import DECIMALS, EXACT, LEVERAGE_MAX, SCALE, money_units, price_units, rate_units

DEFAULT_MAKER_FEE_RATE = Decimal("0.0002")
DEFAULT_TAKER_FEE_RATE = Decimal("0.00055")


_BITCOIN = re.compile(r"\A(BTC|XBT)(USDT|USDC|FDUSD|BUSD|TUSD|USD|EUR|INR|PERP)?([^A-Z0-9].*)?\Z", re.ASCII)


@lru_cache(maxsize=4096)
def is_bitcoin(symbol: str) -> bool:
    """Return whether a symbol trades Bitcoin against money; BTCDOMUSDT and its like only begin with its name."""
    return bool(_BITCOIN.match(symbol))


def bitcoin_column(symbols: Sequence[str]) -> int:
    """Return the first column that trades Bitcoin, -1 without one."""
    return next((column for column, symbol in enumerate(symbols) if is_bitcoin(symbol)), -1)


FEE_RATE_MAX = Decimal("0.1")


class UnfitInstrument(Refusal):
    """An instrument whose grids, tiers or rates cannot be held exactly."""

    code = "UNFIT_INSTRUMENT"


@dataclass(frozen=True, slots=True)
class Tier:
    """One margin tier: up to and including a notional, at most this leverage, this maintenance."""

    notional_until: int | None
    """Money units, inclusive; None in a last tier without an upper bound."""
    maintenance_rate: int
    deduction: int
    leverage_max: int


@dataclass(frozen=True, slots=True)
class Instrument:
    """A linear, quote-settled perpetual in integer units; `make_instrument` is the door that checks."""

    symbol: str
    tick_size: int
    """Price units."""
    lot_size: Decimal
    lot_numerator: int
    lot_denominator: int
    """The lot is numerator ÷ denominator of the base asset, reduced; the denominator divides 10⁸."""
    min_quantity: int
    """Lots."""
    min_notional: int
    maker_fee_rate: int
    taker_fee_rate: int
    tiers: tuple[Tier, ...]
    inferred: bool
    """Whether grids or tiers were read off the data because no file named them."""


def make_tier(
    *, notional_until: Decimal | None, maintenance_rate: Decimal, deduction: Decimal, leverage_max: int, field: str
) -> Tier:
    """Return a tier in units, or raise `BadNumber` or `UnfitInstrument` with the field that does not fit."""
    if not 1 <= leverage_max <= LEVERAGE_MAX:
        raise UnfitInstrument(f"{field}.leverage_max: {leverage_max} is outside 1..{LEVERAGE_MAX}", field=field)
    if not 0 <= maintenance_rate < 1:
        raise UnfitInstrument(f"{field}.maintenance_rate: {maintenance_rate} is outside 0..1", field=field)
    if deduction < 0:
        raise UnfitInstrument(f"{field}.deduction: {deduction} is below zero", field=field)
    return Tier(
        notional_until=None if notional_until is None else money_units(notional_until, field=f"{field}.notional_until"),
        maintenance_rate=rate_units(maintenance_rate, field=f"{field}.maintenance_rate"),
        deduction=money_units(deduction, field=f"{field}.deduction"),
        leverage_max=leverage_max,
    )


def make_instrument(
    *,
    symbol: str,
    tick_size: Decimal,
    lot_size: Decimal,
    min_quantity: Decimal,
    min_notional: Decimal,
    tiers: Sequence[Tier],
    maker_fee_rate: Decimal = DEFAULT_MAKER_FEE_RATE,
    taker_fee_rate: Decimal = DEFAULT_TAKER_FEE_RATE,
    inferred: bool = False,
) -> Instrument:
    """Return an instrument in units, or raise `UnfitInstrument` naming the symbol, the rule and the numbers."""
    if not 0 < lot_size <= 10**9:
        raise UnfitInstrument(f"{symbol}: lot_size {lot_size} must lie in (0, 10^9]", symbol=symbol)
    lots_per_unit = EXACT.multiply(lot_size, Decimal(SCALE))
    if lots_per_unit != lots_per_unit.to_integral_value():
        raise UnfitInstrument(f"{symbol}: lot_size {lot_size} is finer than 10^-{DECIMALS}", symbol=symbol)
    tick = price_units(tick_size, field=f"{symbol}.tick_size")
    shared = gcd(int(lots_per_unit), SCALE)
    numerator, denominator = int(lots_per_unit) // shared, SCALE // shared
    if tick * numerator % denominator:
        raise UnfitInstrument(
            f"{symbol}: tick_size {tick_size} times lot_size {lot_size} is not a whole number of 10^-{DECIMALS}",
            symbol=symbol,
        )
    if min_quantity < 0 or EXACT.divide(min_quantity, lot_size) > INT64_MAX // numerator:
        raise UnfitInstrument(f"{symbol}: min_quantity {min_quantity} does not fit into lots of {lot_size}")
    for name, rate in (("maker_fee_rate", maker_fee_rate), ("taker_fee_rate", taker_fee_rate)):
        if abs(rate) > FEE_RATE_MAX:
            raise UnfitInstrument(f"{symbol}.{name}: {rate} is outside ±{FEE_RATE_MAX}", symbol=symbol)
    _check_tiers(symbol, tiers)
    return Instrument(
        symbol=symbol,
        tick_size=tick,
        lot_size=lot_size,
        lot_numerator=numerator,
        lot_denominator=denominator,
        min_quantity=max(1, int(EXACT.divide(min_quantity, lot_size).to_integral_value(rounding="ROUND_CEILING"))),
        min_notional=money_units(min_notional, field=f"{symbol}.min_notional"),
        maker_fee_rate=rate_units(maker_fee_rate, field=f"{symbol}.maker_fee_rate"),
        taker_fee_rate=rate_units(taker_fee_rate, field=f"{symbol}.taker_fee_rate"),
        tiers=tuple(tiers),
        inferred=inferred,
    )


def _check_tiers(symbol: str, tiers: Sequence[Tier]) -> None:
    if not tiers:
        raise UnfitInstrument(f"{symbol}: an instrument without margin tiers cannot be traded", symbol=symbol)
    for number, (tier, following) in enumerate(zip(tiers, [*tiers[1:], None], strict=True), start=1):
        if tier.notional_until is None and following is not None:
            raise UnfitInstrument(f"{symbol}: tier {number} has no notional_until but is not the last", symbol=symbol)
        if following is None or tier.notional_until is None:
            continue
        if following.notional_until is not None and following.notional_until <= tier.notional_until:
            raise UnfitInstrument(f"{symbol}: notional_until of tier {number + 1} does not rise", symbol=symbol)
        if following.maintenance_rate < tier.maintenance_rate:
            # The liquidation test relies on maintenance being convex in notional.
            raise UnfitInstrument(f"{symbol}: maintenance_rate of tier {number + 1} falls", symbol=symbol)


# Columns of the instrument table.
(
    TICK_SIZE,
    LOT_NUMERATOR,
    LOT_DENOMINATOR,
    MIN_QUANTITY,
    MIN_NOTIONAL,
    MAKER_FEE_RATE,
    TAKER_FEE_RATE,
    TIER_COUNT,
) = range(8)
# Columns of a tier; INT64_MAX stands for "no bound".
NOTIONAL_UNTIL, MAINTENANCE_RATE, DEDUCTION, LEVERAGE_MAX_OF_TIER = range(4)


class Instruments(NamedTuple):
    """The instruments of a market as kernels read them."""

    table: npt.NDArray[Any]
    """[symbol, column]"""
    tiers: npt.NDArray[Any]
    """[symbol, tier, column]"""


def instrument_arrays(instruments: Sequence[Instrument]) -> Instruments:
    """Return the instruments as arrays, in their order."""
    depth = max((len(instrument.tiers) for instrument in instruments), default=1)
    table = zeros(len(instruments), 8)
    tiers = zeros(len(instruments), depth, 4)
    for row, instrument in enumerate(instruments):
        table[row, TICK_SIZE] = instrument.tick_size
        table[row, LOT_NUMERATOR] = instrument.lot_numerator
        table[row, LOT_DENOMINATOR] = instrument.lot_denominator
        table[row, MIN_QUANTITY] = instrument.min_quantity
        table[row, MIN_NOTIONAL] = instrument.min_notional
        table[row, MAKER_FEE_RATE] = instrument.maker_fee_rate
        table[row, TAKER_FEE_RATE] = instrument.taker_fee_rate
        table[row, TIER_COUNT] = len(instrument.tiers)
        for number, tier in enumerate(instrument.tiers):
            tiers[row, number, NOTIONAL_UNTIL] = INT64_MAX if tier.notional_until is None else tier.notional_until
            tiers[row, number, MAINTENANCE_RATE] = tier.maintenance_rate
            tiers[row, number, DEDUCTION] = tier.deduction
            tiers[row, number, LEVERAGE_MAX_OF_TIER] = tier.leverage_max
    return Instruments(table=table, tiers=tiers)
