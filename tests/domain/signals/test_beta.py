"""Does the scan say what pandas says, rank what it promises to rank, and give the same bits bar by bar?"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bitnerve.domain.signals.beta import BarOutOfOrder, BetaScan, Scan, ScanRules, scan_bars
from tests.domain.signals.recorded import bar_number, wide_candles

RULES = ScanRules(windows=(6, 12, 24, 60), block=24, turnover_window=24, bitcoin_move=0.01)
FLOATS = ("beta", "beta_up", "beta_down", "amplification", "r_squared", "turnover", "score")
BITCOIN = 2


def random_market(
    seed: int, bars: int = 260, symbols: int = 6, *, missing: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Return (close, turnover) of alts that follow column `BITCOIN` with betas of their own."""
    generator = np.random.default_rng(seed)
    signal = generator.standard_t(4, bars) * 0.003
    signal[generator.random(bars) < 0.02] = 0.0
    moves = np.outer(signal, generator.uniform(0.5, 2.5, symbols))
    moves += generator.standard_normal((bars, symbols)) * 0.003
    moves[:, BITCOIN] = signal
    close = 50.0 * np.exp(np.cumsum(moves, axis=0))
    turnover = generator.lognormal(12.0, 1.0, close.shape)
    gone = generator.random(close.shape) < missing
    return np.where(gone, np.nan, close), np.where(gone, np.nan, turnover)


def assert_same_bits(actual: Scan, expected: Scan) -> None:
    for name, values in expected._asdict().items():
        np.testing.assert_array_equal(getattr(actual, name), values, err_msg=name)


def expected_slope(x: pd.DataFrame, y: pd.DataFrame, window: int, chosen: pd.DataFrame) -> pd.DataFrame:
    x, y = x.where(chosen), y.where(chosen)
    rolling = x.rolling(window, min_periods=2)
    return rolling.cov(y) / rolling.var()


@pytest.mark.parametrize("missing", [0.0, 0.15])
def test_scan_equals_pandas(missing: float) -> None:
    close, turnover = random_market(1, missing=missing)
    scan = scan_bars(close=close, turnover=turnover, bitcoin=BITCOIN, first_bar=1000, rules=RULES)
    frame = pd.DataFrame(close)
    y = np.log(frame / frame.shift())
    x = pd.DataFrame(dict.fromkeys(y, y[BITCOIN]))
    pair = x.notna() & y.notna()
    x, y = x.where(pair), y.where(pair)
    change = {window: frame / frame.shift(window) - 1.0 for window in RULES.windows}
    for w, window in enumerate(RULES.windows):
        move = change[window][BITCOIN]
        expected = {
            "beta": expected_slope(x, y, window, pair),
            "beta_up": expected_slope(x, y, window, x > 0),
            "beta_down": expected_slope(x, y, window, x < 0),
            "r_squared": x.rolling(window, min_periods=2).corr(y) ** 2,
            "samples": pair.astype(float).rolling(window).sum(),
            "turnover": pd.DataFrame(turnover).fillna(0.0).rolling(window).sum() / window,
            "amplification": change[window].div(move.where(move.abs() >= RULES.bitcoin_move), axis=0),
        }
        warm = 1008 - 1000 + window  # bar 1008 starts the first whole block
        for name, values in expected.items():
            actual = getattr(scan, name)[:, w]
            np.testing.assert_allclose(actual[warm:], values[warm:], rtol=1e-9, atol=1e-12, err_msg=name)
            if name != "samples":
                assert np.isnan(actual[:warm]).all(), name


def test_a_calm_hour_stays_exact_in_a_day_that_was_thirty_times_wilder() -> None:
    close, turnover = random_market(2, 400, 4)
    moves = np.diff(np.log(close), axis=0, prepend=np.log(close[:1]))
    moves[100:150] *= 30.0
    close = np.exp(np.cumsum(moves, axis=0))
    scan = scan_bars(close=close, turnover=turnover, bitcoin=BITCOIN, first_bar=0, rules=RULES)
    for bar in (152, 160, 165, 190, 399):
        for w, window in enumerate(RULES.windows):
            returns = np.diff(np.log(close[bar - window : bar + 1]), axis=0)
            covariance = np.cov(returns.T)
            np.testing.assert_allclose(scan.beta[bar, w], covariance[BITCOIN] / covariance[BITCOIN, BITCOIN], rtol=1e-9)


