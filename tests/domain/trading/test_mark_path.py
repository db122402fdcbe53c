"""With mark bars of the candles' interval: liquidation and mark triggers walk the mark path, fills take the last."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.domain.trading.market import ask, candle, enter, open_venue, play, units
from tests.engine.profiles import PROPERTY

STILL = "100 100 100 100"


def marked():
    return open_venue(has_mark=True, capital="100000")


@pytest.mark.parametrize(("side", "mark"), [("BUY", "100 100 80 80"), ("SELL", "100 120 100 120")])
def test_a_mark_that_runs_away_liquidates_at_the_last_price(side, mark):
    venue = marked()
    enter(venue, side, 10_000, leverage=10, margin_mode="ISOLATED")
    (fill,) = play(venue, A=STILL, mark_bars={"A": mark})
    assert (fill["reason"], fill["base_price"]) == ("LIQUIDATION", units("100"))


@pytest.mark.parametrize(("side", "last"), [("BUY", "100 100 80 80"), ("SELL", "100 120 100 120")])
def test_a_last_price_that_runs_away_liquidates_nobody_whose_mark_stands(side, last):
    venue = marked()
    enter(venue, side, 10_000, leverage=10, margin_mode="ISOLATED")
    assert play(venue, A=last, mark_bars={"A": STILL}) == []


def test_a_liquidation_fills_at_the_last_price_of_the_same_moment():
    venue = marked()
    enter(venue, "BUY", 10_000, leverage=10, margin_mode="ISOLATED")
    # Equity 10 − (100 − p)·10 … per unit: breach at p = 90 ÷ 0.99 = 90.909…; of the mark's way from 100 to 80 that is
    # λ = 0.4545…; the last price, on its way from 100 to 90, then stands at 95.4545….
    (fill,) = play(venue, A="100 100 90 90", mark_bars={"A": "100 100 80 80"})
    assert fill["base_price"] == 9_545_454_545
    assert fill["price"] == units("95.45")


@pytest.mark.parametrize("kind", ["STOP_MARKET", "TAKE_PROFIT_MARKET"])
def test_a_trigger_by_mark_fires_on_the_mark_and_fills_on_the_last_path(kind):
    venue = marked()
    enter(venue, "BUY", 1_000)
    level = "95" if kind == "STOP_MARKET" else "105"
    far, last = ("90", "100 100 98 98") if kind == "STOP_MARKET" else ("110", "100 102 100 102")
    assert ask(venue, "SELL", 1_000, kind, trigger_price=level, trigger_by="MARK", reduce_only=True) is None
    assert play(venue, A="100 104 96 100", mark_bars={"A": STILL}) == []
    (fill,) = play(
        venue, A=last, mark_bars={"A": f"100 {max(far, '100', key=float)} {min(far, '100', key=float)} {far}"}
    )
    # Half of the mark's way: half of the last price's way.
    assert fill["base_price"] == units("99" if kind == "STOP_MARKET" else "101")


def test_a_trigger_by_last_does_not_look_at_the_mark():
    venue = marked()
    enter(venue, "BUY", 1_000, stop_loss="95")
    assert play(venue, A=STILL, mark_bars={"A": "100 100 90 90"}) == []
    (fill,) = play(venue, A="100 100 90 90", mark_bars={"A": STILL})
    assert (fill["reason"], fill["base_price"]) == ("STOP", units("95"))


def test_a_mark_trigger_that_gapped_fires_at_the_open_of_the_last_price():
    venue = marked()
    enter(venue, "BUY", 1_000, stop_loss="95", trigger_by="MARK")
    (fill,) = play(venue, A="99 99 99 99", mark_bars={"A": "90 90 90 90"})
    assert (fill["reason"], fill["base_price"]) == ("STOP", units("99"))


def test_trailing_and_funding_and_equity_look_at_the_mark():
    venue = marked()
    enter(venue, "BUY", 1_000, trailing_rate=10_000_000)
    play(venue, A="100", mark_bars={"A": "120"}, funding=[("A", 1_000_000)])
    assert venue.cash == units("100000") - units("1.2")
    venue.tick(venue.marks)
    assert venue.orders[1]["trigger_price"] == units("108")
    assert venue.equity_row[1] == units("20")


def test_a_mark_already_past_a_mark_trigger_is_refused_at_acceptance():
    venue = marked()
    enter(venue, "BUY", 1_000)
    play(venue, A="100", mark_bars={"A": "94"})
    rest = {"trigger_price": "95", "reduce_only": True}
    assert ask(venue, "SELL", 1_000, "STOP_MARKET", trigger_by="MARK", **rest) == "WOULD_TRIGGER"
    assert ask(venue, "SELL", 1_000, "STOP_MARKET", **rest) is None


@PROPERTY
@given(
    side=st.sampled_from(["BUY", "SELL"]),
    prices=st.lists(st.integers(70, 140), min_size=4, max_size=4),
    kind=st.sampled_from(["none", "stop", "mark stop"]),
)
def test_a_mark_path_that_is_the_candles_changes_nothing(side, prices, kind):
    shape = f"{prices[0]} {max(prices)} {min(prices)} {prices[-1]}"
    books = []
    for has_mark in (False, True):
        venue = open_venue(has_mark=has_mark, capital="100000")
        stop = {} if kind == "none" else {"stop_loss": "94" if side == "BUY" else "106"}
        by = {"trigger_by": "MARK"} if kind == "mark stop" else {}
        assert ask(venue, side, 10_000, leverage=10, margin_mode="ISOLATED", **stop, **by) is None
        play(venue, A="100", mark_bars={"A": "100"})
        play(venue, A=shape, mark_bars={"A": shape})
        books.append((venue.cash, venue.position("A"), venue.fills))
    assert books[0] == books[1]
    assert candle(shape)["low"] == min(prices) * 10**8
