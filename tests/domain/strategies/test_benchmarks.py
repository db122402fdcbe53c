"""What everybody is compared with: no skill at all."""

from collections import Counter

import pytest

from bitnerve.domain.decisions.decision import BUY, SELL
from bitnerve.domain.strategies.benchmarks import BuyAndHold, Cash, EqualWeight, RandomTrader
from bitnerve.domain.units import SCALE
from tests.domain.strategies.sight import Sight

OFTEN = {"open_rate": "1", "close_rate": "0.5"}


def test_buy_and_hold_buys_bitcoin_once():
    sight = Sight(symbols=("BTCDOMUSDT", "BTCUSDT", "ETHUSDT"))
    (order,) = BuyAndHold().decide(sight, None).orders
    assert (order.symbol, order.side, order.quantity, order.leverage) == ("BTCUSDT", BUY, 97_000, 0)
    sight.working = {"BTCUSDT"}
    assert BuyAndHold().decide(sight, None).action == "HOLD"
    sight.working, sight.positions = set(), {"BTCUSDT": 97_000}
    assert BuyAndHold().decide(sight, None).action == "HOLD"


def test_buy_and_hold_waits_for_a_price_and_for_enough_money():
    assert BuyAndHold().decide(Sight(marks={"BTCUSDT": 0}), None).action == "HOLD"
    assert BuyAndHold().decide(Sight(symbols=("ETHUSDT",)), None).reason == "no Bitcoin in this market"
    # The venue's minimum notional is 5; the share is 0.97.
    assert BuyAndHold().decide(Sight(equity=5 * SCALE), None).reason == "too small for the venue's minimum"
    assert BuyAndHold().decide(Sight(equity=6 * SCALE), None).action == "BUY"


def test_equal_weight_splits_everything():
    decision = EqualWeight().decide(Sight(), None)
    assert [order.symbol for order in decision.orders] == list(Sight().symbols)
    assert {order.quantity for order in decision.orders} == {24_250}
    assert decision.reason == "buying 4 of 4 symbols in equal parts"


def test_equal_weight_buys_what_is_listed_later():
    sight = Sight(marks={"XRPUSDT": 0})
    assert [order.symbol for order in EqualWeight().decide(sight, None).orders] == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]
    sight.positions = dict.fromkeys(("BTCUSDT", "ETHUSDT", "SOLUSDT"), 24_250)
    assert EqualWeight().decide(sight, None).reason == "holding"
    sight.marks, sight.equity = {"XRPUSDT": 2}, 20_000 * SCALE
    (order,) = EqualWeight().decide(sight, None).orders
    assert (order.symbol, order.quantity) == ("XRPUSDT", 2_425_000)
    sight.working = {"XRPUSDT"}
    assert EqualWeight().decide(sight, None).action == "HOLD"


def test_cash_never_trades():
    decision = Cash().decide(Sight(), None)
    assert (decision.action, decision.orders) == ("HOLD", ())


def decisions(count=300, parameters=None, **key):
    trader = RandomTrader(parameters)
    return [trader.decide(Sight(at=300_000 * tick, **key), None) for tick in range(count)]


def test_random_decides_the_same_for_the_same_seed_agent_and_tick():
    assert decisions(parameters=OFTEN) == decisions(parameters=OFTEN)
    assert decisions(parameters=OFTEN) == list(reversed([*reversed(decisions(parameters=OFTEN))]))


@pytest.mark.parametrize("other", [{"seed": 8}, {"agent": "bob"}])
def test_random_decides_otherwise_for_another_seed_or_agent(other):
    assert decisions(parameters=OFTEN) != decisions(parameters=OFTEN, **other)


def test_random_tosses_a_fair_coin_over_sides_and_symbols():
    orders = [order for decision in decisions(2_000, OFTEN) for order in decision.orders]
    sides, symbols = Counter(order.side for order in orders), Counter(order.symbol for order in orders)
    assert len(orders) == 2_000
    assert abs(sides[BUY] - 1_000) < 150
    assert abs(sides[SELL] - 1_000) < 150
    assert all(abs(count - 500) < 120 for count in symbols.values())
    assert len(symbols) == 4


def test_random_opens_as_rarely_as_it_says():
    opened = sum(bool(decision.orders) for decision in decisions(10_000))
    assert 60 < opened < 140


def test_random_closes_by_a_toss_and_keeps_within_its_places():
    long = {"ETHUSDT": 5, "SOLUSDT": -5, "XRPUSDT": 5}
    found = decisions(200, {"open_rate": "1", "close_rate": "0.5"}, positions=long)
    closing = [order for decision in found for order in decision.orders]
    assert {(order.symbol, order.side) for order in closing} == {("ETHUSDT", SELL), ("SOLUSDT", BUY), ("XRPUSDT", SELL)}
    assert all(order.close_position for order in closing), "three places are taken, so nothing opens"
    assert all(decision.action == "HOLD" for decision in decisions(200, {"close_rate": "0"}, positions=long))


def test_random_never_orders_what_it_holds_or_cannot_price():
    only = {"open_rate": "1", "close_rate": "0"}
    found = decisions(200, only, positions={"ETHUSDT": 5}, working={"SOLUSDT"}, marks={"XRPUSDT": 0})
    assert {order.symbol for decision in found for order in decision.orders} == {"BTCUSDT"}
