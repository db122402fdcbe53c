"""Which margin tiers does an instrument have, in the terms of the house?"""

from __future__ import annotations

import re
from collections.abc import Iterable
from decimal import Decimal

import numpy as np

from bitnerve.adapters.recordings.exact import decimal_of
from bitnerve.adapters.recordings.parquet import Schema
from bitnerve.adapters.recordings.rows import Flags, Rows, refuse_first
from bitnerve.domain.errors import Refusal
from bitnerve.domain.market.instrument import Tier, make_tier
from bitnerve.domain.units import LEVERAGE_MAX, MONEY_MAX, SCALE

TIER_SCHEMA = Schema(
    numbers=("tier", "max_notional", "maintenance_margin_rate", "max_leverage", "maint_amount_cum"),
    symbol="symbol_ccxt",
    timed=False,
)
CONSERVATIVE_TIERS = (
    make_tier(
        notional_until=None,
        maintenance_rate=Decimal("0.025"),
        deduction=Decimal(0),
        leverage_max=10,
        field="conservative tier",
    ),
)
"""For instruments whose tiers nobody named."""

_LINEAR = re.compile(r"\A([^/:]+)/([^/:]+):([^/:-]+)\Z")


class UnfitTier(Refusal):
    """A number that no margin tier can have."""

    code = "UNFIT_TIER"


class FallingTiers(Refusal):
    """Tiers whose numbers or bounds do not rise, or whose maintenance rates fall."""

    code = "FALLING_TIERS"


def names_by_symbol(names: Iterable[str]) -> dict[str, str]:
    """Return ccxt's names by the venue's symbols: `BTC/USDT:USDT` by `BTCUSDT`.

    Dated contracts (`BTC/USDT:USDT-250627`) and those not settled in their quote asset are left out.
    """
    matches = ((name, _LINEAR.match(name)) for name in names)
    return {match[1] + match[2]: name for name, match in matches if match and match[2] == match[3]}


def read_tiers(rows: Rows) -> tuple[Tier, ...]:
    """Return the tiers of one symbol, or raise for the first row that breaks a rule.

    An upper bound that is missing, or beyond any amount of money that the house can hold, is no bound.
    """
    until = rows.numbers("max_notional")
    unbounded = np.isnan(until) | (until > MONEY_MAX / SCALE)
    _check_ranges(rows, unbounded)
    _check_order(rows, unbounded)
    rate, deduction = rows.numbers("maintenance_margin_rate"), rows.numbers("maint_amount_cum")
    return tuple(
        make_tier(
            notional_until=None if unbounded[index] else decimal_of(until[index], field="max_notional"),
            maintenance_rate=decimal_of(rate[index], field="maintenance_margin_rate"),
            deduction=decimal_of(deduction[index], field="maint_amount_cum"),
            # A fraction of leverage is cut off: never more than the venue allows.
            leverage_max=int(rows.numbers("max_leverage")[index]),
            field=rows.place(index),
        )
        for index in range(len(rows.row))
    )


def _check_ranges(rows: Rows, unbounded: Flags) -> None:
    until, rate = rows.numbers("max_notional"), rows.numbers("maintenance_margin_rate")
    leverage, deduction = rows.numbers("max_leverage"), rows.numbers("maint_amount_cum")
    for field, fits, rule in (
        ("max_notional", unbounded | (until > 0), "must be above 0"),
        ("maintenance_margin_rate", (rate >= 0) & (rate < 1), "must lie in [0, 1)"),
        ("max_leverage", (leverage >= 1) & (leverage <= LEVERAGE_MAX), f"must lie in [1, {LEVERAGE_MAX}]"),
        (
            "maint_amount_cum",
            (deduction >= 0) & (deduction <= MONEY_MAX / SCALE),
            "must be at least 0 and finite",
        ),
    ):
        refuse_first(UnfitTier, ~fits, rows, field, rule)


def _check_order(rows: Rows, unbounded: Flags) -> None:
    until, rate = rows.numbers("max_notional"), rows.numbers("maintenance_margin_rate")
    bound = np.where(unbounded, np.inf, until)
    for field, values, may_stay in (
        ("tier", rows.numbers("tier"), False),
        ("max_notional", bound, False),
        # The liquidation test relies on maintenance being convex in notional.
        ("maintenance_margin_rate", rate, True),
    ):
        rises = np.ones(len(values), dtype=np.bool_)
        rises[1:] = (values[1:] > values[:-1]) | (may_stay & (values[1:] == values[:-1]))
        rule = "must not fall from tier to tier" if may_stay else "must rise from tier to tier"
        previous = np.concatenate([values[:1], values[:-1]])
        refuse_first(FallingTiers, ~rises, rows, field, rule, previous=previous, **{field: values})
