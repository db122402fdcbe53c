"""Which limits stand between a decision and an order?"""

from __future__ import annotations

from dataclasses import dataclass, fields

from bitnerve.domain.units import SCALE


@dataclass(frozen=True, slots=True)
class Limits:
    """The bounds of one scope; rates in rate units, money in units. `tightest` combines scopes."""

    symbols: frozenset[str] | None = None
    """The symbols that may be traded; None allows all of the arena."""
    leverage_max: int = 20
    notional_max: int = 10**15
    """Money units that one position may be worth: 10 million of the quote asset."""
    symbol_share_max: int = 5 * SCALE
    """Notional of one symbol's position ÷ equity."""
    price_band: int = SCALE // 20
    """How far a limit or trigger price may lie from the mark."""
    stale_bars_max: int = 2
    """Bars without a trade after which a symbol's price is too old for new risk."""
    jump_max: int = SCALE // 2
    """The move of the last bar, close to close, beyond which a price is taken for absurd."""
    daily_loss_max: int = SCALE // 5
    """Loss since midnight UTC ÷ equity at midnight, at which new risk ends for the day."""
    drawdown_max: int = SCALE // 2
    """Fall from the highest equity, at which new risk ends."""
    orders_max: int = 50
    """Orders in one decision that may open or add; what only reduces is never held back."""


def tightest(*scopes: Limits) -> Limits:
    """Return limits that satisfy every scope: the smallest of each bound, the intersection of the symbols."""
    lists = [scope.symbols for scope in scopes if scope.symbols is not None]
    bounds = {f.name: min(getattr(scope, f.name) for scope in scopes) for f in fields(Limits) if f.name != "symbols"}
    return Limits(symbols=frozenset.intersection(*lists) if lists else None, **bounds)
