"""Does a standing hold what its parts say, and is its place on the board decided by return, then name?"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitnerve.domain.metrics import returns
from bitnerve.domain.metrics.standing import Standing, make_standing, rank_standings
from bitnerve.domain.metrics.trades import FundingPayments
from bitnerve.domain.timeframe import MINUTE_MS
from tests.domain.metrics.test_trades import make_fills

STEP_MS = 5 * MINUTE_MS


def plain_standing(name: str, earned: float) -> Standing:
    return replace(make_standing(name=name, equity=np.array([1, 1]), step_ms=STEP_MS), return_ratio=earned)


def test_make_standing_gathers_its_parts() -> None:
    equity = np.array([1000, 1100, 990, 1490, 1639])
    transfers = np.array([0, 0, 0, 500, 0])
    fills = make_fills([(0, 5, 0, 2), (0, -5, 70, 3), (1, -2, 0, 1), (1, 2, -30, 1), (1, 9, 0, 4)], liquidated=(3,))
    funding = FundingPayments(np.array([15, 35]), np.array([0, 1]), np.array([-6, 2]))
    standing = make_standing(
        name="fox",
        equity=equity,
        step_ms=STEP_MS,
        transfers=transfers,
        fills=fills,
        funding=funding,
        benchmark=np.array([50.0, 40.0, 52.0]),
    )
    assert standing.equity_units == 1639
    assert standing.return_ratio == pytest.approx(0.99 * 1.1 - 1.0)
    assert standing.benchmark_return_ratio == 0.04
    assert standing.excess_return_ratio == standing.return_ratio - 0.04
    steps = np.array([0.1, -0.1, 0.0, 0.1])
    np.testing.assert_allclose(returns.step_returns(equity, transfers), steps)
    assert standing.sharpe == pytest.approx(steps.mean() / steps.std(ddof=1) * math.sqrt(365 * 288))
    assert standing.drawdown_max == pytest.approx(0.1)
    assert standing.drawdown_current == pytest.approx(1.0 - 0.99)
    assert standing.drawdown_steps_max == 3
    assert (standing.trade_count, standing.win_ratio) == (2, 0.5)
    assert standing.profit_factor == 65 / 32
    assert (standing.realized_pnl_units, standing.fee_units, standing.funding_units) == (40, 11, -4)
    assert standing.liquidation_count == 1


def test_an_agent_that_never_traded_has_a_standing_of_zeros_and_unknowns() -> None:
    standing = make_standing(name="owl", equity=np.full(50, 10**12), step_ms=STEP_MS)
    assert (standing.return_ratio, standing.volatility, standing.drawdown_max) == (0.0, 0.0, 0.0)
    assert standing.trade_count == 0
    for unknown in ("sharpe", "win_ratio", "profit_factor", "benchmark_return_ratio"):
        assert math.isnan(getattr(standing, unknown)), unknown


def test_an_empty_record_has_a_standing_without_a_return() -> None:
    standing = make_standing(name="new", equity=np.array([], dtype=np.int64), step_ms=STEP_MS)
    assert math.isnan(standing.return_ratio)
    assert standing.equity_units == 0


@given(st.permutations([("a", 0.1), ("b", 0.3), ("c", 0.1), ("d", math.nan), ("e", -0.2), ("f", math.nan)]))
def test_standings_rank_by_return_then_name_and_the_unknown_last(rows: list[tuple[str, float]]) -> None:
    ranked = rank_standings(plain_standing(name, earned) for name, earned in rows)
    assert [standing.name for standing in ranked] == ["b", "a", "c", "e", "d", "f"]
