"""Does the momentum score reach its ends, stay between them, and never depend on the chunk?"""

from __future__ import annotations

import numpy as np
import pytest

from bitnerve.domain.signals.momentum import RULES, Momentum, MomentumRules, latest_momentum, momentum
from tests.domain.signals.recorded import wide_candles

SMALL = MomentumRules(
    return_windows=(3, 6, 12, 24),
    trend_windows=(6, 12, 24),
    breadth_window=12,
    volume_window=12,
    volatility_window=24,
)


def random_market(seed: int, bars: int, *, missing: float = 0.0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    moves = generator.standard_normal((bars, 9)) * 0.002
    closes = 100.0 * np.exp(np.cumsum(moves + moves[:, :1], axis=0))
    closes[generator.random(closes.shape) < missing] = np.nan
    return {
        "close": closes[:, 0],
        "turnover": np.where(np.isnan(closes[:, 0]), np.nan, generator.lognormal(12, 1, bars)),
        "alt_close": closes[:, 1:],
    }


def trending(path: np.ndarray) -> Momentum:
    turnover = np.linspace(1e6, 2e6, path.size)
    return momentum(close=path, turnover=turnover, alt_close=np.outer(path, np.arange(1.0, 7.0)))


@pytest.mark.parametrize(
    "rise",
    [
        pytest.param(100.0 * 1.001 ** np.arange(1200), id="geometric"),
        pytest.param(1000.0 + np.arange(1200.0), id="linear"),
        pytest.param(np.exp(np.linspace(0.0, 1.0, 1200) ** 1.5), id="accelerating"),
    ],
)
def test_momentum_is_100_on_a_steady_rise_and_0_on_a_steady_fall(rise: np.ndarray) -> None:
    warm = RULES.bars_needed - 1
    up, down = trending(rise), trending(1.0 / rise)
    assert (up.score[warm:] == 100.0).all()
    assert (down.score[warm:] == 0.0).all()
    assert np.isnan(up.score[: warm - RULES.volatility_window // 10]).all()


def test_momentum_of_a_price_that_stands_still_is_50() -> None:
    still = trending(np.full(1000, 100.0))
    assert (still.score[RULES.bars_needed - 1 :] == 50.0).all()


def test_momentum_stays_within_its_scale_and_its_components_within_theirs() -> None:
    reading = momentum(**random_market(1, 3000))
    score = reading.score[RULES.bars_needed :]
    assert ((score >= 0.0) & (score <= 100.0)).all()
    assert score.std() > 5.0
    for component in (reading.returns, reading.trend, reading.breadth, reading.volume):
        known = component[np.isfinite(component)]
        assert known.size
        assert (np.abs(known) <= 1.0).all()


def test_momentum_is_the_weighted_mean_of_its_components() -> None:
    reading = momentum(**random_market(2, 1500))
    parts = np.column_stack([reading.returns, reading.trend, reading.breadth, reading.volume])
    weights = np.array([0.10, 0.15, 0.15, 0.10, 0.25, 0.15, 0.10])
    expected = 50.0 + 50.0 * parts @ weights
    np.testing.assert_allclose(reading.score[1000:], expected[1000:], rtol=1e-12)


@pytest.mark.parametrize("missing", [0.0, 0.02])
def test_latest_momentum_has_the_bits_of_the_batch(missing: float) -> None:
    market = random_market(3, 1400, missing=missing)
    batch = momentum(**market)
    for bars in range(1300, 1400, 7):
        newest = latest_momentum(**{name: values[:bars] for name, values in market.items()})
        for name, values in newest._asdict().items():
            np.testing.assert_array_equal(values[0], getattr(batch, name)[bars - 1], err_msg=name)


def test_momentum_does_not_look_ahead() -> None:
    market = random_market(4, 400)
    batch = momentum(**market, rules=SMALL)
    changed = {name: values.copy() for name, values in market.items()}
    for values in changed.values():
        values[200:] *= 3.0
    np.testing.assert_array_equal(momentum(**changed, rules=SMALL).score[:200], batch.score[:200])


def test_momentum_without_alts_leaves_breadth_out_with_its_weight() -> None:
    market = random_market(5, 400)
    reading = momentum(close=market["close"], turnover=market["turnover"], rules=SMALL)
    assert np.isnan(reading.breadth).all()
    assert np.isfinite(reading.score[SMALL.bars_needed :]).all()
    parts = np.column_stack([reading.returns, reading.trend, reading.volume])[100:]
    weights = np.array([0.10, 0.15, 0.15, 0.10, 0.25, 0.10])
    np.testing.assert_allclose(reading.score[100:], 50.0 + 50.0 * parts @ weights / weights.sum(), rtol=1e-12)


def test_momentum_is_unknown_at_a_missing_bar_only() -> None:
    market = random_market(6, 400)
    market["close"][300] = np.nan
    score = momentum(**market, rules=SMALL).score
    assert np.isnan(score[300])
    assert np.isfinite(score[301:]).all()


@pytest.mark.recordings
def test_momentum_of_recorded_markets_is_centered_and_follows_the_day() -> None:
    close, turnover = wide_candles("binance_spot_5m")
    bitcoin = close["BTCUSDT"].to_numpy()
    alts = close.drop(columns="BTCUSDT").to_numpy()
    score = momentum(close=bitcoin, turnover=turnover["BTCUSDT"].to_numpy(), alt_close=alts).score[1000:]
    known = score[np.isfinite(score)]
    assert known.size > 0.99 * score.size
    assert 40.0 < np.median(known) < 60.0
    assert 10.0 < np.percentile(known, 10) < 35.0
    assert 65.0 < np.percentile(known, 90) < 90.0
    day = np.log(bitcoin[1000:] / bitcoin[712:-288])
    assert np.nanmean(score[day > 0.03]) > 65.0
    assert np.nanmean(score[day < -0.03]) < 35.0
