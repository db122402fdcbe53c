"""Nobody is paid for foresight: what is known before a bar opens says nothing about its return."""

import numpy as np
import pytest

from bitnerve.adapters.simulated import quotes, simulate
from bitnerve.domain.timeframe import HOUR_MS, parse_instant

SEEDS = tuple(range(20, 32))
START = parse_instant("2025-01-01", field="start")
DAYS, SYMBOL_COUNT = 90, 10


def past(closes, bars):
    """The log return of the bars that end with the last close before each bar."""
    logs = np.log(closes)
    returns = np.zeros_like(logs)
    returns[bars:] = logs[bars:] - logs[:-bars]
    return returns[:-1]


def rules(recording):
    """Positions at the open of each bar but the first, [bar, symbol], by name: long 1, short -1, out 0."""
    closes = recording.candles.close.astype(float)
    market_day = past(closes, 288)[:, :1]
    day = past(closes, 288)
    spread = day - market_day
    opens_at = recording.bar_at(1) + np.arange(recording.bar_count - 1) * recording.candles.interval_ms
    hour = (opens_at // HOUR_MS % 24)[:, None]
    volume = np.log(recording.candles.quote_volume[:-1])
    busy = volume - np.median(volume, axis=0)
    ones = np.ones_like(day)
    return {
        "hold": ones,
        "follow the last bar": np.sign(past(closes, 1)),
        "follow the last hour": np.sign(past(closes, 12)),
        "follow the last day": np.sign(day),
        "follow large days only": np.where(np.abs(day) > 0.04, np.sign(day), 0.0),
        "follow Bitcoin's last bar": np.sign(past(closes, 1)[:, :1]) * ones,
        "follow Bitcoin's last hour": np.sign(past(closes, 12)[:, :1]) * ones,
        "hold in Bitcoin's rallies": (market_day > 0.03) * ones,
        "hold in Bitcoin's falls": (market_day < -0.03) * ones,
        "buy what fell behind Bitcoin": -np.sign(spread),
        "buy after busy bars": (busy > 1.0) * ones,
        "buy the American opening": (hour == 14) * ones,
        "buy at night": ((hour >= 3) & (hour < 8)) * ones,
        "buy when mark is above last": np.sign(recording.mark[1:-1] - recording.candles.close[:-1]),
    }


@pytest.fixture(scope="module")
def scores():
    """The t statistic of every rule's gross gain in every seed's market, [seed, rule]."""
    rows = []
    for seed in SEEDS:
        recording = simulate(seed=seed, start_at=START, bar_count=DAYS * 288, symbol_count=SYMBOL_COUNT)
        closes = recording.candles.close.astype(float)
        gains = closes[1:] / closes[:-1] - 1.0
        # One series per market, because its symbols move together; each symbol counts alike.
        gains /= gains.std(axis=0)
        chosen = rules(recording)
        series = {name: (position * gains).sum(axis=1) for name, position in chosen.items()}
        rows.append({name: gain.sum() / np.sqrt((gain**2).sum()) for name, gain in series.items()})
    return rows


def test_no_rule_gains_or_loses_over_many_markets(scores):
    for name in scores[0]:
        together = sum(row[name] for row in scores) / np.sqrt(len(scores))
        assert abs(together) < 3.5, f"{name}: t {together:.2f} over {len(scores)} markets"


def test_gains_scatter_as_luck_does(scores):
    values = np.array([list(row.values()) for row in scores])
    assert np.abs(values).max() < 4.5
    assert 0.7 < np.sqrt((values**2).mean()) < 1.3


def test_volatility_and_beta_are_predictable_but_not_the_sign():
    recording = simulate(seed=33, start_at=START, bar_count=DAYS * 288, symbol_count=2)
    returns = np.diff(np.log(recording.candles.close[:, 1]))
    sizes, signs = np.abs(returns), np.sign(returns)
    assert np.corrcoef(sizes[1:], sizes[:-1])[0, 1] > 0.2
    assert abs(np.corrcoef(signs[1:], signs[:-1])[0, 1]) < 0.02


def test_inside_a_bar_rules_gain_less_than_a_tenth_of_a_maker_fee():
    # The seconds are fitted to a bar that is already there, so they are not a martingale to the last digit.
    recording = simulate(seed=34, start_at=START, bar_count=288 * 8, symbol_count=1)
    fee_bps = recording.instruments[0].maker_fee_rate / 1e4
    paths = [quotes(seed=34, recording=recording, bar=bar).last for bar in range(recording.bar_count)]
    logs = np.log(np.array(paths, dtype=float))
    highest, lowest = np.maximum.accumulate(logs, axis=1), np.minimum.accumulate(logs, axis=1)
    middle = (highest + lowest) / 2
    for step in (5, 30, 60):
        gains = (logs[:, 2 * step :: step] - logs[:, step:-step:step]) * 1e4
        before = logs[:, step:-step:step] - logs[:, : -2 * step : step]
        place = (logs - middle)[:, step:-step:step]
        for position in (np.sign(before), np.sign(place)):
            assert abs((position * gains).mean()) < 0.1 * fee_bps
