"""Bitcoin is the signal and never the trade; what opens, what closes, and how the profiles differ."""

import numpy as np
import pytest

from bitnerve.domain.decisions.decision import BUY, SELL, CancelRequest
from bitnerve.domain.market.instrument import bitcoin_column, is_bitcoin
from bitnerve.domain.signals.regime import UNKNOWN, Regime
from bitnerve.domain.strategies.amplification import Amplification, Signals
from bitnerve.domain.units import SCALE
from tests.domain.strategies.sight import Sight

NAN = float("nan")


def signals(momentum=80.0, *, before=80.0, regime=Regime.BULL, score=(NAN, 3.0, 2.0, 1.0)):
    return Signals(
        momentum=np.array([momentum]),
        momentum_before=np.array([before]),
        regime=np.array([regime], dtype=np.int8),
        score=np.array([score]),
        beta_up=np.array([score]),
    )


def decide(sight=None, profile="moderate", parameters=None, **what):
    strategy = Amplification(parameters or Amplification.profiles[profile])
    return strategy.decide(sight or Sight(), signals(**what))


def bought(decision):
    assert all(order.side == BUY for order in decision.orders)
    return [order.symbol for order in decision.orders]


@pytest.mark.parametrize("profile", Amplification.profiles)
def test_never_bitcoin_even_if_it_ranks_first(profile):
    """M-01"""
    sight = Sight(symbols=("BTCPERP", "BTCUSDC", "BTCUSDT", "SOLUSDT"))
    assert bought(decide(sight, profile, score=(9.0, 9.0, 9.0, 1.0))) == ["SOLUSDT"]


def test_bitcoin_is_not_in_its_universe():
    """M-01: the governor gets this list, and refuses and records an attempt."""
    assert Amplification().universe(("BTCUSDT", "BTCUSDC", "ETHUSDT")) == {"ETHUSDT"}


@pytest.mark.parametrize(
    ("symbol", "answer"),
    [
        *((name, True) for name in ("BTCUSDT", "BTCUSDC", "BTC", "BTC/USDT:USDT", "BTC-PERP", "BTCINR", "XBTUSD")),
        *((name, False) for name in ("BTCDOMUSDT", "BTCSTUSDT", "WBTCUSDT", "BTCBUSDT", "ETHBTC", "ETHUSDT", "")),
    ],
)
def test_bitcoin_is_known_by_its_whole_name(symbol, answer):
    assert is_bitcoin(symbol) is answer


def test_the_signal_is_bitcoin_and_not_what_sorts_before_it():
    assert bitcoin_column(("ADAUSDT", "BTCDOMUSDT", "BTCUSDT")) == 2
    assert bitcoin_column(("ADAUSDT", "BTCDOMUSDT")) == -1


def test_enters_the_top_amplifiers_best_first():
    """M-05"""
    decision = decide(score=(NAN, 1.0, 3.0, 2.0))
    assert decision.action == "BUY"
    assert bought(decision) == ["SOLUSDT", "XRPUSDT", "ETHUSDT"]
    assert decision.confidence == 0.8
    assert decision.reason == "momentum 80, BULL: SOLUSDT, XRPUSDT, ETHUSDT"


@pytest.mark.parametrize(
    ("momentum", "enters"), [(69.99, False), (70.0, True), (70.01, True), (100.0, True), (NAN, False)]
)
def test_enters_only_from_the_threshold_on(momentum, enters):
    """M-05"""
    decision = decide(momentum=momentum, before=momentum)
    assert bool(decision.orders) is enters
    if not enters:
        assert decision.action == "HOLD"


@pytest.mark.parametrize(
    ("profile", "regime", "share"),
    [
        ("moderate", Regime.BULL, 0.25),
        ("moderate", Regime.TRANSITION, 0.25),
        ("moderate", Regime.OVERHEATED, 0.125),
        ("moderate", Regime.BEAR, 0),
        ("moderate", UNKNOWN, 0),
        ("conservative", Regime.BULL, 0.2),
        ("conservative", Regime.OVERHEATED, 0),
        ("conservative", Regime.BEAR, 0),
        ("aggressive", Regime.BULL, 0.75),
        ("aggressive", Regime.OVERHEATED, 0.75),
        ("aggressive", Regime.BEAR, 0),
    ],
)
def test_the_regime_decides_how_much(profile, regime, share):
    """M-05, M-07"""
    decision = decide(profile=profile, regime=regime)
    # 10 000 × share at 100 a coin, 1000 lots a coin.
    assert {order.quantity for order in decision.orders} == ({round(share * 100_000)} if share else set())
    if not share:
        assert "allows no entry" in decision.reason