@settings(deadline=None, max_examples=25)
@given(
    seed=st.integers(0, 10**6),
    first_bar=st.integers(0, 10**7),
    cuts=st.lists(st.integers(1, 259), max_size=4),
    missing=st.sampled_from([0.0, 0.1]),
)
def test_scan_has_the_same_bits_however_the_bars_arrive(
    seed: int, first_bar: int, cuts: list[int], missing: float
) -> None:
    close, turnover = random_market(seed, missing=missing)
    batch = scan_bars(close=close, turnover=turnover, bitcoin=BITCOIN, first_bar=first_bar, rules=RULES)
    scan = BetaScan(symbols=close.shape[1], bitcoin=BITCOIN, rules=RULES)
    for start, until in zip([0, *sorted(cuts)], [*sorted(cuts), close.shape[0]], strict=True):
        part = scan.extend(
            first_bar=first_bar + start,
            close=close[start:until],
            turnover=turnover[start:until],
            keep=until - start,
        )
        assert_same_bits(part, Scan(*(values[start:until] for values in batch)))


def test_pushing_bars_one_by_one_has_the_bits_of_the_batch() -> None:
    close, turnover = random_market(3, missing=0.05)
    batch = scan_bars(close=close, turnover=turnover, bitcoin=BITCOIN, first_bar=77, rules=RULES)
    scan = BetaScan(symbols=close.shape[1], bitcoin=BITCOIN, rules=RULES)
    for bar in range(close.shape[0]):
        newest = scan.push(bar=77 + bar, close=close[bar], turnover=turnover[bar])
        assert_same_bits(newest, Scan(*(values[bar] for values in batch)))


@pytest.mark.parametrize("first", [1, 23, 60, 101])
def test_scan_has_the_same_bits_wherever_it_begins(first: int) -> None:
    close, turnover = random_market(4, missing=0.05)
    whole = scan_bars(close=close, turnover=turnover, bitcoin=BITCOIN, first_bar=500, rules=RULES)
    chunk = scan_bars(
        close=close[first:], turnover=turnover[first:], bitcoin=BITCOIN, first_bar=500 + first, rules=RULES
    )
    warm = RULES.bars_needed - 1
    assert_same_bits(Scan(*(values[warm:] for values in chunk)), Scan(*(values[first + warm :] for values in whole)))
    assert np.isfinite(chunk.turnover[warm:]).all()


def test_scan_has_the_same_bits_whatever_symbols_stand_beside() -> None:
    close, turnover = random_market(5, missing=0.05)
    whole = scan_bars(close=close, turnover=turnover, bitcoin=BITCOIN, first_bar=0, rules=RULES)
    columns = [5, BITCOIN, 0]
    some = scan_bars(close=close[:, columns], turnover=turnover[:, columns], bitcoin=1, first_bar=0, rules=RULES)
    for name in FLOATS:
        np.testing.assert_array_equal(getattr(some, name), getattr(whole, name)[..., columns], err_msg=name)


def test_scan_does_not_look_ahead() -> None:
    close, turnover = random_market(6)
    whole = scan_bars(close=close, turnover=turnover, bitcoin=BITCOIN, first_bar=0, rules=RULES)
    close[200:] *= 1.7
    turnover[200:] *= 9.0
    changed = scan_bars(close=close, turnover=turnover, bitcoin=BITCOIN, first_bar=0, rules=RULES)
    assert_same_bits(Scan(*(v[:200] for v in changed)), Scan(*(v[:200] for v in whole)))


def test_bitcoin_is_never_ranked_and_ranks_are_the_order_of_scores() -> None:
    close, turnover = random_market(7, symbols=40)
    scan = scan_bars(close=close, turnover=turnover, bitcoin=BITCOIN, first_bar=0, rules=RULES)
    warm = RULES.bars_needed
    np.testing.assert_allclose(scan.beta[warm:, :, BITCOIN], 1.0, rtol=1e-9)
    np.testing.assert_allclose(scan.r_squared[warm:, :, BITCOIN], 1.0, rtol=1e-9)
    assert (scan.rank[..., BITCOIN] == 0).all()
    ranked = scan.rank > 0
    np.testing.assert_array_equal(ranked, np.isfinite(scan.score))
    np.testing.assert_array_equal(scan.score[ranked], (scan.beta * scan.r_squared)[ranked])
    for row in range(warm, close.shape[0]):
        for w in range(len(RULES.windows)):
            eligible = np.flatnonzero(ranked[row, w])
            order = eligible[np.argsort(-scan.score[row, w, eligible], kind="stable")]
            assert scan.rank[row, w, order].tolist() == list(range(1, order.size + 1))
    assert ranked[warm:].mean() > 0.5


def test_equal_scores_rank_by_column() -> None:
    close, turnover = random_market(8, symbols=3)
    twins = np.column_stack([close[:, 0], close[:, 0], close[:, BITCOIN], close[:, 0]])
    turnover = np.repeat(turnover[:, :1], 4, axis=1)
    scan = scan_bars(close=twins, turnover=turnover, bitcoin=BITCOIN, first_bar=0, rules=RULES)
    assert scan.rank[-1, -1].tolist() == [1, 2, 0, 3]


