"""P-09: entry beyond the adaptive bands, exit near the mean, stop at a wider z."""

import numpy as np
import pytest

from bitnerve.domain.decisions.decision import BUY, SELL
from bitnerve.domain.strategies.base import History
from bitnerve.domain.strategies.mean_reversion import MeanReversion, Signals
from bitnerve.domain.units import SCALE
from tests.domain.strategies.sight import Sight

NAN = float("nan")
SHORT = {"window": "48", "calm_window": "96"}


def signals(z, *, threshold=2.0, deviation=0.02):
    z = np.array([z])
    excess = np.abs(z) - threshold
    known = np.where(np.isnan(excess), -1.0, excess)
    widest = np.where(known.max(axis=1) >= 0, known.argmax(axis=1), -1)
    wide = np.full(z.shape, threshold)
    return Signals(z=z, threshold=wide, deviation=np.full(z.shape, deviation), excess=excess, widest=widest)


def decide(z, sight=None, **what):
    return MeanReversion().decide(sight or Sight(), signals(z, **what))


def history(close):
    """A market of prices alone; the close is `[bar, symbol]`."""
    close = np.ascontiguousarray(close)
    names = tuple(f"A{number}USDT" for number in range(close.shape[1]))
    return History(names, -1, 0, 300_000, close, close, close, close, np.full(close.shape, 1e6))


def noise(bars, size=0.02, seed=1):
    return 100 * np.exp(size * np.random.default_rng(seed).standard_normal((bars, 1)))


def strays(last, bars=200):
    """Signals of a restless market whose last close is `last`."""
    close = noise(bars)
    close[-1] = last
    return MeanReversion(SHORT).signals(history(close))


@pytest.mark.parametrize(("z", "side"), [(-2.5, BUY), (2.5, SELL)])
def test_fades_the_stray_and_stops_beyond(z, side):
    decision = decide((NAN, 0.0, z, 0.5))
    (order,) = decision.orders
    assert (order.symbol, order.side, order.leverage) == ("SOLUSDT", side, 2)
    assert order.quantity == 30_000, "0.3 of 10 000 at 100 a coin"
    # At |z| = 4, which is 1.5 deviations of 2 % further out, on the tick nearer to the price.
    assert order.stop_loss == round((100 - side * 3) * SCALE)
    assert decision.confidence == pytest.approx(2.5 / 4)


def test_only_the_widest_is_opened():
    (order,) = decide((2.1, -2.2, 3.0, -2.9)).orders
    assert order.symbol == "SOLUSDT"


@pytest.mark.parametrize("z", [(1.99, -1.99, 0.0, 0.0), (NAN,) * 4])
def test_nothing_opens_inside_the_bands_or_without_a_z(z):
    decision = decide(z)
    assert (decision.action, decision.orders) == ("HOLD", ())


def test_a_stop_never_lies_nearer_than_a_fifth_of_a_percent():
    (order,) = decide((-3.99, 0.0, 0.0, 0.0)).orders
    assert order.stop_loss == round(99.8 * SCALE)
    (order,) = decide((-5.0, 0.0, 0.0, 0.0)).orders
    assert order.stop_loss == round(99.8 * SCALE)


@pytest.mark.parametrize(
    ("lots", "z", "back"),
    [
        (5, -0.26, False), (5, -0.25, True), (5, 0.0, True), (5, 1.9, True),
        (-5, 0.26, False), (-5, 0.25, True), (-5, 0.0, True), (-5, -1.9, True), (5, NAN, False), (-5, NAN, False),
    ],
)  # fmt: skip
def test_leaves_near_the_mean(lots, z, back):
    decision = decide((0.0, z, 0.0, 0.0), Sight(positions={"ETHUSDT": lots}))
    assert (decision.action == "CLOSE") is back
    if back:
        (order,) = decision.orders
        assert (order.symbol, order.side, order.close_position) == ("ETHUSDT", SELL if lots > 0 else BUY, True)


def test_closes_and_opens_in_one_decision():
    decision = decide((0.0, 0.0, 2.5, 0.0), Sight(positions={"ETHUSDT": 5}))
    assert [(order.symbol, order.reduce_only) for order in decision.orders] == [("ETHUSDT", True), ("SOLUSDT", False)]


def test_no_more_positions_than_allowed():
    symbols = tuple(f"A{number}USDT" for number in range(6))
    z = (0.9, 0.9, 0.9, 0.9, 2.5, 0.0)

    def holding(count):
        return Sight(symbols=symbols, positions=dict.fromkeys(symbols[:count], -5))

    assert decide(z, holding(3)).orders
    assert not decide(z, holding(4)).orders


@pytest.mark.parametrize("busy", [{"positions": {"SOLUSDT": -5}}, {"working": {"SOLUSDT"}}])
def test_nothing_is_added_to_what_is_held_or_ordered(busy):
    assert not decide((0.0, 0.0, 2.5, 0.0), Sight(**busy)).orders


def test_z_lies_between_the_bollinger_bands():
    found = strays(100.0)
    close = noise(200)
    close[-1] = 100.0
    window = close[-48:, 0]
    assert found.z[-1, 0] == pytest.approx((100.0 - window.mean()) / window.std(ddof=1), rel=1e-9)
    assert found.deviation[-1, 0] == pytest.approx(window.std(ddof=1) / 100.0, rel=1e-9)
    assert np.isnan(found.z[:47]).all()


@pytest.mark.parametrize("last", [80.0, 125.0])
def test_a_stray_of_the_prices_is_found(last):
    found = strays(last)
    assert abs(found.z[-1, 0]) > found.threshold[-1, 0]
    assert found.widest[-1] == 0
    assert found.excess[-1, 0] == pytest.approx(abs(found.z[-1, 0]) - found.threshold[-1, 0])


def test_the_threshold_rises_with_volatility_and_is_bounded():
    calm, wild = noise(300, 0.01), noise(300, 0.01)
    wild[-48:] = 100 * (wild[-48:] / 100) ** 5
    steady = MeanReversion(SHORT).signals(history(calm)).threshold[-1, 0]
    stormy = MeanReversion(SHORT).signals(history(wild)).threshold[-1, 0]
    assert 1.5 <= steady < 2.5 < stormy <= 4.0
    quiet = noise(300, 0.01)
    quiet[-48:] = 100 * (quiet[-48:] / 100) ** 0.01
    assert MeanReversion(SHORT).signals(history(quiet)).threshold[-1, 0] == 1.5


def test_a_deviation_that_pays_for_no_round_trip_is_no_stray():
    close = noise(200, 0.001)
    close[-1] = close[-48:-1].mean() * 1.004
    found = MeanReversion(SHORT).signals(history(close))
    assert abs(found.z[-1, 0]) > found.threshold[-1, 0]
    assert np.isnan(found.excess[-1, 0])
    assert found.widest[-1] == -1


def test_a_price_that_stands_still_has_no_z():
    found = MeanReversion(SHORT).signals(history(np.full((200, 1), 100.0)))
    assert np.isnan(found.z).all()
    assert (found.widest == -1).all()


def test_without_a_bar_it_waits():
    assert MeanReversion().decide(Sight(bar=0), None).reason == "no bar yet"
