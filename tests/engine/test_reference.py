"""The reference model against numbers worked out by hand."""

from fractions import Fraction
from math import ceil, floor

import pytest

from tests.engine.reference import Reference

ONE = 10**8
PLAIN = {"half_spread_rate": 0, "impact_rate": 0, "volume_cap_rate": 10_000_000, "market_order_max_bars": 12}
PLAIN |= {"liquidation_fee_rate": 500_000}
COSTS = PLAIN | {"half_spread_rate": 10_000, "impact_rate": 100_000}
FLAT = [(None, 1_000_000, 0, 100)]  # maintenance 1 %


def u(text):
    """A decimal text in units of 10^-8."""
    units = Fraction(text) * ONE
    assert units.denominator == 1
    return int(units)


def instrument(symbol="A", **changes):
    base = {
        "symbol": symbol,
        "tick": u("0.01"),
        "lot": Fraction(1, 1000),
        "min_quantity": 1,
        "min_notional": 0,
    }
    return base | {"maker": 0, "taker": 0, "tiers": FLAT} | changes


def model(capital, *instruments, rules=PLAIN):
    return Reference(list(instruments or [instrument()]), rules, u(capital))


def candle(prices, volume=10**9, quote_volume=None):
    opened, high, low, close = (u(text) for text in prices.split())
    shape = {"open": opened, "high": high, "low": low, "close": close}
    return shape | {"volume": volume, "quote_volume": quote_volume}


def play(account, prices, symbol="A", **rest):
    account.bar({symbol: candle(prices, **rest)})
    assert account.cash == sum(amount for _, amount in account.log)
    return account.fills[-1] if account.fills else None


def ask(account, side, quantity, kind="MARKET", last="100", symbol="A", **rest):
    """Accepts one order; returns (its id, the refusal code)."""
    prices = {k: u(v) if isinstance(v, str) and k.endswith(("price", "profit", "loss")) else v for k, v in rest.items()}
    order = {"symbol": symbol, "side": side, "type": kind, "quantity": quantity} | prices
    return account.accept([order], {symbol: u(last)}, {symbol: u(last)})[0]


def enter(account, side, quantity, price="100", symbol="A", **rest):
    assert ask(account, side, quantity, last=price, symbol=symbol, **rest)[1] is None
    play(account, f"{price} {price} {price} {price}", symbol=symbol)
    assert account.position(symbol)[0] == (quantity if side == "BUY" else -quantity)


def statuses(account):
    return [(o["status"], o["filled"], o["code"]) for o in account.orders.values()]


@pytest.mark.parametrize(("side", "price"), [("BUY", "100.03"), ("SELL", "99.97")])
def test_a_taker_pays_half_spread_and_impact_to_the_next_tick(side, price):
    account = model("10000", instrument(taker=55_000), rules=COSTS)
    ask(account, side, 2000)
    fill = play(account, "100 100 100 100", volume=100_000, quote_volume=u("10000"))
    # 200 of 10,000: 10 bp x sqrt(0.02) = 14,142.1 -> 14,143; with 1 bp: 0.00024143; 100.024143 and 99.975857
    assert (fill["price"], fill["base_price"], fill["liquidity"]) == (u(price), u("100"), "TAKER")
    assert fill["fee"] == ceil(2 * u(price) * Fraction(55, 100_000))
    sign = 1 if side == "BUY" else -1
    assert account.position("A") == (2000 * sign, 2 * sign * u(price), 0)
    assert account.cash == u("10000") - fill["fee"]
    assert account.equity({"A": u("100")}) == account.cash - 2 * abs(u(price) - u("100"))


def test_slices_of_a_tenth_of_the_volume_for_twelve_bars():
    account = model("10000")
    ask(account, "BUY", 250)
    ask(account, "BUY", 5000)
    for volume in (1000, 0, 1009, 1000):
        play(account, "100 100 100 100", volume=volume)
    assert [(f["order"], f["quantity"]) for f in account.fills] == [(1, 100), (1, 100), (1, 50), (2, 50)]
    for _ in range(9):
        play(account, "100 100 100 100", volume=1000)
    assert statuses(account) == [("FILLED", 250, None), ("EXPIRED", 950, None)]