def test_thin_and_stale_and_young_alts_are_not_ranked() -> None:
    close, turnover = random_market(9, symbols=6)
    turnover[:, 0] = 1.0
    close[-RULES.stale_bars :, 1] = turnover[-RULES.stale_bars :, 1] = np.nan
    close[:-10, 3] = turnover[:-10, 3] = np.nan
    turnover[:, 3] *= 1e6
    close[:, 4] = np.random.default_rng(0).lognormal(0, 0.001, close.shape[0])
    scan = scan_bars(close=close, turnover=turnover, bitcoin=BITCOIN, first_bar=0, rules=RULES)
    last = scan.rank[-1, 2]
    assert (last[[0, 1, 2, 3, 4]] == 0).all()
    assert last[5] == 1
    assert scan.turnover[-1, 2, 0] == pytest.approx(1.0)
    assert scan.samples[-1, 2, 3] == 9
    assert scan.r_squared[-1, 2, 4] < 0.5
    traded_again = scan_bars(
        close=close[: 1 - RULES.stale_bars],
        turnover=turnover[: 1 - RULES.stale_bars],
        bitcoin=BITCOIN,
        first_bar=0,
        rules=RULES,
    )
    assert traded_again.rank[-1, 2, 1] > 0


def test_amplification_needs_a_move_of_bitcoin() -> None:
    bars = 200
    close = np.ones((bars, 2))
    close[:, 0] = np.where(np.arange(bars) < 150, 100.0, 102.0)
    close[:, 1] = np.where(np.arange(bars) < 150, 10.0, 11.0)
    scan = scan_bars(close=close, turnover=np.ones((bars, 2)), bitcoin=0, first_bar=0, rules=RULES)
    assert np.isnan(scan.amplification[:150]).all()
    assert scan.amplification[150, 0, 1] == pytest.approx(5.0)
    assert np.isnan(scan.amplification[150 + 6 :, 0]).all()


def test_a_market_that_stands_still_has_no_beta_and_no_infinity() -> None:
    close = np.full((200, 3), 7.0)
    scan = scan_bars(close=close, turnover=np.ones((200, 3)), bitcoin=0, first_bar=0, rules=RULES)
    for name in ("beta", "beta_up", "beta_down", "amplification", "r_squared", "score"):
        assert np.isnan(getattr(scan, name)).all(), name
    assert (scan.rank == 0).all()


def test_a_constant_drift_is_no_variance() -> None:
    close = np.outer(1.001 ** np.arange(200.0), np.ones(3))
    scan = scan_bars(close=close, turnover=np.ones((200, 3)), bitcoin=0, first_bar=0, rules=RULES)
    assert np.isnan(scan.beta).all()
    assert np.isnan(scan.r_squared).all()


def test_pushing_a_bar_twice_is_refused() -> None:
    close, turnover = random_market(10)
    scan = BetaScan(symbols=close.shape[1], bitcoin=BITCOIN, rules=RULES)
    scan.extend(first_bar=10, close=close[:5], turnover=turnover[:5])
    for bar in (14, 16):
        with pytest.raises(BarOutOfOrder):
            scan.push(bar=bar, close=close[5], turnover=turnover[5])


def test_liquidity_must_be_judged_over_one_of_the_windows() -> None:
    with pytest.raises(ValueError, match="turnover_window"):
        BetaScan(symbols=2, bitcoin=0, rules=ScanRules(windows=(12,), turnover_window=288))


@pytest.mark.recordings
def test_recorded_hourly_betas_are_those_of_the_calibration() -> None:
    close, turnover = wide_candles("binance_perp_1h")
    bitcoin = close.columns.get_loc("BTCUSDT")
    year = close.shape[0] - 26
    rules = ScanRules(windows=(24, year), block=24, turnover_window=24, sample_rate=0.9)
    scan = BetaScan(symbols=close.shape[1], bitcoin=bitcoin, rules=rules).extend(
        first_bar=bar_number(close, interval_seconds=3600),
        close=close.to_numpy(),
        turnover=turnover.to_numpy(),
        keep=1,
    )
    betas, fits = np.delete(scan.beta[0, 1], bitcoin), np.delete(scan.r_squared[0, 1], bitcoin)
    assert betas.size == 99
    np.testing.assert_allclose(np.percentile(betas, [10, 50, 90]), [1.20, 1.54, 1.74], atol=0.01)
    np.testing.assert_allclose(np.percentile(fits, [10, 50, 90]), [0.24, 0.39, 0.48], atol=0.01)
    # Alts fall harder than they rise, which is what the calibration says of these months.
    up, down = (np.nanmedian(np.delete(values[0, 1], bitcoin)) for values in (scan.beta_up, scan.beta_down))
    assert up == pytest.approx(1.27, abs=0.02)
    assert down == pytest.approx(1.51, abs=0.02)
    assert scan.rank[0, 1, bitcoin] == 0
    assert (scan.rank[0, 1] > 0).sum() > 90
