"""Are the four regimes reached, held and left by their thresholds, and does the chunk not matter?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from bitnerve.domain.signals.momentum import Momentum, MomentumRules, momentum
from bitnerve.domain.signals.regime import RULES, UNKNOWN, Regime, RegimeRules, regimes
from tests.domain.signals.recorded import bar_number, wide_candles
from tests.domain.signals.test_momentum import SMALL, random_market

SMALL_REGIME = RegimeRules(
    level_window=4,
    trend_window=48,
    agitation_window=12,
    dwell=5,
    restart=24,
    lookback=72,
    momentum=SMALL,
)
DIRECT = RegimeRules(
    level_window=1,
    trend_window=10,
    agitation_window=2,
    dwell=3,
    restart=1000,
    lookback=0,
    momentum=MomentumRules(
        return_windows=(1,),
        return_weights=(1.0,),
        trend_windows=(1,),
        breadth_window=1,
        volume_window=1,
        volatility_window=1,
    ),
)
"""A machine that starts at bar 1000 of the epoch and reads the score as it is."""


def labels_of(scores: list[float], *, rises: bool) -> list[int]:
    """Return the labels that these scores give on a price that rises or falls for ever."""
    quiet = [50.0] * 20
    score = np.array([*quiet, *scores])
    step = 1.0 if rises else -1.0
    close = 1000.0 + step * np.arange(score.size) + np.tile([0.0, 3.0], score.size)[: score.size]
    unknown = np.full(score.size, np.nan)
    reading = Momentum(score, unknown[:, None], unknown, unknown, unknown, unknown)
    result = regimes(close=close, momentum=reading, first_bar=980, rules=DIRECT)
    assert (result.label[:20] == UNKNOWN).all()
    return result.label[20:].tolist()


def test_bull_is_entered_high_and_left_low() -> None:
    labels = labels_of([59, 60, 59, 58, 53, 52, 51.9, 59, 59, 59, 60], rises=True)
    transition, bull = int(Regime.TRANSITION), int(Regime.BULL)
    assert labels == [transition] + [bull] * 5 + [transition] * 4 + [bull]


def test_bear_is_entered_low_and_left_high() -> None:
    labels = labels_of([41, 40, 47, 48, 48, 48.1, 45, 45, 45, 40], rises=False)
    transition, bear = int(Regime.TRANSITION), int(Regime.BEAR)
    assert labels == [transition] + [bear] * 4 + [transition] * 4 + [bear]


def test_a_state_lasts_its_dwell() -> None:
    labels = labels_of([60, 10, 10, 10, 10], rises=True)
    assert labels == [int(Regime.BULL)] * 3 + [int(Regime.TRANSITION)] * 2


def test_a_bar_without_score_keeps_the_label_before_it() -> None:
    labels = labels_of([60, 60, 60, 60, np.nan, np.nan, 55], rises=True)
    assert labels == [int(Regime.BULL)] * 7


def test_funding_overheats_a_bull_market_and_cooling_returns_it_to_bull() -> None:
    bars = 60
    close = 1000.0 + np.arange(bars) + np.tile([0.0, 3.0], bars // 2)
    unknown = np.full(bars, np.nan)
    score = np.full(bars, 72.0)
    funding = np.full(bars, 0.0001)
    funding[40:50] = 0.0004
    calm = RegimeRules(
        **{name: getattr(DIRECT, name) for name in ("level_window", "trend_window", "dwell", "momentum")},
        agitation_window=10,
        restart=20,
        lookback=0,
        stretch_enter=99.0,
        stretch_leave=99.0,
        agitation_enter=99.0,
        agitation_leave=99.0,
    )
    reading = Momentum(score, unknown[:, None], unknown, unknown, unknown, unknown)
    label = regimes(close=close, momentum=reading, first_bar=0, funding=funding, rules=calm).label
    assert (label[20:40] == Regime.BULL).all()
    assert (label[40:50] == Regime.OVERHEATED).all()
    assert (label[50:] == Regime.BULL).all()


def small_regimes(market: dict[str, np.ndarray], first: int, until: int, first_bar: int) -> np.ndarray:
    chunk = {name: values[first:until] for name, values in market.items()}
    reading = momentum(**chunk, rules=SMALL)
    return regimes(close=chunk["close"], momentum=reading, first_bar=first_bar + first, rules=SMALL_REGIME).label


@pytest.mark.parametrize("missing", [0.0, 0.02])
def test_labels_are_the_same_in_every_chunk_and_the_newest_needs_no_more_than_it_says(missing: float) -> None:
    market = random_market(7, 1200, missing=missing)
    whole = small_regimes(market, 0, 1200, 5001)
    assert set(whole.tolist()) == {UNKNOWN, 0, 1, 2, 3}
    for first in (1, 17, 300, 641):
        chunk = small_regimes(market, first, 1200, 5001)
        known = chunk != UNKNOWN
        assert (chunk[known] == whole[first:][known]).all()
        assert known[SMALL_REGIME.bars_needed - 1 :].all()
    for until in range(1100, 1200, 9):
        newest = small_regimes(market, until - SMALL_REGIME.bars_needed, until, 5001)[-1]
        assert newest == whole[until - 1] != UNKNOWN


def test_regimes_do_not_look_ahead() -> None:
    market = random_market(8, 600)
    whole = small_regimes(market, 0, 600, 0)
    assert (small_regimes(market, 0, 400, 0) == whole[:400]).all()


@pytest.mark.recordings
def test_recorded_markets_know_all_four_regimes_and_stay_in_them() -> None:
    close, turnover = wide_candles("binance_spot_5m")
    bitcoin = close["BTCUSDT"].to_numpy()
    alts = close.drop(columns="BTCUSDT").to_numpy()
    reading = momentum(close=bitcoin, turnover=turnover["BTCUSDT"].to_numpy(), alt_close=alts)
    first_bar = bar_number(close, interval_seconds=300)
    label = regimes(close=bitcoin, momentum=reading, first_bar=first_bar).label
    known = label[label != UNKNOWN]
    assert known.size >= label.size - RULES.bars_needed
    shares = pd.Series(known).value_counts(normalize=True)
    assert shares[Regime.BEAR] > 0.1
    assert shares[Regime.TRANSITION] > 0.1
    assert shares[Regime.BULL] > 0.1
    assert 0.01 < shares[Regime.OVERHEATED] < 0.2
    changes = np.flatnonzero(np.diff(known))
    assert changes.size < known.size / 50
    # Machines of different days agree where they meet, so no state is cut short at midnight either.
    assert np.diff(changes).min() >= RULES.dwell
    longer = RegimeRules(lookback=4 * RULES.lookback)
    reference = regimes(close=bitcoin, momentum=reading, first_bar=first_bar, rules=longer).label
    both = (reference != UNKNOWN) & (label != UNKNOWN)
    assert (reference[both] == label[both]).all()
    day = np.full(label.size, np.nan)
    day[288:] = np.log(bitcoin[288:] / bitcoin[:-288])
    means = [np.nanmean(day[label == state]) for state in Regime]
    assert means == sorted(means)