@pytest.mark.parametrize(
    ("limits", "outcome"),
    [("IOC", ("EXPIRED", 100, None)), ("FOK", ("REJECTED", 0, "FOK")), ("GTC", ("OPEN", 100, None))],
)
def test_time_in_force_at_the_first_bar(limits, outcome):
    for kind, price in (("MARKET", None), ("LIMIT", "101")):
        account = model("10000")
        ask(account, "BUY", 250, kind, limit_price=price, time_in_force=limits)
        play(account, "100 100 100 100", volume=1000)
        assert statuses(account) == [outcome]
    account = model("10000")
    ask(account, "BUY", 250, "LIMIT", limit_price="99", time_in_force=limits)
    play(account, "100 100 90 100")
    assert statuses(account)[0][0] == {"IOC": "EXPIRED", "FOK": "REJECTED", "GTC": "FILLED"}[limits]


def test_a_limit_fills_when_traded_through_and_not_when_touched():
    account = model("10000", instrument(maker=20_000), rules=COSTS)
    ask(account, "BUY", 1000, "LIMIT", limit_price="99")
    assert play(account, "100 101 99 100") is None
    fill = play(account, "100 101 98.99 100")
    assert (fill["price"], fill["base_price"], fill["liquidity"]) == (u("99"), u("99"), "MAKER")
    assert fill["fee"] == u("0.0198")


@pytest.mark.parametrize(
    ("limit", "post_only", "price", "liquidity"),
    [("99", False, "98.51", "TAKER"), ("98.50", False, "98.50", "TAKER"), ("99", True, "99", "MAKER")],
)
def test_a_limit_at_an_open_beyond_it(limit, post_only, price, liquidity):
    account = model("10000", rules=COSTS | {"impact_rate": 0})
    ask(account, "BUY", 1000, "LIMIT", limit_price=limit, post_only=post_only)
    fill = play(account, "98.50 98.50 98.50 98.50")  # with 1 bp: 98.50985
    assert (fill["price"], fill["liquidity"]) == (u(price), liquidity)


def test_a_gapped_stop_fills_at_the_open():
    account = model("10000", rules=COSTS | {"impact_rate": 0})
    enter(account, "BUY", 1000, stop_loss="95", take_profit="105")
    fill = play(account, "90 110 90 110", volume=1000)  # 89.991; protection does not know the cap
    assert (fill["quantity"], fill["base_price"], fill["price"]) == (1000, u("90"), u("89.99"))
    assert fill["reason"] == "STOP"
    assert [o["status"] for o in account.orders.values()] == ["FILLED", "FILLED", "CANCELED"]


@pytest.mark.parametrize(("side", "stop", "target"), [("BUY", "95", "105"), ("SELL", "105", "95")])
@pytest.mark.parametrize("same_bar", [True, False])
def test_of_stop_and_target_in_one_bar_the_stop(side, stop, target, same_bar):
    account = model("10000")
    if same_bar:
        ask(account, side, 1000, stop_loss=stop, take_profit=target)
    else:
        enter(account, side, 1000, stop_loss=stop, take_profit=target)
    fill = play(account, "100 106 94 100")
    assert (fill["reason"], fill["price"], fill["position_after"]) == ("STOP", u(stop), 0)


def test_the_target_of_an_entry_inside_the_bar_waits_for_the_next():
    account = model("10000")
    ask(account, "BUY", 1000, "LIMIT", limit_price="99", take_profit="99.50", stop_loss="97")
    assert play(account, "100 105 98 105")["reason"] == "ENTRY"
    fill = play(account, "104 105 103 104")
    assert (fill["reason"], fill["price"]) == ("TAKE_PROFIT", u("104"))
    ask(account, "BUY", 1000, "LIMIT", limit_price="99", take_profit="99.50", stop_loss="97")
    assert play(account, "100 105 96 105")["price"] == u("97")  # its stop is alive at once


TIERS = [(u("500"), 500_000, 0, 100), (None, 1_000_000, u("2.5"), 50)]  # continuous at 500


