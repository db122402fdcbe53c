"""What do the frozen rules of a season say, in the engine's units?"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from bitnerve.domain.risk.limits import Limits
from bitnerve.domain.trading.account import Rules
from bitnerve.domain.units import money_units, rate_units

_RATES = ("half_spread_rate", "impact_rate", "volume_cap_rate", "liquidation_fee_rate")
_LIMIT_RATES = ("symbol_share_max", "price_band", "jump_max", "daily_loss_max", "drawdown_max")
_LIMIT_COUNTS = ("leverage_max", "stale_bars_max", "orders_max")


def read_capital(rules: Mapping[str, Any]) -> int:
    """Return what every entry starts with, in money units."""
    return money_units(Decimal(rules["capital"]), field="rules.capital")


def read_rates(rules: Mapping[str, Any]) -> Rules:
    """Return a season's rates as the engine reads them."""
    rates = {name: rate_units(Decimal(rules[name]), field=f"rules.{name}") for name in _RATES}
    return Rules(**rates, market_order_max_bars=rules["market_order_max_bars"])


def read_limits(rules: Mapping[str, Any]) -> Limits:
    """Return the limits that hold for every entry of a season."""
    stated: Mapping[str, Any] = rules["limits"]
    rates = {name: rate_units(Decimal(stated[name]), field=f"rules.limits.{name}") for name in _LIMIT_RATES}
    counts = {name: int(stated[name]) for name in _LIMIT_COUNTS}
    return Limits(
        symbols=None if stated["symbols"] is None else frozenset(stated["symbols"]),
        notional_max=money_units(Decimal(stated["notional_max"]), field="rules.limits.notional_max"),
        leverage_max=counts["leverage_max"],
        stale_bars_max=counts["stale_bars_max"],
        orders_max=counts["orders_max"],
        symbol_share_max=rates["symbol_share_max"],
        price_band=rates["price_band"],
        jump_max=rates["jump_max"],
        daily_loss_max=rates["daily_loss_max"],
        drawdown_max=rates["drawdown_max"],
    )
