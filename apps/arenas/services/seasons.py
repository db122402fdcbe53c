"""Open arenas and their seasons, with rules that are frozen from then on."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from apps.arenas.models import Arena, Season
from apps.market.models import Market
from apps.market.services import at_ms
from bitnerve.domain.errors import Refusal
from bitnerve.domain.risk.limits import Limits
from bitnerve.domain.timeframe import interval_text
from bitnerve.domain.trading.account import Rules
from bitnerve.domain.units import decimal_text
from bitnerve.engine.export import QUOTE_ASSET

_LIMIT_DECIMALS = ("symbol_share_max", "notional_max", "price_band", "jump_max", "daily_loss_max", "drawdown_max")
_LIMIT_COUNTS = ("leverage_max", "stale_bars_max", "orders_max")


class BadSeason(Refusal):
    """Rules or dates that do not fit the market or each other."""

    code = "BAD_SEASON"


@dataclass(frozen=True, slots=True)
class SeasonRules:
    """What a season is run by; money in units, times in milliseconds of the market."""

    capital: int
    tick_ms: int
    seed: int
    deadline_ms: int
    """How long after a tick a decision is still in time."""
    quote_every_ms: int = 0
    """How far apart the quotes of a symbol lie between ticks; 0: no quotes, only bars."""
    rates: Rules = field(default_factory=Rules)
    limits: Limits = field(default_factory=Limits)

    def document(self, market: Market) -> dict[str, Any]:
        """Return the rules as they are frozen and published: decimals as text, times in seconds."""
        rates = ("half_spread_rate", "impact_rate", "volume_cap_rate", "liquidation_fee_rate")
        return {
            "capital": decimal_text(self.capital),
            "asset": QUOTE_ASSET,
            "tick": self.tick_ms // 1000,
            "bar": market.interval_ms // 1000,
            "deadline": self.deadline_ms // 1000,
            "quote_every": self.quote_every_ms // 1000,
            **{name: decimal_text(int(getattr(self.rates, name))) for name in rates},
            "market_order_max_bars": int(self.rates.market_order_max_bars),
            "limits": {
                "symbols": None if self.limits.symbols is None else sorted(self.limits.symbols),
                **{name: decimal_text(getattr(self.limits, name)) for name in _LIMIT_DECIMALS},
                **{name: getattr(self.limits, name) for name in _LIMIT_COUNTS},
            },
        }


@transaction.atomic
def open_season(
    *,
    arena: Arena,
    market: Market,
    slug: str,
    rules: SeasonRules,
    starts_at: datetime,
    ends_at: datetime,
    mode: str = Season.Mode.PAPER,
    speed: float = 1.0,
) -> Season:
    """Open the next season of an arena; its clock stands at the start until somebody drives it.

    `speed` is market time per time of the database's clock; 0: the next tick is due as soon as the last one is closed.
    """
    tick = timedelta(milliseconds=rules.tick_ms)
    if rules.tick_ms % market.interval_ms:
        raise BadSeason(
            f"tick: {interval_text(rules.tick_ms)} is not a multiple of the bars' {interval_text(market.interval_ms)}"
        )
    if rules.quote_every_ms % 1000 or not 0 < rules.deadline_ms < rules.tick_ms:
        raise BadSeason(
            f"deadline: {rules.deadline_ms} ms does not lie inside a tick of {rules.tick_ms} ms, or quote_every: "
            f"{rules.quote_every_ms} ms is no whole number of seconds"
        )
    # Accounts are marked at every n-th bar since the epoch, and ticks must fall on the same instants.
    is_off = at_ms(starts_at) // market.interval_ms % (rules.tick_ms // market.interval_ms) > 0
    if not market.starts_at <= starts_at < ends_at or (ends_at - starts_at) % tick or is_off:
        raise BadSeason(
            f"starts_at, ends_at: {starts_at:%Y-%m-%d %H:%M} to {ends_at:%Y-%m-%d %H:%M} must lie after the market's "
            f"start {market.starts_at:%Y-%m-%d %H:%M}, at whole multiples of a tick"
        )
    if not 0.0 <= speed <= 1e6:
        raise BadSeason(f"speed: {speed} lies outside 0..1000000")
    last = arena.seasons.order_by("-number").first()
    return Season.objects.create(
        arena=arena,
        number=last.number + 1 if last else 1,
        slug=slug,
        market=market,
        mode=mode,
        state=Season.State.LIVE,
        rules=rules.document(market),
        tick_ms=rules.tick_ms,
        with_quotes=rules.quote_every_ms > 0,
        seed=rules.seed,
        starts_at=starts_at,
        ends_at=ends_at,
        speed=speed,
        clock_at=starts_at,
    )
