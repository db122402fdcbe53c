"""Is the drawdown the deepest fall below an earlier peak, and are its lengths counted right?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitnerve.domain.metrics.drawdown import drawdown_series, measure_drawdown
from bitnerve.domain.metrics.returns import growth


@given(st.lists(st.integers(1, 10**9), min_size=1, max_size=60))
def test_drawdown_equals_pandas(values: list[int]) -> None:
    series = pd.Series(values)
    expected = 1.0 - series / series.cummax()
    np.testing.assert_allclose(drawdown_series(np.array(values)), expected, atol=1e-12)
    measured = measure_drawdown(np.array(values))
    assert measured.worst == pytest.approx(expected.max(), abs=1e-12)
    assert measured.current == pytest.approx(expected.iloc[-1], abs=1e-12)
    assert measured.worst == (values[measured.peak_index] - values[measured.trough_index]) / values[measured.peak_index]
    assert max(values[: measured.trough_index + 1]) == values[measured.peak_index]


def test_drawdown_counts_the_steps_under_water() -> None:
    measured = measure_drawdown(np.array([10, 8, 9, 10, 12, 9, 6, 11]))
    assert (measured.worst, measured.peak_index, measured.trough_index) == (0.5, 4, 6)
    assert (measured.duration_max, measured.duration_current) == (3, 3)
    assert measured.current == 1 / 12


@pytest.mark.parametrize("values", [np.arange(1, 9), np.full(8, 5), np.array([3.0])])
def test_what_never_falls_has_no_drawdown(values: np.ndarray) -> None:
    measured = measure_drawdown(values)
    assert (measured.worst, measured.current, measured.duration_max, measured.duration_current) == (0, 0, 0, 0)


@pytest.mark.parametrize("values", [np.array([], dtype=np.int64), np.array([0, -1, -5])])
def test_what_never_rises_above_zero_has_an_unknown_drawdown(values: np.ndarray) -> None:
    assert math.isnan(measure_drawdown(values).worst)


def test_a_deposit_heals_no_drawdown() -> None:
    equity, transfers = np.array([100, 50, 550]), np.array([0, 0, 500])
    assert measure_drawdown(growth(equity, transfers)).current == 0.5