@pytest.mark.parametrize("mode", ["CROSS", "ISOLATED"])
@pytest.mark.parametrize(("side", "sign", "bar"), [("BUY", 1, "100 100 80 90"), ("SELL", -1, "100 120 100 110")])
def test_liquidation_on_a_straight_line_is_the_closed_form(mode, side, sign, bar):
    account = model("100", instrument(tiers=TIERS))
    enter(account, side, 9000, leverage=10, margin_mode=mode)
    assert ask(account, side, 10, "LIMIT", limit_price="85" if sign > 0 else "115", margin_mode=mode)[1] is None
    wallet = 100 if mode == "CROSS" else 90
    level = (wallet + Fraction("2.5") - sign * 900) / (9 * Fraction("0.01") - sign * 9)
    fill = play(account, bar)
    assert fill["base_price"] == (floor if sign > 0 else ceil)(level * ONE)
    # to the tick against the taker: cross 89.506... and 110.286..., isolated 90.628... and 109.185...
    assert fill["price"] == u({"CROSS": ("89.50", "110.29"), "ISOLATED": ("90.62", "109.19")}[mode][sign < 0])
    assert fill["reason"] == "LIQUIDATION"
    assert account.orders[2]["status"] == "CANCELED"


def test_the_liquidation_fee_takes_no_more_than_is_left():
    account = model("100", instrument(tiers=TIERS))
    enter(account, "BUY", 9000, leverage=10)
    play(account, "100 100 80 90")
    assert account.log[-1] == ("LIQUIDATION_FEE", -u("4.0275"))  # 0.5 % of 9 x 89.50, of the 5.50 left
    assert (account.cash, account.insurance) == (u("1.4725"), u("4.0275"))

    account = model("100", instrument(tiers=TIERS))
    enter(account, "BUY", 9000, leverage=10)
    account.rules = PLAIN | {"half_spread_rate": 500_000}
    play(account, "100 100 80 90")  # 89.506... less 0.5 % is 89.058...: 89.05 leaves 1.45, due 4.00725
    assert account.log[-1] == ("LIQUIDATION_FEE", -u("1.45"))
    assert (account.cash, account.insurance) == (0, u("1.45"))

    account = model("100", instrument(tiers=TIERS))
    enter(account, "BUY", 9000, leverage=10)
    play(account, "80 80 80 80")  # 180 lost of 100
    assert account.log[-1] == ("SHORTFALL", u("80"))
    assert (account.cash, account.insurance) == (0, -u("80"))


def test_an_isolated_position_loses_its_margin_and_no_more():
    account = model("1000", instrument(taker=55_000))
    enter(account, "BUY", 9000, leverage=10, margin_mode="ISOLATED")
    assert account.position("A") == (9000, u("900"), u("90") - u("0.495"))
    assert account.available() == u("910")
    play(account, "70 70 70 70")  # 270 lost, and a fee of 0.3465
    assert [kind for kind, _ in account.log] == ["START", "FILL", "FILL", "SHORTFALL"]
    assert account.cash == account.available() == u("910")
    assert account.insurance == -(u("270.3465") - u("89.505"))


def test_an_isolated_position_reduced_releases_its_share():
    account = model("1000", instrument(taker=55_000))
    enter(account, "BUY", 9000, leverage=10, margin_mode="ISOLATED")
    ask(account, "SELL", 3000, reduce_only=True)
    play(account, "100 100 100 100")
    # 89.505 - 0.165 fee = 89.34, a third of it released
    assert account.position("A") == (6000, u("600"), u("59.56"))


@pytest.mark.parametrize(
    ("side", "rate", "amount"),
    [
        ("BUY", 10_000, -2_000_001),
        ("SELL", 10_000, 2_000_000),
        ("BUY", -10_000, 2_000_000),
        ("SELL", -10_000, -2_000_001),
    ],
)
@pytest.mark.parametrize("mode", ["CROSS", "ISOLATED"])
def test_funding_paid_rounds_up_and_received_rounds_down(side, rate, amount, mode):
    account = model("1000")
    enter(account, side, 2000, margin_mode=mode)
    account.fund("A", u("100") + 1, rate)  # 0.020000000002
    assert account.log[-1] == ("FUNDING", amount)
    assert account.cash == u("1000") + amount
    assert account.position("A")[2] == (u("200") + amount if mode == "ISOLATED" else 0)


