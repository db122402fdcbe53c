"""Quotes agree with the bar they lie in, and need no other."""

from dataclasses import fields

import numpy as np
import pytest

from bitnerve.adapters.simulated import SYMBOLS, Quotes, UnknownBar, quotes, simulate
from bitnerve.domain.timeframe import HOUR_MS, parse_instant

START = parse_instant("2025-01-01", field="start")
NAMES = [field.name for field in fields(Quotes)]


@pytest.fixture(scope="module")
def recording():
    return simulate(seed=11, start_at=START, bar_count=3_000, symbol_count=30)


def of_symbol(seconds, column):
    return {name: getattr(seconds, name)[seconds.symbol == column] for name in NAMES}


def assert_agrees(recording, bar, column, rows):
    candles, tick = recording.candles, recording.instruments[column].tick_size
    begin = recording.bar_at(bar)
    assert len(rows["at"]) == candles.interval_ms // 1_000
    np.testing.assert_array_equal((rows["at"] - begin) // 1_000, np.arange(len(rows["at"])))
    assert rows["at"][0] == begin
    assert rows["last"][0] == candles.open[bar, column]
    assert rows["last"][-1] == candles.close[bar, column]
    assert rows["last"].max() == candles.high[bar, column]
    assert rows["last"].min() == candles.low[bar, column]
    assert rows["traded"].sum() == candles.volume[bar, column]
    assert (rows["traded"] >= 0).all()
    assert (rows["bid"] < rows["ask"]).all()
    assert ((rows["last"] == rows["bid"]) | (rows["last"] == rows["ask"])).all()
    for name in ("bid", "ask", "last"):
        assert not (rows[name] % tick).any()
        assert (rows[name] > 0).all()
    for name in ("bid_size", "ask_size", "mark"):
        assert (rows[name] > 0).all()
    assert rows["mark"][0] == pytest.approx(recording.mark[bar, column], abs=1)
    assert rows["mark"][-1] == pytest.approx(recording.mark[bar + 1, column], abs=1)


def test_quotes_agree_with_many_bars(recording):
    for bar in np.random.default_rng(1).integers(0, recording.bar_count, 40).tolist():
        seconds = quotes(seed=11, recording=recording, bar=bar)
        for column in range(len(recording.instruments)):
            assert_agrees(recording, bar, column, of_symbol(seconds, column))


def test_quotes_agree_with_long_bars():
    hourly = simulate(seed=11, start_at=START, bar_count=60, symbol_count=3, interval_ms=HOUR_MS)
    for bar in range(0, 60, 7):
        seconds = quotes(seed=11, recording=hourly, bar=bar)
        for column in range(3):
            assert_agrees(hourly, bar, column, of_symbol(seconds, column))


def test_quotes_are_in_order_of_time_then_symbol(recording):
    seconds = quotes(seed=11, recording=recording, bar=17)
    np.testing.assert_array_equal(np.lexsort((seconds.symbol, seconds.at)), np.arange(len(seconds.at)))


def test_quotes_depend_on_seed_symbol_and_bar_alone(recording):
    whole = of_symbol(quotes(seed=11, recording=recording, bar=2_000), recording.symbols.index(SYMBOLS[9]))
    smaller = simulate(seed=11, start_at=START, bar_count=2_001, symbols=[SYMBOLS[9]])
    alone = of_symbol(quotes(seed=11, recording=smaller, bar=2_000, symbols=[SYMBOLS[9]]), 0)
    for name in set(NAMES) - {"symbol"}:
        np.testing.assert_array_equal(whole[name], alone[name])
    other = of_symbol(quotes(seed=12, recording=smaller, bar=2_000), 0)
    assert not np.array_equal(alone["last"], other["last"])


def test_halted_bar_has_no_quotes():
    recording = simulate(seed=7, start_at=START, bar_count=40_000, symbol_count=1, with_halts=True)
    bar = int(np.flatnonzero(recording.candles.volume[:, 0] == 0)[0])
    assert len(quotes(seed=7, recording=recording, bar=bar).at) == 0


@pytest.mark.parametrize("options", [{"bar": -1}, {"bar": 3_000}, {"bar": 0, "symbols": ["NONEUSDT"]}])
def test_unknown_bar_or_symbol_is_refused(recording, options):
    with pytest.raises(UnknownBar):
        quotes(seed=11, recording=recording, **options)
