"""Estimators on series whose figures are known."""

import numpy as np
import pytest

from bitnerve.domain.metrics import stylized_facts as facts

RANDOM = np.random.default_rng(1)


def test_autocorrelation_of_an_alternating_series_is_minus_one():
    assert facts.autocorrelation(np.array([1.0, -1.0] * 500), 1) == pytest.approx(-1.0)
    assert facts.autocorrelation(np.array([1.0, -1.0] * 500), 2) == pytest.approx(1.0)


def test_excess_kurtosis_of_two_equal_values_is_minus_two():
    assert facts.excess_kurtosis(np.array([3.0, -3.0] * 10)) == pytest.approx(-2.0)


def test_tail_index_reads_the_power_of_a_pareto_tail():
    uniform = RANDOM.random(200_000)
    assert facts.tail_index(uniform ** (-1 / 3)) == pytest.approx(3.0, rel=0.05)


def test_jumps_are_found_where_they_were_put():
    returns = RANDOM.standard_normal(5_000)
    returns[[1_000, 3_000]] = [9.0, -9.0]
    assert np.flatnonzero(facts.find_jumps(returns, 288)).tolist() == [1_000 - 288, 3_000 - 288]


def test_describe_returns_counts_jumps_per_day_and_their_share():
    returns = np.tile([1.0, -1.0], 1_000)
    returns[1_500] = 10.0
    found = facts.describe_returns(returns, lags=(1, 2), bars_per_day=100)
    assert found.jumps_per_day == pytest.approx(1 / 19)
    assert found.jump_share == pytest.approx(100 / (1_899 + 100))
    assert found.largest == 10.0
    assert len(found.clustering) == 2


def test_regress_finds_the_line():
    market = RANDOM.standard_normal(1_000)
    line = facts.regress(market, 1.5 * market + 2.0)
    assert (line.beta, line.r2) == pytest.approx((1.5, 1.0))
    assert line.residual_sd == pytest.approx(0.0, abs=1e-9)


def test_co_movement_of_one_factor_is_one_component():
    factor = RANDOM.standard_normal(500)
    found = facts.describe_co_movement(np.outer(factor, [1.0, 2.0, 3.0]))
    assert found.mean_correlation == pytest.approx(1.0)
    assert found.component_shares[0] == pytest.approx(1.0)


def test_seasonal_means_are_relative_to_the_mean_of_all():
    values, labels = np.array([1.0, 3.0, 1.0, 3.0]), np.array([0, 1, 0, 1])
    assert facts.seasonal_means(values, labels, 2).tolist() == [0.5, 1.5]