@pytest.mark.parametrize(
    ("profile", "top", "leverage", "trailing", "threshold"),
    [("conservative", 2, 1, "0.02", 75), ("moderate", 3, 2, "0.03", 70), ("aggressive", 4, 5, "0.05", 65)],
)
def test_profiles_differ_as_documented(profile, top, leverage, trailing, threshold):
    sight = Sight(symbols=("BTCUSDT", *(f"A{number}USDT" for number in range(6))))
    scores = (NAN, *(float(number) for number in range(6, 0, -1)))
    decision = decide(sight, profile, momentum=float(threshold), before=float(threshold), score=scores)
    assert bought(decision) == [f"A{number}USDT" for number in range(top)]
    assert {order.leverage for order in decision.orders} == {leverage}
    assert {order.trailing_rate for order in decision.orders} == {round(float(trailing) * SCALE)}
    assert not decide(sight, profile, momentum=threshold - 0.01, before=threshold - 0.01, score=scores).orders


def test_fills_only_the_free_places_and_buys_nothing_twice():
    """M-05"""
    held = Sight(positions={"ETHUSDT": 5})
    assert bought(decide(held)) == ["SOLUSDT", "XRPUSDT"]
    assert bought(decide(Sight(positions={"ETHUSDT": 5}, working={"SOLUSDT"}))) == ["XRPUSDT"]
    full = decide(Sight(positions={"ETHUSDT": 5, "SOLUSDT": 5}, working={"XRPUSDT"}))
    assert (full.orders, full.reason) == ((), "all places are taken")


def test_whoever_is_not_eligible_is_not_bought():
    """M-05: the scan gives no score to the illiquid, the stale and the unexplained."""
    assert bought(decide(score=(NAN, NAN, 2.0, NAN))) == ["SOLUSDT"]
    nobody = decide(score=(NAN,) * 4)
    assert (nobody.orders, nobody.reason) == ((), "no amplifier is liquid enough and free")


@pytest.mark.parametrize(("momentum", "leaves"), [(50.0, False), (49.99, True), (0.0, True), (NAN, True)])
def test_leaves_everything_below_the_exit_level(momentum, leaves):
    """M-06: all of it at once; an unknown momentum is no reason to stay."""
    sight = Sight(positions={"ETHUSDT": 7, "SOLUSDT": 9, "XRPUSDT": 1})
    decision = decide(sight, momentum=momentum, before=momentum)
    assert decision.action == ("EXIT_ALL" if leaves else "HOLD")
    if leaves:
        assert [order.symbol for order in decision.orders] == ["ETHUSDT", "SOLUSDT", "XRPUSDT"]
        assert all(order.side == SELL and order.close_position for order in decision.orders)


@pytest.mark.parametrize(("before", "leaves"), [(99.99, False), (100.0, True), (NAN, False)])
def test_leaves_everything_on_a_fall_within_the_window(before, leaves):
    """M-06: 25 points, though the score is still high."""
    decision = decide(Sight(positions={"ETHUSDT": 7}), momentum=75.0, before=before)
    assert (decision.action == "EXIT_ALL") is leaves
    if leaves:
        assert decision.reason == "momentum fell from 100 to 75"
    # While it falls nothing is bought either.
    assert bool(decide(momentum=75.0, before=before).orders) is not leaves


def test_an_exit_cancels_entries_that_are_still_at_work():
    """M-06: or they would open again behind the exit."""
    decision = decide(Sight(positions={"ETHUSDT": 7}, working={"ETHUSDT", "SOLUSDT"}), momentum=10.0, before=10.0)
    assert decision.orders[:2] == (CancelRequest("ETHUSDT"), CancelRequest("SOLUSDT"))
    assert [order.symbol for order in decision.orders[2:]] == ["ETHUSDT"]


def test_an_unknown_momentum_holds_without_positions():
    decision = decide(momentum=NAN, before=NAN)
    assert (decision.action, decision.orders, decision.confidence) == ("HOLD", (), None)


def test_without_bitcoin_or_a_bar_it_waits():
    assert Amplification().decide(Sight(), None).reason == "no Bitcoin to take the signal from"
    assert Amplification().decide(Sight(bar=0), signals()).reason == "no bar yet"


def test_a_share_below_a_lot_is_not_ordered():
    assert decide(Sight(equity=0)).orders == ()
