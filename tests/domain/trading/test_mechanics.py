"""The twenty-four invariants of a perpetuals engine, on compiled kernels."""

from fractions import Fraction
from math import ceil, floor

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bitnerve.domain.market.instrument import instrument_arrays
from bitnerve.domain.trading import margin
from tests.domain.trading.market import FREE, ONE, TIERS, ask, enter, equity, open_venue, play, spec, units
from tests.engine.driver import instruments_of
from tests.engine.driver import play as play_scenario
from tests.engine.profiles import PROPERTY

sides = st.sampled_from(["BUY", "SELL"])
modes = st.sampled_from(["CROSS", "ISOLATED"])
lots = st.integers(1, 200_000)
leverages = st.sampled_from([2, 3, 5, 10, 20, 50])
cents = st.integers(5_000, 20_000).map(lambda price: f"{price / 100:.2f}")
rates = st.integers(-1_000_000, 1_000_000)
OPPOSITE = {"BUY": "SELL", "SELL": "BUY"}
SIGN = {"BUY": 1, "SELL": -1}
COSTLY = spec(maker="-0.0001", taker="0.00055")


def ledger(venue):
    return sum(amount for _, amount in venue.money)


@PROPERTY
@given(side=sides, quantity=lots, mode=modes, moves=st.lists(cents, min_size=1, max_size=4), rate=rates)
def test_mechanics_01_cash_and_unrealized_pnl_are_equity_at_every_event(side, quantity, mode, moves, rate):
    venue = open_venue(COSTLY, capital="100000")
    enter(venue, side, quantity, margin_mode=mode, leverage=2)
    for price in moves:
        play(venue, A=price, funding=[("A", rate)])
        held, cost, _ = venue.position("A")
        value = floor(Fraction(held * venue.marks["A"], 1000))
        assert equity(venue) == venue.cash + value - cost


@PROPERTY
@given(side=sides, quantity=lots, mode=modes, price=cents, rate=rates)
def test_mechanics_02_the_ledger_sums_to_the_change_of_equity(side, quantity, mode, price, rate):
    venue = open_venue(COSTLY, capital="100000")
    enter(venue, side, quantity, margin_mode=mode, leverage=2)
    play(venue, A=price, funding=[("A", rate)])
    assert ask(venue, OPPOSITE[side], 0, close_position=True) in (None, "NOT_REDUCING")
    play(venue, A=price)
    assert venue.position("A") == (0, 0, 0)
    assert equity(venue) - units("100000") == ledger(venue)


@PROPERTY
@given(quantity=lots, rate=rates, price=cents)
def test_mechanics_03_funding_between_a_long_and_a_short_costs_at_most_the_rounding(quantity, rate, price):
    paid = []
    for side in ("BUY", "SELL"):
        venue = open_venue(capital="1000000")
        enter(venue, side, quantity)
        before = venue.cash
        play(venue, A=price, funding=[("A", rate)])
        paid.append(venue.cash - before)
    assert sum(paid) in (0, -1)
    assert paid[0] == floor(Fraction(-quantity * units(price) * rate, 1000 * ONE))


@PROPERTY
@given(quantity=lots, price=cents)
def test_mechanics_04_a_long_and_a_short_without_fees_net_to_zero(quantity, price):
    total = 0
    for side in ("BUY", "SELL"):
        venue = open_venue(capital="1000000")
        enter(venue, side, quantity)
        ask(venue, OPPOSITE[side], quantity)
        total += sum(fill["realized_pnl"] for fill in play(venue, A=price))
    assert total == 0


@PROPERTY
@given(side=sides, quantity=lots, leverage=leverages)
def test_mechanics_05_fees_are_a_rate_of_the_notional_whatever_the_leverage(side, quantity, leverage):
    venue = open_venue(COSTLY, capital="1000000")
    fills = enter(venue, side, quantity, leverage=leverage)
    ask(venue, OPPOSITE[side], quantity, "LIMIT", limit_price="100", post_only=side == "SELL", reduce_only=True)
    fills += play(venue, A="100 110 90 100")
    assert fills
    for fill in fills:
        rate = 55_000 if fill["liquidity"] == "TAKER" else -10_000
        assert fill["fee"] == ceil(Fraction(fill["quantity"] * fill["price"] * rate, 1000 * ONE))