@pytest.mark.parametrize(("odd_lot", "removed"), [("100.01", 10_000_062), ("100.03", 10_000_188)])
def test_a_partial_close_removes_cost_half_even_and_the_last_the_rest(odd_lot, removed):
    account = model("1000")
    enter(account, "BUY", 15)
    ask(account, "BUY", 1, last=odd_lot)
    play(account, " ".join([odd_lot] * 4))
    basis = account.position("A")[1]
    assert Fraction(basis, 16) - Fraction(1, 2) in (removed, removed - 1)  # exactly half way
    ask(account, "SELL", 1, reduce_only=True)
    assert play(account, "100 100 100 100")["realized_pnl"] == 10_000_000 - removed
    assert account.position("A") == (15, basis - removed, 0)
    ask(account, "SELL", 0, close_position=True)
    assert play(account, "100 100 100 100")["realized_pnl"] == 150_000_000 - (basis - removed)
    assert account.position("A") == (0, 0, 0)


def test_a_flip_is_one_fill_and_ends_the_old_protection():
    account = model("1000")
    enter(account, "BUY", 1000, stop_loss="95")
    ask(account, "SELL", 3000, last="110", stop_loss="120")
    fill = play(account, "110 110 110 110")
    assert (fill["quantity"], fill["realized_pnl"], fill["position_after"]) == (3000, u("10"), -2000)
    assert account.position("A") == (-2000, -u("220"), 0)
    assert [(o["type"], o["status"]) for o in account.orders.values()][1::2] == [
        ("STOP_MARKET", "CANCELED"),
        ("STOP_MARKET", "OPEN"),
    ]


def test_reduce_only_never_flips_and_goes_when_flat():
    account = model("1000")
    enter(account, "BUY", 1000)
    ask(account, "SELL", 3000, reduce_only=True)
    ask(account, "SELL", 500, "LIMIT", limit_price="101", reduce_only=True)
    fill = play(account, "100 102 100 100")
    assert (fill["quantity"], fill["position_after"], fill["reason"]) == (1000, 0, "EXIT")
    assert statuses(account)[1:] == [("FILLED", 1000, None), ("CANCELED", 0, None)]
    assert ask(account, "SELL", 500, reduce_only=True)[1] == "NOT_REDUCING"


def test_what_opens_is_cut_to_the_margin_and_what_closes_is_not():
    account = model("100")
    ask(account, "BUY", 1000)
    play(account, "101 101 101 101")  # 990 lots cost 99.99
    assert statuses(account) == [("OPEN", 990, None)]
    play(account, "101 101 101 101")
    assert statuses(account) == [("CANCELED", 990, "MARGIN")]

    account = model("150")
    enter(account, "SELL", 1000)
    assert ask(account, "BUY", 1500)[1] is None
    fill = play(account, "240 240 240 240")  # 10 left after the loss of 140: 41 lots at 0.24
    assert (fill["quantity"], fill["realized_pnl"], fill["position_after"]) == (1041, -u("140"), 41)


def test_resting_orders_reserve_what_they_may_open():
    account = model("1000", instrument(taker=55_000))
    ask(account, "BUY", 5000, "LIMIT", limit_price="99", leverage=10)
    assert account.available() == u("1000") - u("49.5") - u("0.27225")
    ask(account, "BUY", 0, "CANCEL")
    enter(account, "BUY", 1000)
    before = account.available()
    ask(account, "SELL", 600, "LIMIT", limit_price="110")
    ask(account, "SELL", 600, "LIMIT", limit_price="110", reduce_only=True)
    assert account.available() == before
    ask(account, "SELL", 600, "LIMIT", limit_price="110")  # 400 close, 200 open: 22 at 10x and its fee
    assert account.available() == before - u("2.2") - u("0.0121")


def test_a_trailing_stop_moves_at_ticks_only_and_one_way():
    account = model("1000")
    enter(account, "BUY", 1000, trailing_rate=5_000_000)
    stop = account.orders[2]
    assert stop["trigger_price"] == u("95")
    play(account, "100 120 100 110")
    assert stop["trigger_price"] == u("95")
    account.trail({"A": u("110.003")})  # 104.50285
    account.trail({"A": u("105")})
    assert stop["trigger_price"] == u("104.51")
    fill = play(account, "110 110 104 104")
    assert (fill["reason"], fill["price"], fill["position_after"]) == ("TRAILING", u("104.51"), 0)


@pytest.mark.parametrize(("stop", "reason"), [("90", "LIQUIDATION"), ("90.01", "STOP")])
def test_at_the_same_price_liquidation_comes_before_the_stop(stop, reason):
    account = model("98.1")  # 98.1 - 9 x 10 = 1 % of 9 x 90
    enter(account, "BUY", 9000, leverage=10, stop_loss=stop)
    fill = play(account, "100 100 80 90")
    assert (fill["reason"], fill["price"]) == (reason, u(stop))


