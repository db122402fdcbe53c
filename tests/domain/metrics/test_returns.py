"""Do transfers add nothing, and do the yearly figures equal numpy's?"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitnerve.domain.metrics import returns
from bitnerve.domain.timeframe import DAY_MS, HOUR_MS

MONEY = st.integers(1, 9 * 10**18)
PATHS = st.lists(st.integers(10**6, 10**15), min_size=2, max_size=40)


def with_transfers(path: list[int], transfers: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Return (equity, transfers) of an account that stands still but for its transfers and this path's steps."""
    equity, moved = [path[0]], [0]
    for transfer in transfers:
        equity.append(equity[-1] + transfer)
        moved.append(transfer)
    return np.array(equity), np.array(moved)


@given(MONEY, MONEY)
def test_total_return_is_the_exact_quotient_rounded_once(first: int, last: int) -> None:
    assert returns.total_return(np.array([first, last])) == (last - first) / first


def test_total_return_of_nothing_is_nan() -> None:
    assert math.isnan(returns.total_return(np.array([], dtype=np.int64)))
    assert math.isnan(returns.total_return(np.array([0, 5])))


@given(MONEY.map(lambda money: money // 10), st.lists(st.integers(1, 10**15), max_size=20))
def test_deposits_add_exactly_zero(first: int, deposits: list[int]) -> None:
    equity, transfers = with_transfers([first + 1], deposits)
    assert returns.time_weighted_return(equity, transfers) == 0.0
    assert (returns.step_returns(equity, transfers) == 0.0).all()
    assert (returns.growth(equity, transfers) == 1.0).all()


@given(PATHS)
def test_growth_without_transfers_is_equity_over_its_first_value(path: list[int]) -> None:
    equity = np.array(path)
    np.testing.assert_array_equal(returns.growth(equity), equity / equity[0])
    assert returns.time_weighted_return(equity) == pytest.approx(returns.total_return(equity), abs=1e-12)


@given(st.lists(st.integers(10**9, 10**12), min_size=2, max_size=40), st.data())
def test_growth_is_the_product_of_the_step_returns(path: list[int], data: st.DataObject) -> None:
    equity = np.array(path)
    transfers = np.array([0, *(data.draw(st.sampled_from([0, value // 2, value // 3])) for value in path[1:])])
    steps = returns.step_returns(equity, transfers)
    np.testing.assert_allclose(returns.growth(equity, transfers)[1:], np.cumprod(1.0 + steps), rtol=1e-9)


@given(PATHS, st.integers(2, 5))
def test_a_deposit_in_the_middle_changes_no_return(path: list[int], factor: int) -> None:
    middle = len(path) // 2
    equity = np.array([*path[:middle], *(factor * value for value in path[middle - 1 :])])
    transfers = np.zeros(equity.size, dtype=np.int64)
    transfers[middle] = (factor - 1) * path[middle - 1]
    assert returns.time_weighted_return(equity, transfers) == pytest.approx(
        returns.time_weighted_return(np.array(path)), rel=1e-12, abs=1e-12
    )


def test_who_lost_everything_stays_at_zero_whatever_is_paid_in() -> None:
    equity, transfers = np.array([100, 50, 0, 100, 200]), np.array([0, 0, 0, 100, 0])
    assert returns.growth(equity, transfers).tolist() == [1.0, 0.5, 0.0, 0.0, 0.0]
    assert returns.time_weighted_return(equity, transfers) == -1.0
    below = np.array([100, -20, 80, 160]), np.array([0, 0, 100, 0])
    assert returns.time_weighted_return(*below) == -1.0


def test_yearly_figures_equal_numpy() -> None:
    steps = np.random.default_rng(1).standard_normal(5000) * 0.001 + 0.0001
    yearly = math.sqrt(365 * 24)
    assert returns.volatility(steps, step_ms=HOUR_MS) == pytest.approx(steps.std(ddof=1) * yearly, rel=1e-12)
    expected = steps.mean() / steps.std(ddof=1) * yearly
    assert returns.sharpe(steps, step_ms=HOUR_MS) == pytest.approx(expected, rel=1e-9)
    assert returns.sharpe(steps, step_ms=DAY_MS) == pytest.approx(expected / math.sqrt(24), rel=1e-9)


@given(st.lists(st.floats(-0.5, 0.5), min_size=2, max_size=30), st.randoms())
def test_yearly_figures_do_not_depend_on_order(values: list[float], dice: object) -> None:
    steps = np.array(values)
    first = returns.sharpe(steps, step_ms=HOUR_MS)
    tail = steps[1:].copy()
    dice.shuffle(tail)  # type: ignore[attr-defined]
    second = returns.sharpe(np.concatenate([steps[:1], tail]), step_ms=HOUR_MS)
    assert second == first or (math.isnan(first) and math.isnan(second))


@given(st.floats(-0.5, 0.5), st.integers(2, 50))
def test_a_constant_return_has_no_volatility_and_no_sharpe(value: float, count: int) -> None:
    steps = np.full(count, value)
    assert returns.volatility(steps, step_ms=HOUR_MS) == 0.0
    assert math.isnan(returns.sharpe(steps, step_ms=HOUR_MS))


def test_unknown_returns_are_left_out() -> None:
    steps = np.array([0.01, np.nan, -0.02, 0.03])
    known = np.array([0.01, -0.02, 0.03])
    assert returns.sharpe(steps, step_ms=HOUR_MS) == returns.sharpe(known, step_ms=HOUR_MS)
    assert math.isnan(returns.volatility(steps[:2], step_ms=HOUR_MS))