@PROPERTY
@given(side=sides, quantity=lots, price=st.sampled_from(["98", "99.5", "100", "101", "102"]), mode=modes)
def test_mechanics_06_leverage_does_not_change_what_a_price_move_earns(side, quantity, price, mode):
    gains = set()
    for leverage in (1, 5, 20):
        venue = open_venue(capital="1000000")
        enter(venue, side, quantity, leverage=leverage, margin_mode=mode)
        play(venue, A=price)
        gains.add(equity(venue) - units("1000000"))
    assert gains == {floor(Fraction(SIGN[side] * quantity * (units(price) - units("100")), 1000))}


def liquidation_price(venue, side, end=None):
    """The base price of the liquidation on one straight way against the position, or None when there is none."""
    end = end or ("0.01" if side == "BUY" else "1000")
    worst = f"100 100 {end} {end}" if side == "BUY" else f"100 {end} 100 {end}"
    fills = [fill for fill in play(venue, A=worst) if fill["reason"] == "LIQUIDATION"]
    return fills[0]["base_price"] if fills else None


@PROPERTY
@given(quantity=lots, leverage=leverages)
def test_mechanics_07_liquidation_lies_on_the_losing_side_of_the_entry(quantity, leverage):
    for side in ("BUY", "SELL"):
        venue = open_venue(capital="1000000")
        enter(venue, side, quantity, leverage=leverage, margin_mode="ISOLATED")
        price = liquidation_price(venue, side)
        assert price < units("100") if side == "BUY" else price > units("100")


