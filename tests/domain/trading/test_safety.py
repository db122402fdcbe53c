"""Rules of SAFETY that live in the trading kernels, each test named after its rule."""

import ast
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import bitnerve.domain.trading
from tests.domain.trading.market import ONE, ask, enter, equity, open_venue, play, spec, units
from tests.engine.profiles import PROPERTY

sides = st.sampled_from(["BUY", "SELL"])
modes = st.sampled_from(["CROSS", "ISOLATED"])
SIGN = {"BUY": 1, "SELL": -1}
COSTLY = spec(maker="0.0002", taker="0.00055")
HARSH = {"half_spread_rate": 10_000, "impact_rate": 100_000}
walks = st.lists(st.integers(60, 160), min_size=4, max_size=16)


def bars_of(walk):
    """Candles that go on from one another."""
    for opened, one, two, close in zip(walk, walk[1:], walk[2:], walk[3:], strict=False):
        prices = (opened, one, two, close)
        yield f"{opened} {max(prices)} {min(prices)} {close}"


def trade(walk, side, mode, quantity=20_000):
    venue = open_venue(COSTLY, capital="1000", rules=HARSH)
    for number, bar in enumerate(bars_of(walk)):
        kind = number % 3
        if kind == 0:
            ask(venue, side, quantity, leverage=20, margin_mode=mode)
        elif kind == 1:
            other = "SELL" if side == "BUY" else "BUY"
            ask(venue, other, quantity // 3, "LIMIT", limit_price=units(walk[number]), reduce_only=True)
        play(venue, A=bar, volume=10**6, funding=[("A", 50_000)])
        yield venue


@PROPERTY
@given(walk=walks, side=sides, mode=modes)
def test_L4_equity_is_cash_plus_unrealized_pnl_and_the_journal_gives_the_cash(walk, side, mode):
    for venue in trade(walk, side, mode):
        held, cost, _ = venue.position("A")
        unrealized = held * venue.marks["A"] // 1000 - cost
        assert equity(venue) == venue.cash + unrealized
        assert venue.cash == units("1000") + sum(amount for _, amount in venue.money)


@PROPERTY
@given(walk=walks, side=sides, mode=modes)
def test_L5_a_position_is_the_sum_of_its_fills_and_flat_is_exactly_zero(walk, side, mode):
    for venue in trade(walk, side, mode):
        held = sum(SIGN[fill["side"]] * fill["quantity"] for fill in venue.fills)
        assert venue.position("A")[0] == held
        if held == 0:
            assert venue.position("A") == (0, 0, 0)
            assert venue.locked == 0
            assert venue.cash >= 0


@PROPERTY
@given(walk=walks, side=sides, mode=modes)
def test_L6_no_fill_without_an_order_and_none_beyond_its_quantity(walk, side, mode):
    for venue in trade(walk, side, mode):
        orders = venue.orders
        for row, order in enumerate(orders):
            filled = sum(fill["quantity"] for fill in venue.fills if fill["order"] == row)
            assert filled == order["filled"] <= order["quantity"]


@PROPERTY
@given(walk=walks, side=sides, mode=modes)
def test_F1_base_prices_lie_inside_the_bar_and_takers_pay_on_top(walk, side, mode):
    before = 0
    for venue, bar in zip(trade(walk, side, mode), bars_of(walk), strict=True):
        _, high, low, _ = (units(price) for price in bar.split())
        for fill in venue.fills[before:]:
            assert low <= fill["base_price"] <= high
            worse = SIGN[fill["side"]] * (fill["price"] - fill["base_price"])
            capped = fill["liquidity"] == "MAKER" or venue.orders[fill["order"]]["type"] == "LIMIT"
            assert worse >= 0 if capped else worse > 0
            assert worse == 0 or fill["liquidity"] == "TAKER"
        before = len(venue.fills)


@pytest.mark.parametrize(("low", "fills"), [("95", 0), ("94.99", 1)])
def test_F1_a_limit_inside_the_bar_needs_the_price_to_trade_through_it(low, fills):
    venue = open_venue()
    ask(venue, "BUY", 1_000, "LIMIT", limit_price="95")
    assert len(play(venue, A=f"100 100 {low} 100")) == fills


def test_F1_a_fill_never_takes_a_price_from_before_its_acceptance():
    venue = open_venue()
    play(venue, A="100 100 50 100")
    ask(venue, "BUY", 1_000, "LIMIT", limit_price="60")
    assert play(venue, A="100") == []
    ask(venue, "BUY", 1_000)
    (fill,) = play(venue, A="104 110 103 110")
    assert fill["base_price"] == units("104")


@PROPERTY
@given(opened=st.integers(60, 140), reach=st.integers(0, 40), side=sides, level=st.integers(1, 20))
def test_F2_stops_fill_at_or_past_their_level_never_better(opened, reach, side, level):
    venue = open_venue(capital="1000000", rules=HARSH)
    sign = SIGN[side]
    stop = units("100") - sign * level * ONE
    enter(venue, side, 1_000, stop_loss=stop)
    worst = max(1, opened - sign * reach)
    prices = sorted((opened, worst))
    for fill in play(venue, A=f"{opened} {prices[1]} {prices[0]} {worst}"):
        assert sign * (stop - fill["base_price"]) >= 0
        assert sign * (fill["base_price"] - fill["price"]) > 0
        gapped = sign * (opened * ONE - stop) <= 0
        assert fill["base_price"] == (opened * ONE if gapped else stop)


@PROPERTY
@given(gap=st.integers(0, 30), side=sides)
def test_F2_liquidations_fill_at_or_past_the_price_of_breach(gap, side):
    venue = open_venue(capital="1000000", rules=HARSH)
    sign = SIGN[side]
    enter(venue, side, 1_000, leverage=10, margin_mode="ISOLATED")
    cost, margin = venue.position("A")[1:]
    opened = 100 - sign * gap
    worst = 100 - sign * 40
    high, low = max(opened, worst), min(opened, worst)
    (fill,) = play(venue, A=f"{opened} {high} {low} {worst}")
    value = sign * fill["base_price"] - cost
    # At the base price the balance is at most the maintenance margin, up to the rounding of prices.
    assert margin + value - Fraction(fill["base_price"], 100) <= 2
    if gap >= 10:
        assert fill["base_price"] == opened * ONE


@PROPERTY
@given(quantity=st.integers(1, 10**6), rate=st.integers(-(10**6), 10**6), price=st.integers(1, 10**4))
def test_M6_funding_paid_rounds_up_and_received_rounds_down(quantity, rate, price):
    venue = open_venue(capital="10000000")
    enter(venue, "BUY", quantity)
    before = venue.cash
    mark = 100 * ONE + price
    venue.bar({"A": None}, [("A", rate)], {"A": mark}, {})
    exact = Fraction(-quantity * mark * rate, 1000 * ONE)
    assert exact - 1 < venue.cash - before <= exact


def test_M6_realized_pnl_rounds_down():
    """Three lots for an odd cost: each part removed half-even, the last one exact, so that nothing is lost."""
    venue = open_venue(spec(tick="0.00000001", lot="1"), capital="10000")
    enter(venue, "BUY", 1, price="100")
    enter(venue, "BUY", 2, price="100.00000001")
    cost = venue.position("A")[1]
    realized = []
    for _ in range(3):
        ask(venue, "SELL", 1, reduce_only=True)
        realized.append(play(venue, A="100")[0]["realized_pnl"])
    assert sum(realized) == 3 * units("100") - cost == -2
    assert venue.position("A") == (0, 0, 0)


# M1: no float touches money.

TRADING = Path(bitnerve.domain.trading.__file__).parent
BANDS = (
    "lot_size",
    "bound_tier",
    "maintenance_bound",
    "worst_within",
    "is_safe",
    "has_headroom",
    "set_band",
    "set_bands",
    "isolated_share",
    "renew_band",
    "room_within_bands",
)
ALLOWED = {
    # The float filters, of which nothing flows into the books.
    *(("bands.py", name) for name in BANDS),
    ("liquidation.py", "revalue"),
    ("liquidation.py", "revalue_symbol"),
    ("margin.py", "reserved_bound"),
    ("margin.py", "room_at_marks"),
    # The guards that a size is nowhere near what fits.
    ("acceptance.py", "check_form"),
    ("offers.py", "depth_of"),
}
UNITS_DOOR = {"floats_to_units"}


def floats_in(path):
    """(function, line) of everything in a file that makes or is a float."""
    tree = ast.parse(path.read_text())
    found = []
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        for node in ast.walk(function):
            literal = isinstance(node, ast.Constant) and isinstance(node.value, float)
            divides = isinstance(node, ast.BinOp | ast.AugAssign) and isinstance(node.op, ast.Div)
            named = isinstance(node, ast.Name) and node.id == "float"
            typed = isinstance(node, ast.Attribute) and node.attr.startswith(("float", "sqrt", "round"))
            if literal or divides or named or typed:
                found.append((function.name, node.lineno))
    return found


@pytest.mark.parametrize("path", sorted(TRADING.glob("*.py")), ids=lambda path: path.name)
def test_M1_no_float_touches_money(path):
    assert [place for place in floats_in(path) if (path.name, place[0]) not in ALLOWED] == []


def test_M1_units_are_converted_through_one_door():
    assert {function for function, _ in floats_in(TRADING.parent / "units.py")} <= UNITS_DOOR


def test_M1_the_search_for_floats_finds_one(tmp_path):
    damaged = tmp_path / "damaged.py"
    damaged.write_text("def fee(amount):\n    return int(amount * 0.0005) + amount / 2 + int(float(amount))\n")
    assert len(floats_in(damaged)) == 3
