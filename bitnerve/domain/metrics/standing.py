"""Where does an agent stand: what did it earn, at what risk, by how many trades, against what benchmark?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from bitnerve.domain.metrics import returns
from bitnerve.domain.metrics.drawdown import measure_drawdown
from bitnerve.domain.metrics.returns import Money
from bitnerve.domain.metrics.trades import (
    Fills,
    FundingPayments,
    no_fills,
    no_funding,
    profit_factor,
    round_trips,
    win_ratio,
)
from bitnerve.domain.units import checked_sum


@dataclass(frozen=True, slots=True)
class Standing:
    """One row of a leaderboard. Money is in units; ratios are per one; what cannot be known is NaN."""

    name: str
    equity_units: int
    """At the last point."""
    return_ratio: float
    """Time-weighted: transfers add nothing (rule F3)."""
    benchmark_return_ratio: float
    excess_return_ratio: float
    volatility: float
    """Of a year."""
    sharpe: float
    """Of a year."""
    drawdown_max: float
    drawdown_current: float
    drawdown_steps_max: int
    trade_count: int
    """Closed round trips."""
    win_ratio: float
    profit_factor: float
    realized_pnl_units: int
    """Of all fills, open trades included, before fees and funding."""
    fee_units: int
    funding_units: int
    """Below zero: paid on balance."""
    liquidation_count: int
    """Fills of liquidations."""


def make_standing(
    *,
    name: str,
    equity: Money,
    step_ms: int,
    transfers: Money | None = None,
    fills: Fills | None = None,
    funding: FundingPayments | None = None,
    benchmark: Money | None = None,
) -> Standing:
    """Return the standing of one agent from its equity points at equal steps, its fills and its funding.

    `benchmark` holds the prices of what one might have held instead, at the first and the last point at
    least.
    """
    fills = no_fills() if fills is None else fills
    funding = no_funding() if funding is None else funding
    step_returns = returns.step_returns(equity, transfers)
    drawdown = measure_drawdown(returns.growth(equity, transfers))
    trades = round_trips(fills=fills, funding=funding)
    earned = returns.time_weighted_return(equity, transfers)
    benchmark_earned = math.nan if benchmark is None else returns.total_return(benchmark)
    return Standing(
        name=name,
        equity_units=int(equity[-1]) if len(equity) else 0,
        return_ratio=earned,
        benchmark_return_ratio=benchmark_earned,
        excess_return_ratio=earned - benchmark_earned,
        volatility=returns.volatility(step_returns, step_ms=step_ms),
        sharpe=returns.sharpe(step_returns, step_ms=step_ms),
        drawdown_max=drawdown.worst,
        drawdown_current=drawdown.current,
        drawdown_steps_max=drawdown.duration_max,
        trade_count=len(trades.symbol),
        win_ratio=win_ratio(trades),
        profit_factor=profit_factor(trades),
        realized_pnl_units=checked_sum(fills.realized_pnl),
        fee_units=checked_sum(fills.fee),
        funding_units=checked_sum(funding.amount),
        liquidation_count=int(fills.liquidation.sum()),
    )


def rank_standings(standings: Iterable[Standing]) -> tuple[Standing, ...]:
    """Return the standings best first: by return, the unknown last, ties by name."""
    return tuple(sorted(standings, key=_place))


def _place(standing: Standing) -> tuple[bool, float, str]:
    unknown = math.isnan(standing.return_ratio)
    return unknown, 0.0 if unknown else -standing.return_ratio, standing.name
