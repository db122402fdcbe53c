"""What every simulated recording keeps: determinism, grids, bars that hold together, and its doors."""

import hashlib
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bitnerve.adapters.simulated import SYMBOLS, BadMarket, UnknownSymbol, simulate
from bitnerve.domain.market.instrument import instrument_arrays
from bitnerve.domain.timeframe import HOUR_MS, parse_instant

ROOT = Path(__file__).parents[3]
START = parse_instant("2025-01-01", field="start")
COLUMNS = ("open", "high", "low", "close", "volume", "quote_volume")


def market(**options):
    return simulate(**{"seed": 7, "start_at": START, "bar_count": 2_500, "symbol_count": 6} | options)


def assert_same(short, long, symbols):
    """The short recording is the beginning of the long one, for these symbols."""
    left = [short.symbols.index(symbol) for symbol in symbols]
    right = [long.symbols.index(symbol) for symbol in symbols]
    for name in COLUMNS:
        mine, theirs = getattr(short.candles, name), getattr(long.candles, name)
        np.testing.assert_array_equal(mine[:, left], theirs[: short.bar_count, right], name)
    np.testing.assert_array_equal(short.mark[:, left], long.mark[: short.bar_count + 1, right])
    for one, other in zip(left, right, strict=True):
        assert short.instruments[one] == long.instruments[other]
        mine, theirs = (
            [(at, rate) for at, symbol, rate in zip(f.at, f.symbol, f.rate, strict=True) if symbol == column]
            for f, column in ((short.funding, one), (long.funding, other))
        )
        assert mine == theirs[: len(mine)]
        assert len(mine) > 0


@pytest.fixture(scope="module")
def recording():
    return market()


def test_same_seed_gives_same_market(recording):
    assert_same(recording, market(), recording.symbols)
    assert recording.sources == market().sources


def test_other_seed_gives_other_market(recording):
    other = market(seed=8)
    assert not np.array_equal(recording.candles.close, other.candles.close)
    assert recording.sources != other.sources


# A tripwire for whoever changes what a seed yields: raise the version in market.py, and then this.
def test_bytes_are_the_same_on_every_machine(recording):
    digest = hashlib.sha256()
    candles = [getattr(recording.candles, name) for name in COLUMNS]
    for values in (*candles, recording.mark, recording.funding.rate):
        digest.update(np.ascontiguousarray(values, dtype="<i8").tobytes())
    assert digest.hexdigest() == "b0ab326392653583bd518f2d7fc62fcac54f6b8a4d4af2491826ed63d55d3678"


SMALL = """
import hashlib, sys
from bitnerve.adapters.simulated import quotes, simulate
recording = simulate(seed=7, start_at=1735689600000, bar_count=60, symbol_count=3)
seconds = quotes(seed=7, recording=recording, bar=59, symbols=["ETHUSDT"])
candles = recording.candles
digest = hashlib.sha256()
for values in (candles.high, candles.low, candles.close, candles.volume, recording.mark, seconds.bid):
    digest.update(values.astype("<i8").tobytes())
sys.stdout.write(digest.hexdigest())
"""


def test_compiled_and_uncompiled_loops_give_the_same_bytes():
    def run(**extra):
        command, environment = [sys.executable, "-c", SMALL], os.environ | extra
        return subprocess.check_output(command, cwd=ROOT, env=environment)

    assert run() == run(NUMBA_DISABLE_JIT="1", BITNERVE_KERNEL="python")


@pytest.mark.parametrize("bars", [1, 100, 2_016, 2_017])
def test_longer_market_begins_with_the_shorter(recording, bars):
    short = market(bar_count=bars)
    assert_same(short, recording, recording.symbols)


def test_further_symbols_change_nothing(recording):
    assert_same(recording, market(symbol_count=11), recording.symbols)


def test_chosen_symbols_are_those_of_the_whole_market(recording):
    chosen = (SYMBOLS[5], SYMBOLS[2])
    part = market(symbol_count=None, symbols=chosen)
    assert part.symbols == tuple(sorted(chosen))
    assert_same(part, recording, part.symbols)


def test_columns_are_sorted_with_bitcoin_and_ether_first():
    recording = market(bar_count=1, symbol_count=80)
    assert recording.symbols == tuple(sorted(recording.symbols))
    assert recording.symbols[:2] == ("BTCUSDT", "ETHUSDT")


def test_names_are_a_thousand_and_unique():
    assert len(SYMBOLS) >= 1_000
    assert len(set(SYMBOLS)) == len(SYMBOLS)
    assert all(symbol.endswith("USDT") and symbol.isascii() and symbol.isupper() for symbol in SYMBOLS)
    assert all(symbol > "ETHUSDT" for symbol in SYMBOLS[2:])


@pytest.mark.parametrize("hours", [1, 4])
def test_longer_bars_are_made_of_shorter_ones(recording, hours):
    ratio = 12 * hours
    count = recording.bar_count // ratio
    long, short = market(interval_ms=hours * HOUR_MS, bar_count=count).candles, recording.candles
    folded = {name: getattr(short, name)[: count * ratio].reshape(count, ratio, -1) for name in COLUMNS}
    np.testing.assert_array_equal(long.open, folded["open"][:, 0])
    np.testing.assert_array_equal(long.close, folded["close"][:, -1])
    np.testing.assert_array_equal(long.high, folded["high"].max(axis=1))
    np.testing.assert_array_equal(long.low, folded["low"].min(axis=1))
    np.testing.assert_array_equal(long.volume, folded["volume"].sum(axis=1))
    np.testing.assert_array_equal(long.quote_volume, folded["quote_volume"].sum(axis=1))


