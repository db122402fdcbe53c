"""A share of equity in lots, never a lot more than it buys."""

from fractions import Fraction

import pytest

from bitnerve.domain.risk.sizing import lots_for_share
from bitnerve.domain.units import SCALE
from tests.domain.risk.bench import instrument


def lots(equity=10_000 * SCALE, share=SCALE // 4, price=100 * SCALE):
    return lots_for_share(equity=equity, share=share, price=price, instrument=instrument())


def test_a_quarter_of_ten_thousand_at_a_hundred_is_25_coins():
    assert lots() == 25_000


def test_one_unit_less_is_one_lot_less():
    assert lots(equity=10_000 * SCALE - 1) == 24_999
    assert lots(price=100 * SCALE + 1) == 24_999


@pytest.mark.parametrize("nothing", [{"equity": 0}, {"equity": -SCALE}, {"price": 0}, {"price": -1}, {"share": 0}])
def test_nothing_buys_nothing(nothing):
    assert lots(**nothing) == 0


@pytest.mark.parametrize("equity", [1, 12_345_678_901, 10_000 * SCALE, 10**17])
@pytest.mark.parametrize("share", [1, SCALE // 3, SCALE, 5 * SCALE])
@pytest.mark.parametrize("price", [1_000, 12_345, 100 * SCALE + 7])
def test_the_lots_cost_at_most_the_share_and_one_more_costs_more(equity, share, price):
    found = lots(equity=equity, share=share, price=price)
    budget = equity * share // SCALE
    lot_price = Fraction(price, 1000)
    assert found * lot_price <= budget < (found + 1) * lot_price