def test_a_cross_account_meets_all_adverse_extremes_at_once():
    rules = PLAIN | {"liquidation_fee_rate": 0}
    account = model("60", instrument("A"), instrument("B"), instrument("C"), rules=rules)
    for symbol, side, quantity in (("A", "BUY", 1000), ("B", "SELL", 2000), ("C", "BUY", 3000)):
        enter(account, side, quantity, symbol=symbol, leverage=20)
    bars = {"A": candle("100 100 80 100"), "B": candle("100 120 100 100")}
    account.bar(bars)  # C, the largest, has no bar and is no candidate
    # f goes from 60 - 6 to 60 - 60 - (0.8 + 2.4 + 3) on one line: breach at 54 / 60.2 of the way
    way = Fraction("54") / Fraction("60.2")
    fills = account.fills[3:]
    assert [f["symbol"] for f in fills] == ["B"]  # the larger maintenance; without it A and C stand
    assert fills[0]["base_price"] == ceil((100 + 20 * way) * ONE)
    assert account.position("A")[0] == 1000


def test_an_opening_buy_stop_turns_the_path_and_works_on():
    account = model("10000", rules=COSTS | {"impact_rate": 0})
    ask(account, "BUY", 150, "STOP_MARKET", trigger_price="102", stop_loss="99")
    fill = play(account, "100 103 98 100", volume=1000)  # up to 102 first, then down through its stop
    assert [(f["quantity"], f["base_price"]) for f in account.fills] == [(100, u("102")), (100, u("99"))]
    assert fill["reason"] == "STOP"
    fill = play(account, "101 101 101 101", volume=1000)
    assert (fill["quantity"], fill["price"], fill["reason"]) == (50, u("101.02"), "ENTRY")  # 101.0101


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"quantity": 4}, "BAD_QUANTITY"),
        ({"kind": "LIMIT", "limit_price": "99.995"}, "OFF_TICK"),
        ({"quantity": 9}, "MIN_NOTIONAL"),
        ({"reduce_only": True}, "NOT_REDUCING"),
        ({"margin_mode": "ISOLATED"}, "MARGIN_MODE"),
        ({"kind": "STOP_MARKET", "trigger_price": "100"}, "WOULD_TRIGGER"),
        ({"kind": "LIMIT", "limit_price": "100", "post_only": True}, "POST_ONLY_WOULD_TAKE"),
        ({"stop_loss": "100"}, "BAD_PROTECTION"),
        ({"kind": "LIMIT", "limit_price": "98", "take_profit": "97"}, "BAD_PROTECTION"),
        ({"leverage": 51}, "MAX_LEVERAGE"),
        ({"quantity": 498_001, "leverage": 50}, "MARGIN"),
        ({"quantity": 498_000, "leverage": 50}, None),
        ({"quantity": 8000}, None),
        ({"quantity": 8001}, "MARGIN"),
        ({"quantity": 8001, "leverage": 2}, None),
    ],
)
def test_refusals(order, code):
    tiers = [(u("1000"), 1_000_000, 0, 50), (None, 2_000_000, u("10"), 50)]
    account = model("1000", instrument(min_quantity=5, min_notional=u("1"), tiers=tiers))
    enter(account, "BUY", 1000)
    assert ask(account, "BUY", 1000, "LIMIT", limit_price="100")[1] is None
    before = account.available(), account.leverage["A"]
    order = {"quantity": 100} | order
    quantity, kind = order.pop("quantity"), order.pop("kind", "MARKET")
    assert ask(account, "BUY", quantity, kind, **order)[1] == code
    assert code is None or before == (account.available(), account.leverage["A"])


def test_a_lower_leverage_must_be_affordable_and_an_unknown_price_refuses():
    account = model("100", instrument("A"), instrument("B"))
    enter(account, "BUY", 5000, leverage=10)
    assert ask(account, "BUY", 10, leverage=4)[1] == "LEVERAGE_MARGIN"
    assert account.leverage["A"] == 10
    assert account.accept([{"symbol": "B", "side": "BUY", "type": "MARKET", "quantity": 1}], {}, {})[0][1] == "NO_PRICE"