def test_longer_bars_settle_the_same_funding(recording):
    count = recording.bar_count // 12
    hourly = market(interval_ms=HOUR_MS, bar_count=count).funding
    until = START + count * HOUR_MS
    kept = recording.funding.at <= until
    np.testing.assert_array_equal(hourly.at, recording.funding.at[kept])
    np.testing.assert_array_equal(hourly.rate, recording.funding.rate[kept])


def test_prices_and_volumes_lie_on_their_grids(recording):
    candles = recording.candles
    for column, instrument in enumerate(recording.instruments):
        for name in ("open", "high", "low", "close"):
            assert not (getattr(candles, name)[:, column] % instrument.tick_size).any()
        lot_tick = instrument.tick_size * instrument.lot_numerator // instrument.lot_denominator
        mean = candles.quote_volume[:, column] / (candles.volume[:, column] * lot_tick) * instrument.tick_size
        assert (mean >= candles.low[:, column]).all()
        assert (mean <= candles.high[:, column]).all()


def test_bars_enclose_their_ends_and_trade(recording):
    candles = recording.candles
    assert (candles.high >= np.maximum(candles.open, candles.close)).all()
    assert (candles.low <= np.minimum(candles.open, candles.close)).all()
    assert (candles.low > 0).all()
    assert (candles.volume > 0).all()
    assert (candles.quote_volume > 0).all()
    assert (recording.mark > 0).all()


def test_bars_open_within_a_tick_of_the_last_close(recording):
    ticks = np.array([instrument.tick_size for instrument in recording.instruments])
    gaps = np.abs(recording.candles.open[1:] - recording.candles.close[:-1]) // ticks
    assert gaps.max() == 1
    assert 0.4 < (gaps == 0).mean() < 0.6


def test_mark_stays_near_the_last_close(recording):
    gap = np.log(recording.mark[1:] / recording.candles.close)
    assert np.abs(gap).max() < 0.02
    assert recording.mark.shape == (recording.bar_count + 1, len(recording.instruments))
    assert recording.mark_path is None


def test_majors_settle_every_eight_hours_and_some_alts_every_four():
    recording = market(bar_count=288 * 3, symbol_count=40)
    steps = {}
    for column, symbol in enumerate(recording.symbols):
        at = recording.funding.at[recording.funding.symbol == column]
        assert not (at % (4 * HOUR_MS)).any()
        steps[symbol] = int(np.diff(at)[0]) // HOUR_MS
    assert {steps[symbol] for symbol in SYMBOLS[:8]} == {8}
    assert {steps[symbol] for symbol in SYMBOLS[8:40]} == {4, 8}
    assert recording.funding.at[0] == START
    assert recording.funding.at[-1] == START + 3 * 24 * HOUR_MS
    assert recording.funding.known.all()
    np.testing.assert_array_equal(
        np.lexsort((recording.funding.symbol, recording.funding.at)), np.arange(len(recording.funding.at))
    )


def test_instruments_fit_the_kernels_and_their_tiers_are_continuous():
    instruments = market(bar_count=1, symbol_count=200).instruments
    assert len(instrument_arrays(instruments).table) == 200
    for instrument in instruments:
        for tier, following in zip(instrument.tiers, instrument.tiers[1:], strict=False):
            jump = tier.notional_until * (following.maintenance_rate - tier.maintenance_rate)
            assert following.deduction - tier.deduction == jump // 10**8
            assert following.leverage_max < tier.leverage_max


def test_halts_stop_every_symbol_and_nothing_else():
    plain = market(bar_count=40_000, symbol_count=2)
    halted = market(bar_count=40_000, symbol_count=2, with_halts=True)
    still = halted.candles.volume == 0
    np.testing.assert_array_equal(still[:, 0], still[:, 1])
    assert 1 <= still[:, 0].sum() <= 20
    for bar in np.flatnonzero(still[:, 0]):
        for name in ("open", "high", "low", "close"):
            np.testing.assert_array_equal(getattr(halted.candles, name)[bar], halted.candles.close[bar - 1])
    assert (plain.candles.volume > 0).all()
    assert_same(halted, replace(halted), halted.symbols)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"bar_count": 0}, "bar_count"),
        ({"start_at": START + 1}, "start_at"),
        ({"start_at": 0}, "start_at"),
        ({"interval_ms": 60_000}, "interval_ms"),
        ({"interval_ms": 24 * HOUR_MS}, "interval_ms"),
        ({"symbol_count": 0}, "symbol_count"),
        ({"symbol_count": 10_000}, "symbol_count"),
        ({"symbol_count": None}, "symbol_count, symbols"),
        ({"symbols": ["BTCUSDT"]}, "symbol_count, symbols"),
        ({"symbol_count": None, "symbols": []}, "symbols"),
        ({"symbol_count": None, "symbols": ["BTCUSDT", "BTCUSDT"]}, "symbols"),
    ],
)
def test_what_cannot_be_simulated_is_refused_by_name(options, named):
    with pytest.raises(BadMarket, match=f"^{named}:"):
        market(**options)


def test_unknown_symbol_is_refused():
    with pytest.raises(UnknownSymbol, match=r"^DOGEUSDT:"):
        market(symbol_count=None, symbols=["DOGEUSDT"])