@PROPERTY
@given(quantity=lots, leverage=leverages, side=sides, extra=st.integers(1, 100))
def test_mechanics_08_liquidation_moves_away_when_margin_is_added(quantity, leverage, side, extra):
    prices = []
    for added in (0, extra * quantity * ONE // 100_000):
        venue = open_venue(capital="1000000")
        enter(venue, side, quantity, leverage=leverage, margin_mode="ISOLATED")
        # No rule of the domain adds margin but a funding payment that is received: a credit to the margin itself.
        if added:
            rate = -SIGN[side] * added * 1000 // (quantity * 100)
            play(venue, A="100", funding=[("A", rate)])
        prices.append(liquidation_price(venue, side))
    before, after = prices
    if after is None:
        return
    assert after <= before if side == "BUY" else after >= before


@PROPERTY
@given(quantity=st.integers(1, 2_000_000), leverage=leverages, side=sides)
def test_mechanics_09_at_the_liquidation_price_equity_is_the_maintenance_margin(quantity, leverage, side):
    """The Binance form: (margin + deduction − sign × Q × E) ÷ (Q × rate − sign × Q), with the tier of the notional."""
    assume(quantity * 100 // 1000 <= {50: 100_000}.get(leverage, 10**9) and (leverage < 21 or quantity <= 1_000_000))
    venue = open_venue(spec(tiers=TIERS), capital="100000000")
    enter(venue, side, quantity, leverage=leverage, margin_mode="ISOLATED")
    held = Fraction(quantity, 1000)
    margin_held = Fraction(venue.position("A")[2], ONE)
    sign = SIGN[side]
    exact = []
    for until, rate, deduction, _ in TIERS:
        form = (margin_held + Fraction(deduction) - sign * held * 100) / (held * Fraction(rate) - sign * held)
        lower = exact_lower(until)
        if form > 0 and lower < held * form <= (Fraction(until) if until else held * form):
            exact.append(form)
    if not exact:
        return
    (expected,) = exact
    hundredths = floor(expected * 100) - 1 if sign > 0 else ceil(expected * 100) + 1
    end = Fraction(hundredths, 100)
    found = Fraction(liquidation_price(venue, side, f"{hundredths / 100:.2f}"), ONE)
    if tier_number(held * 100) == tier_number(held * end):
        assert abs(found - expected) <= Fraction(2, ONE) + Fraction(3000, quantity * ONE)
    else:
        # Where the tier changes on the way, the straight line between its ends cuts early, never late.
        assert sign * (found - expected) >= -Fraction(2, ONE)


def exact_lower(until):
    bounds = [Fraction(0), *(Fraction(tier[0]) for tier in TIERS if tier[0])]
    return bounds[[tier[0] for tier in TIERS].index(until)]


def tier_number(notional):
    return sum(notional > Fraction(tier[0]) for tier in TIERS if tier[0])


@PROPERTY
@given(quantity=lots, leverage=leverages, side=sides, gap=st.booleans(), volume=st.integers(1, 10**6))
def test_mechanics_10_an_isolated_position_loses_its_margin_at_most(quantity, leverage, side, gap, volume):
    venue = open_venue(COSTLY, capital="1000000", rules={"impact_rate": 100_000, "half_spread_rate": 10_000})
    enter(venue, side, quantity, leverage=leverage, margin_mode="ISOLATED")
    staked = venue.position("A")[2]
    free = venue.cash - staked
    worst = {"BUY": ("100 100 1 1", "1 1 1 1"), "SELL": ("100 900 100 900", "900 900 900 900")}[side][gap]
    play(venue, A=worst, volume=volume)
    assert venue.position("A") == (0, 0, 0)
    assert free <= venue.cash <= free + staked


@PROPERTY
@given(bound=st.sampled_from([20_000, 100_000]), price=cents)
def test_mechanics_11_maintenance_margin_is_continuous_at_a_tier_boundary(bound, price):
    arrays = instrument_arrays(instruments_of([spec(tiers=TIERS)]))
    held = bound * ONE * 1000 // units(price)
    below = margin.maintenance_margin(arrays, 0, held, units(price))
    above = margin.maintenance_margin(arrays, 0, held + 1, units(price))
    step = ceil(Fraction(units(price), 1000) * Fraction("0.025"))
    assert 0 <= above - below <= step + 1


@PROPERTY
@given(quantity=lots, added=lots, rate=rates)
def test_mechanics_12_the_size_at_the_boundary_decides_the_funding(quantity, added, rate):
    venue = open_venue(capital="1000000")
    enter(venue, "BUY", quantity)
    before = venue.cash
    ask(venue, "BUY", added)
    play(venue, A="100", funding=[("A", rate)])
    whole = quantity + added
    assert venue.cash - before == floor(Fraction(-whole * 100 * rate, 1000))


@PROPERTY
@given(quantity=lots, rate=rates)
def test_mechanics_13_an_order_accepted_at_the_boundary_meets_the_next_funding_only(quantity, rate):
    venue = open_venue(capital="1000000")
    play(venue, A="100", funding=[("A", rate)])
    assert ask(venue, "BUY", quantity) is None
    assert venue.cash == units("1000000")
    play(venue, A="100", funding=[("A", rate)])
    assert venue.cash - units("1000000") == floor(Fraction(-quantity * 100 * rate, 1000))


@PROPERTY
@given(side=sides, quantity=lots, asked=lots, kind=st.sampled_from(["MARKET", "LIMIT", "STOP_MARKET"]))
def test_mechanics_14_reduce_only_never_flips(side, quantity, asked, kind):
    venue = open_venue(capital="1000000")
    enter(venue, side, quantity)
    up = side == "BUY"
    level = {"MARKET": {}, "LIMIT": {"limit_price": "101" if up else "99"}, "STOP_MARKET": {}}[kind]
    if kind == "STOP_MARKET":
        level = {"trigger_price": "99" if up else "101"}
    assert ask(venue, OPPOSITE[side], asked, kind, reduce_only=True, **level) is None
    play(venue, A="100 102 98 100")
    left = venue.position("A")[0]
    assert left == SIGN[side] * max(0, quantity - asked)


@PROPERTY
@given(side=sides, quantity=lots, price=cents, mode=modes)
def test_mechanics_15_close_all_leaves_nothing(side, quantity, price, mode):
    venue = open_venue(COSTLY, capital="1000000")
    enter(venue, side, quantity, margin_mode=mode)
    ask(venue, OPPOSITE[side], 0, close_position=True)
    play(venue, A=price)
    assert venue.position("A") == (0, 0, 0)
    assert venue.locked == 0


@PROPERTY
@given(quantity=lots, seed=st.integers(1, 10**9), volume=st.integers(10_000, 10**7))
def test_mechanics_16_fills_lie_on_the_lot_and_on_the_tick(quantity, seed, volume):
    venue = open_venue(spec(tick="0.5"), capital="1000000", rules={"impact_rate": 100_000, "half_spread_rate": 10_000})
    ask(venue, "BUY", quantity)
    high = 100 * ONE + seed % (5 * ONE)
    bar = {"open": high - 7, "high": high, "low": high - 99, "close": high - 50}
    venue.bar({"A": bar | {"volume": volume, "quote_volume": volume * 10**7}}, [], venue.marks, {})
    for fill in venue.fills:
        assert fill["price"] % units("0.5") == 0
        assert fill["quantity"] == int(fill["quantity"]) > 0
    assert ask(venue, "BUY", quantity, "LIMIT", limit_price=units("100") + seed % 49_999_999 + 1) == "OFF_TICK"


@PROPERTY
@given(quantity=st.integers(1, 200), least=st.integers(1, 20))
def test_mechanics_17_no_notional_below_the_minimum_unless_reducing(quantity, least):
    venue = open_venue(spec(min_notional=str(least)), capital="1000000")
    code = ask(venue, "BUY", quantity)
    assert code == ("MIN_NOTIONAL" if quantity * 100 < least * 1000 else None)
    if code is None:
        play(venue, A="100")
        assert ask(venue, "SELL", 1, reduce_only=True) is None


@PROPERTY
@given(quantity=st.integers(200, 200_000), cap=st.integers(10, 1_000), slices=st.integers(1, 5))
def test_mechanics_18_after_partial_fills_and_a_cancel_protection_matches_what_has_filled(quantity, cap, slices):
    venue = open_venue(capital="1000000")
    assert ask(venue, "BUY", quantity, stop_loss="90", take_profit="120", trailing_rate=5_000_000) is None
    for _ in range(slices):
        play(venue, A="100", volume=cap * 10)
    venue.cancel(0)
    filled = venue.position("A")[0]
    assert filled == min(quantity, cap * slices)
    protections = [order for order in venue.orders if order["parent"] == 0 and order["status"] == "OPEN"]
    assert [order["quantity"] for order in protections] == [filled] * 3


@PROPERTY
@given(quantity=lots, side=sides, gap=st.integers(0, 30))
def test_mechanics_19_a_stop_that_is_gapped_fills_at_the_worse_open(quantity, side, gap):
    venue = open_venue(capital="1000000")
    sign = SIGN[side]
    enter(venue, side, quantity, stop_loss=units("100") - sign * 5 * ONE)
    opened = 95 - gap if side == "BUY" else 105 + gap
    (fill,) = play(venue, A=str(opened))
    assert (fill["reason"], fill["base_price"]) == ("STOP", opened * ONE)


@PROPERTY
@given(quantity=lots, side=sides, inside=st.booleans())
def test_mechanics_20_of_a_stop_and_a_target_in_one_bar_the_stop(quantity, side, inside):
    venue = open_venue(capital="1000000")
    sign = SIGN[side]
    levels = {"stop_loss": units("100") - sign * 5 * ONE, "take_profit": units("100") + sign * 5 * ONE}
    if inside:
        assert ask(venue, side, quantity, **levels) is None
    else:
        enter(venue, side, quantity, **levels)
    fills = play(venue, A="100 106 94 100")
    assert fills[-1]["reason"] == "STOP"
    assert [order["status"] for order in venue.orders[1:]] == ["FILLED", "CANCELED"]


@PROPERTY
@given(quantity=lots, side=sides, beyond=st.integers(1, 5))
def test_mechanics_21_liquidation_comes_before_a_stop_that_lies_behind_it(quantity, side, beyond):
    venue = open_venue(capital="1000000")
    sign = SIGN[side]
    # 10x and 1 %: about nine percent away.
    stop = units("100") - sign * (9 + beyond) * ONE
    enter(venue, side, quantity, leverage=10, margin_mode="ISOLATED", stop_loss=stop)
    fills = play(venue, A="100 120 80 100")
    assert [fill["reason"] for fill in fills] == ["LIQUIDATION"]
    early = open_venue(capital="1000000")
    enter(early, side, quantity, leverage=10, margin_mode="ISOLATED", stop_loss=units("100") - sign * 8 * ONE)
    assert [fill["reason"] for fill in play(early, A="100 120 80 100")] == ["STOP"]


def scenario(seed):
    steps = [["bar", {"A": bar_of(seed, 0)}, [], {"A": 100 * ONE}]]
    for number in range(1, 12):
        marks = {"A": bar_of(seed, number - 1)["close"]}
        side = "BUY" if (seed >> number) & 1 else "SELL"
        order = {"symbol": "A", "side": side, "type": "MARKET", "quantity": 1 + seed % 5_000, "leverage": 20}
        order["trailing_rate"] = 3_000_000
        steps += [["tick", marks], ["accept", [order], marks]]
        bar = bar_of(seed, number)
        steps.append(["bar", {"A": bar}, [("A", 10_000)], {"A": bar["close"]}])
    return {"specs": [COSTLY], "capital": units("1000"), "rules": FREE, "steps": steps}


def bar_of(seed, number):
    price = 100 * ONE + (seed * (number + 1) * 7_919) % (9 * ONE)
    shape = {"open": price, "high": price + 3 * ONE, "low": price - 3 * ONE, "close": price + ONE}
    return shape | {"volume": 10**5, "quote_volume": 10**12}


@PROPERTY
@given(seed=st.integers(1, 2**32))
def test_mechanics_22_the_same_inputs_give_the_same_books(seed):
    assert play_scenario(scenario(seed)) == play_scenario(scenario(seed))


@PROPERTY
@given(seed=st.integers(1, 2**32))
def test_mechanics_23_what_has_happened_cannot_happen_again(seed):
    from bitnerve.domain.kernel import integers, zeros
    from bitnerve.domain.trading import acceptance, session

    venue = open_venue(capital="1000000")
    enter(venue, "BUY", 1 + seed % 1000)
    ask(venue, "SELL", 5, "LIMIT", limit_price="150", reduce_only=True)
    venue.cancel(1)
    before = venue.dump()
    # An order that has ended ends no second time, no bar is played of an empty range, and a settlement behind the
    # cursor is never due again.
    assert not acceptance.cancel_order(venue.exchange, 0, 1, 10**12)
    schedule = integers([[1, 60_000, 0, 10_000, 1]])
    bars, mark = venue._bars, venue._mark
    assert session.play_bars(venue.exchange, bars, mark, schedule, 1, 1, 1, zeros(1)) == 1
    assert venue.dump() == before


@PROPERTY
@given(seed=st.integers(1, 2**32), cut=st.integers(1, 34))
def test_mechanics_24_a_restart_in_the_middle_is_no_restart(seed, cut):
    from tests.engine.driver import Venue

    story = scenario(seed)
    venue = Venue(story["specs"], story["capital"], story["rules"])
    for number, (verb, *arguments) in enumerate(story["steps"]):
        if number == cut:
            venue.exchange = reborn(venue.exchange)
        getattr(venue, verb)(*arguments)
    assert venue.dump() == play_scenario(story)


def reborn(exchange):
    """The exchange again, from nothing but a copy of its state; the scratch rows start blank."""
    fresh = {name: array.copy() for name, array in exchange._asdict().items() if hasattr(array, "copy")}
    fresh["prices"][:] = 0
    return exchange._replace(**fresh)


@pytest.mark.parametrize("side", ["BUY", "SELL"])
def test_the_two_forms_of_the_liquidation_price_differ_by_where_maintenance_is_taken(side):
    """10x, 0.5 %, entry 100: 90.45 with maintenance at the liquidation price (ours), 90.50 at the entry (Bybit's)."""
    venue = open_venue(spec(tiers=[(None, "0.005", "0", 100)]))
    enter(venue, side, 10_000, leverage=10, margin_mode="ISOLATED")
    price = liquidation_price(venue, side)
    sign = SIGN[side]
    exact = (Fraction(100) - sign * 1000) / (Fraction(5, 100) - sign * 10) * -sign * -sign
    assert abs(Fraction(price, ONE) - exact) <= Fraction(1, ONE)
    bybit = 100 * (1 - sign * (Fraction(1, 10) - Fraction(5, 1000)))
    assert abs(exact - bybit) < Fraction(6, 100)
