"""D4, D5, D6: every rule at its boundary and on both sides, and what is said about a trim or a refusal."""

from dataclasses import replace

import pytest

from bitnerve.domain.decisions.decision import BUY, SELL, CancelRequest, close
from bitnerve.domain.risk.limits import Limits
from bitnerve.domain.trading import orders
from bitnerve.domain.units import SCALE
from tests.domain.risk.bench import COIN, PRICE, buy, instrument, only, quantities, review, symbol_state


def states(**changes):
    return {"ETHUSDT": symbol_state(**changes)}


def test_D5_an_order_within_every_limit_passes_as_it_is():
    order = buy(2)
    reviewed = review(order)
    assert reviewed.orders == ((0, order),)
    assert reviewed.rulings == ()


def test_D5_symbol_allowlist():
    """M-01: what a strategy may not trade is refused by rule, and the refusal is recorded."""
    assert review(buy(), limits=Limits(symbols=frozenset({"ETHUSDT"}))).rulings == ()
    refused = review(buy(), limits=Limits(symbols=frozenset({"XRPUSDT", "SOLUSDT"})))
    assert refused.orders == ()
    assert only(refused) == ("REFUSED", "SYMBOL_NOT_ALLOWED", "ETHUSDT", "SOLUSDT XRPUSDT")
    assert only(review(buy(), limits=Limits(symbols=frozenset()))) == ("REFUSED", "SYMBOL_NOT_ALLOWED", "ETHUSDT", "")


@pytest.mark.parametrize("request_", [buy(symbol="NOPE"), CancelRequest("NOPE"), close("NOPE", SELL)])
def test_an_unknown_symbol_is_refused_whatever_is_asked(request_):
    refused = review(request_)
    assert refused.orders == ()
    assert only(refused) == ("REFUSED", "UNKNOWN_SYMBOL", "NOPE", "a symbol of this market")


@pytest.mark.parametrize("missing", [{"last": 0}, {"mark": 0}, {"last": -1}])
def test_D6_without_a_price_no_new_risk(missing):
    assert only(review(buy(), symbols=states(**missing))) == ("REFUSED", "BAD_DATA", "no price", "a price")


def test_D6_stale_data():
    assert review(buy(), symbols=states(bars_silent=1)).rulings == ()
    for silent in (2, 3):
        found = only(review(buy(), symbols=states(bars_silent=silent)))
        assert found == ("REFUSED", "BAD_DATA", f"{silent} bars without a trade", "fewer than 2")


@pytest.mark.parametrize(
    ("last", "jump"), [(150, None), (50, None), (150.00000001, "0.5000000001"), (49.9, "0.501"), (300, "2")]
)
def test_D6_a_jump_beyond_the_limit(last, jump):
    reviewed = review(buy(0.1), symbols=states(last=round(last * SCALE)))
    if jump is None:
        assert reviewed.rulings == ()
    else:
        outcome, rule, asked, allowed = only(reviewed)
        assert (outcome, rule, allowed) == ("REFUSED", "BAD_DATA", "at most 0.5")
        assert float(asked.removeprefix("jump ")) == pytest.approx(float(jump), abs=1e-8)
        assert float(asked.removeprefix("jump ")) > 0.5
    assert review(buy(0.1), symbols=states(last=PRICE, previous=0)).rulings == ()


