"""Do the indicators say what pandas says, and the same bits whatever the chunk?"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitnerve.domain.market.recording import Candles
from bitnerve.domain.signals import indicators as ind

BARS, SYMBOLS, WINDOW = 300, 5, 20


def random_closes(seed: int, *, missing: float = 0.0) -> np.ndarray:
    generator = np.random.default_rng(seed)
    closes = 100.0 * np.exp(np.cumsum(generator.standard_normal((BARS, SYMBOLS)) * 0.01, axis=0))
    closes[generator.random(closes.shape) < missing] = np.nan
    return closes


def all_indicators(close: np.ndarray, minimum: int | None = None) -> dict[str, np.ndarray]:
    high, low = close * 1.01, close * 0.98
    bands = ind.bollinger_bands(close, window=WINDOW, minimum=minimum)
    return {
        "log_returns": ind.log_returns(close),
        "rolling_sum": ind.rolling_sum(close, window=WINDOW, minimum=minimum),
        "rolling_mean": ind.rolling_mean(close, window=WINDOW, minimum=minimum),
        "rolling_std": ind.rolling_std(close, window=WINDOW, minimum=minimum),
        "zscore": ind.zscore(close, window=WINDOW, minimum=minimum),
        "lower": bands.lower,
        "upper": bands.upper,
        "position": bands.position,
        "ema": ind.ema(close, span=6, window=WINDOW, minimum=minimum),
        "volatility": ind.realized_volatility(close, window=WINDOW - 1, minimum=minimum),
        "atr": ind.atr(high, low, close, window=WINDOW - 1, minimum=minimum),
        "rsi": ind.rsi(close, window=WINDOW - 1, minimum=minimum),
    }


@settings(deadline=None)  # the first call compiles
@given(st.floats(min_value=1e-300, max_value=1e300))
def test_natural_log_is_within_two_units_in_the_last_place(x: float) -> None:
    assert abs(ind.natural_log(x) - math.log(x)) <= 2 * math.ulp(math.log(x))


@pytest.mark.parametrize("x", [0.0, -1.0, math.inf, math.nan])
def test_natural_log_of_what_has_none_is_nan(x: float) -> None:
    assert math.isnan(ind.natural_log(x))


def test_indicators_equal_pandas() -> None:
    close = random_closes(1)
    frame = pd.DataFrame(close)
    rolling = frame.rolling(WINDOW)
    change = frame.diff()
    gains = change.clip(lower=0).rolling(WINDOW - 1).sum()
    losses = (-change).clip(lower=0).rolling(WINDOW - 1).sum()
    previous = frame.shift()
    ranges = [frame * 0.03, (frame * 1.01 - previous).abs(), (frame * 0.98 - previous).abs()]
    true_range = pd.DataFrame(np.max(ranges, axis=0)).where(previous.notna())
    expected = {
        "log_returns": np.log(frame).diff(),
        "rolling_sum": rolling.sum(),
        "rolling_mean": rolling.mean(),
        "rolling_std": rolling.std(),
        "zscore": (frame - rolling.mean()) / rolling.std(),
        "lower": rolling.mean() - 2 * rolling.std(),
        "upper": rolling.mean() + 2 * rolling.std(),
        "ema": rolling.apply(lambda window: window.ewm(span=6).mean().iloc[-1]),
        "volatility": (np.log(frame).diff() ** 2).rolling(WINDOW - 1).mean() ** 0.5,
        "atr": true_range.rolling(WINDOW - 1).mean(),
        "rsi": 100 * gains / (gains + losses),
    }
    actual = all_indicators(close)
    for name, values in expected.items():
        np.testing.assert_allclose(actual[name], values.to_numpy(), rtol=1e-9, atol=1e-12, err_msg=name)


def test_rolling_mean_and_std_skip_missing_bars_as_pandas_does() -> None:
    close = random_closes(2, missing=0.2)
    rolling = pd.DataFrame(close).rolling(WINDOW, min_periods=8)
    full = np.arange(BARS)[:, None] >= WINDOW - 1
    present = full & np.isfinite(close)
    mean = ind.rolling_mean(close, window=WINDOW, minimum=8)
    std = ind.rolling_std(close, window=WINDOW, minimum=8)
    np.testing.assert_allclose(mean, np.where(present, rolling.mean(), np.nan), rtol=1e-12)
    np.testing.assert_allclose(std, np.where(present, rolling.std(), np.nan), rtol=1e-9)


@settings(deadline=None)
@given(seed=st.integers(0, 10**6), first=st.integers(0, 200), missing=st.sampled_from([0.0, 0.1]))
def test_indicators_have_the_same_bits_in_every_chunk(seed: int, first: int, missing: float) -> None:
    close = random_closes(seed, missing=missing)
    whole = all_indicators(close, minimum=10)
    suffix = all_indicators(close[first:], minimum=10)
    columns = all_indicators(close[:, 1::2], minimum=10)
    single = all_indicators(close[:, 2], minimum=10)
    prefix = all_indicators(close[: first + 50], minimum=10)
    for name, values in whole.items():
        np.testing.assert_array_equal(suffix[name][WINDOW:], values[first + WINDOW :], err_msg=name)
        np.testing.assert_array_equal(columns[name], values[:, 1::2], err_msg=name)
        np.testing.assert_array_equal(single[name], values[:, 2], err_msg=name)
        np.testing.assert_array_equal(prefix[name], values[: first + 50], err_msg=name)


@settings(deadline=None)
@given(st.floats(min_value=1e-8, max_value=1e9), st.integers(2, 60))
def test_a_constant_has_no_spread_and_no_zscore(price: float, window: int) -> None:
    close = np.full(80, price)
    assert (ind.rolling_mean(close, window=window)[window - 1 :] == price).all()
    assert (ind.rolling_std(close, window=window)[window - 1 :] == 0.0).all()
    assert np.isnan(ind.zscore(close, window=window)).all()
    assert np.isnan(ind.bollinger_bands(close, window=window).position).all()
    assert (ind.realized_volatility(close, window=window)[window:] == 0.0).all()
    assert (ind.rsi(close, window=window)[window:] == 50.0).all()


def test_rsi_is_100_on_a_rise_and_0_on_a_fall() -> None:
    rise = np.arange(1.0, 40.0)
    assert (ind.rsi(rise, window=14)[14:] == 100.0).all()
    assert (ind.rsi(rise[::-1].copy(), window=14)[14:] == 0.0).all()


def test_a_missing_bar_has_no_value_and_no_window_is_shorter_than_asked() -> None:
    close = random_closes(3)[:, 0]
    close[100] = np.nan
    strict, loose = ind.rolling_mean(close, window=10), ind.rolling_mean(close, window=10, minimum=9)
    assert np.isnan(strict[:9]).all()
    assert np.isnan(strict[100:110]).all()
    assert np.isfinite(strict[110])
    assert np.isnan(loose[100])
    assert np.isfinite(loose[101:110]).all()


def test_indicators_of_less_than_a_window_are_nan() -> None:
    for name, values in all_indicators(random_closes(4)[: WINDOW - 2]).items():
        if name != "log_returns":
            assert np.isnan(values).all(), name


def test_observed_closes_are_prices_and_missing_where_nothing_was_traded() -> None:
    units = np.array([[10_050_000_000, 3], [10_100_000_000, 3]])
    volume = np.array([[7, 1], [7, 0]])
    candles = Candles(
        start_at=0, interval_ms=1, open=units, high=units, low=units, close=units, volume=volume, quote_volume=units
    )
    np.testing.assert_array_equal(ind.observed_closes(candles), [[100.5, 3e-8], [101.0, np.nan]])
    np.testing.assert_array_equal(ind.observed_turnover(candles), [[100.5, 3e-8], [101.0, np.nan]])