@pytest.mark.parametrize(
    ("rule", "field", "floor"), [("DAILY_LOSS", "equity_at_midnight", 8_000), ("DRAWDOWN", "equity_peak", 5_000)]
)
def test_D5_losses_end_new_risk(rule, field, floor):
    limits = Limits(daily_loss_max=SCALE // 5 if rule == "DAILY_LOSS" else SCALE)
    assert review(buy(), limits=limits, equity=floor * SCALE + 1).rulings == ()
    for equity in (floor * SCALE, floor * SCALE - 1, 1):
        outcome, named, asked, allowed = only(review(buy(), limits=limits, equity=equity))
        assert (outcome, named, allowed) == ("REFUSED", rule, f"above {floor}")
        assert round(float(asked) * SCALE) == equity
    raised = {field: 20_000 * SCALE}
    assert only(review(buy(), limits=limits, equity=2 * floor * SCALE, **raised))[1] == rule
    assert review(buy(), limits=limits, equity=2 * floor * SCALE + 1, **raised).rulings == ()


def test_D5_leverage():
    limits = Limits(leverage_max=10)
    for leverage in (1, 9, 10):
        assert review(buy(leverage=leverage), limits=limits).rulings == ()
    assert only(review(buy(leverage=11), limits=limits)) == ("REFUSED", "LEVERAGE", "11", "10")
    assert only(review(buy(leverage=-1), limits=limits)) == ("REFUSED", "LEVERAGE", "-1", "10")
    venue = states(instrument=instrument(leverage_max=5))
    assert only(review(buy(leverage=6), limits=limits, symbols=venue)) == ("REFUSED", "LEVERAGE", "6", "5")
    # Without one in the order, the symbol's counts.
    assert only(review(buy(), limits=limits, symbols=states(leverage=11))) == ("REFUSED", "LEVERAGE", "11", "10")


@pytest.mark.parametrize("field", ["limit_price", "trigger_price"])
def test_D5_price_band(field):
    kind = orders.LIMIT if field == "limit_price" else orders.STOP_MARKET
    for price in (95 * SCALE, PRICE, 105 * SCALE):
        assert review(buy(type=kind, **{field: price})).rulings == ()
    for price, text in ((95 * SCALE - 1, "94.99999999"), (105 * SCALE + 1, "105.00000001"), (-1, "-0.00000001")):
        refused = review(buy(type=kind, **{field: price}))
        assert only(refused) == ("REFUSED", "PRICE_BAND", text, "95 to 105")


def test_D5_notional_is_trimmed_to_the_lot():
    limits = Limits(notional_max=500 * SCALE)
    assert review(buy(5), limits=limits).rulings == ()
    trimmed = review(buy(5.001), limits=limits)
    assert quantities(trimmed) == [5]
    assert only(trimmed) == ("TRIMMED", "NOTIONAL", "500.1", "500")
    # What is held and what rests counts; what lies on the other side gives room.
    assert quantities(review(buy(5), limits=limits, symbols=states(quantity=2 * COIN))) == [3]
    assert quantities(review(buy(5), limits=limits, symbols=states(resting_lots=2 * COIN))) == [3]
    assert quantities(review(buy(9), limits=limits, symbols=states(quantity=-2 * COIN))) == [7]
    full = review(buy(1), limits=limits, symbols=states(quantity=5 * COIN))
    assert (full.orders, only(full)) == ((), ("REFUSED", "NOTIONAL", "600", "500"))


def test_D5_notional_counts_a_limit_order_at_its_limit():
    limits = Limits(notional_max=500 * SCALE)
    order = buy(6, type=orders.LIMIT, limit_price=96 * SCALE)
    assert quantities(review(order, limits=limits)) == [5.208]


def test_D5_share_of_equity_per_symbol():
    limits = Limits(symbol_share_max=SCALE // 4)
    assert review(buy(25), limits=limits).rulings == ()
    trimmed = review(buy(25.001), limits=limits)
    assert quantities(trimmed) == [25]
    assert only(trimmed) == ("TRIMMED", "SYMBOL_SHARE", "2500.1", "2500")
    assert only(review(buy(1, side=SELL), limits=limits, symbols=states(quantity=-25 * COIN)))[:2] == (
        "REFUSED",
        "SYMBOL_SHARE",
    )


def test_D5_margin_with_the_taker_fee():
    # 100 coins at 100 need 10 000 of margin and 5 of fees at 5 bp.
    exact = 10_005 * SCALE
    assert review(buy(100), available=exact).rulings == ()
    trimmed = review(buy(100), available=exact - 1)
    assert quantities(trimmed) == [99.999]
    assert only(trimmed) == ("TRIMMED", "MARGIN", "10005", "10004.99999999")
    assert quantities(review(buy(100, leverage=10), available=1_005 * SCALE)) == [100]
    assert quantities(review(buy(100, leverage=10), available=1_005 * SCALE - 1)) == [99.999]
    for available in (0, -5 * SCALE):
        assert only(review(buy(100), available=available)) == ("REFUSED", "MARGIN", "10005", "0")


def test_margin_is_asked_only_of_what_opens():
    long = states(quantity=3 * COIN)
    assert quantities(review(buy(3, side=SELL), symbols=long, available=0)) == [3]
    flipped = review(buy(5, side=SELL), symbols=long, available=0)
    assert (quantities(flipped), only(flipped)) == ([3], ("TRIMMED", "MARGIN", "200.1", "0"))


def test_a_trim_below_the_venues_minimum_is_a_refusal():
    coarse = states(instrument=instrument(min_quantity="2"))
    limits = Limits(notional_max=200 * SCALE)
    assert quantities(review(buy(3), symbols=coarse, limits=limits)) == [2]
    below = review(buy(3), symbols=coarse, limits=Limits(notional_max=200 * SCALE - 1))
    assert (below.orders, only(below)) == ((), ("REFUSED", "NOTIONAL", "300", "199.99999999"))


def test_trims_add_up_and_each_is_recorded():
    limits = Limits(notional_max=3_000 * SCALE, symbol_share_max=SCALE // 5)
    reviewed = review(buy(50), limits=limits, available=1_000 * SCALE)
    assert [(one.outcome, one.rule) for one in reviewed.rulings] == [
        ("TRIMMED", "NOTIONAL"),
        ("TRIMMED", "SYMBOL_SHARE"),
        ("TRIMMED", "MARGIN"),
    ]
    assert quantities(reviewed) == [9.995]


def test_D5_orders_of_one_decision_share_the_margin():
    symbols = {name: symbol_state(name) for name in ("ETHUSDT", "SOLUSDT")}
    first, second = buy(60), buy(60, symbol="SOLUSDT")
    reviewed = review(first, second, symbols=symbols)
    assert reviewed.orders[0] == (0, first)
    assert quantities(reviewed) == [60, 39.95]
    # The first takes 6000 of margin and 3 of fees.
    assert only(reviewed) == ("TRIMMED", "MARGIN", "6003", "3997")


def test_D5_orders_of_one_decision_share_the_symbol():
    limits = Limits(symbol_share_max=SCALE // 10)
    reviewed = review(*[buy(4) for _ in range(4)], limits=limits)
    assert quantities(reviewed) == [4, 4, 2]
    assert [(one.order, one.outcome, one.asked) for one in reviewed.rulings] == [
        (2, "TRIMMED", "1200"),
        (3, "REFUSED", "1400"),
    ]


def test_two_orders_do_not_close_the_same_lots_twice():
    long = states(quantity=10 * COIN)
    one = review(buy(20, side=SELL), symbols=long, available=0)
    two = review(buy(10, side=SELL), buy(10, side=SELL), symbols=long, available=0)
    assert quantities(one) == quantities(two) == [10]
    assert only(two)[:2] == ("REFUSED", "MARGIN")


@pytest.mark.parametrize(
    "order",
    [
        CancelRequest("ETHUSDT"),
        close("ETHUSDT", SELL),
        buy(9_999, side=SELL, reduce_only=True),
        buy(1, side=SELL, type=orders.TRAILING_STOP, callback_rate=SCALE // 50),
    ],
)
def test_D5_what_only_reduces_passes_whatever_else_is_wrong(order):
    broken = states(mark=0, last=0, bars_silent=99, quantity=COIN)
    nothing = Limits(symbols=frozenset(), leverage_max=0, notional_max=0, symbol_share_max=0, orders_max=0)
    reviewed = review(order, symbols=broken, limits=nothing, equity=-SCALE, available=-SCALE)
    assert reviewed.orders == ((0, order),)
    assert reviewed.rulings == ()


def test_D5_too_many_orders():
    limits = Limits(orders_max=3)
    assert len(review(*[buy(0.1)] * 3, limits=limits).orders) == 3
    reviewed = review(*[buy(0.1)] * 3, close("ETHUSDT", SELL), buy(0.1), buy(0.1), limits=limits)
    assert [number for number, _ in reviewed.orders] == [0, 1, 2, 3]
    assert [(one.order, one.outcome, one.rule, one.asked, one.allowed) for one in reviewed.rulings] == [
        (4, "REFUSED", "TOO_MANY_ORDERS", "4", "3"),
        (5, "REFUSED", "TOO_MANY_ORDERS", "5", "3"),
    ]


def test_a_refusal_leaves_the_margin_to_the_orders_behind_it():
    reviewed = review(buy(90, leverage=99), buy(90, side=BUY))
    assert [number for number, _ in reviewed.orders] == [1]
    assert quantities(reviewed) == [90]


@pytest.mark.parametrize("lots", [0, -COIN])
def test_no_quantity_never_becomes_an_order_that_opens(lots):
    reviewed = review(buy(lots / COIN))
    assert all(order.quantity == 0 for _, order in reviewed.orders)


@pytest.mark.parametrize("lots", [2**53, 2**62, 10**30])
def test_an_absurd_quantity_is_trimmed_like_any_other(lots):
    reviewed = review(buy(lots / COIN))
    assert quantities(reviewed) == [99.95]


@pytest.mark.parametrize("lots", [2**63, -(2**63), 10**30])
def test_a_quantity_that_no_venue_can_write_down_is_refused_even_if_it_only_reduces(lots):
    order = replace(buy(side=SELL, reduce_only=True), quantity=lots)
    refused = review(order, symbols=states(quantity=COIN))
    assert refused.orders == ()
    assert only(refused) == ("REFUSED", "TOO_LARGE", f"quantity of {lots.bit_length()} bits", "63 bits")
    fits = replace(order, quantity=2**63 - 1)
    assert review(fits, symbols=states(quantity=COIN)).orders == ((0, fits),)


@pytest.mark.parametrize("name", ["stop_loss", "take_profit", "trailing_rate", "callback_rate"])
@pytest.mark.parametrize("reduce_only", [False, True])
def test_so_is_any_other_number_of_any_order_and_it_costs_no_margin(name, reduce_only):
    order = replace(buy(60), reduce_only=reduce_only, **{name: 2**70})
    reviewed = review(order, buy(60), symbols=states())
    assert only(reviewed) == ("REFUSED", "TOO_LARGE", f"{name} of 71 bits", "63 bits")
    assert quantities(reviewed) == [60]
