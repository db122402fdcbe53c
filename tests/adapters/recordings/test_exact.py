"""Recorded floats as exact integers, against decimals."""

from decimal import ROUND_FLOOR, Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitnerve.adapters.recordings import exact
from bitnerve.domain.units import EXACT, floats_to_units

volumes = st.one_of(
    st.decimals(0, 10**9, places=3).map(float),
    st.integers(0, 10**12).map(float),
    st.floats(0, 10**6, allow_subnormal=False),
)


def floored(value, factor=1):
    return int(EXACT.multiply(Decimal(repr(value)), Decimal(factor)).to_integral_value(rounding=ROUND_FLOOR))


def decimals(places):
    return st.lists(st.decimals(-(10**9), 10**9, places=places).map(float), min_size=1, max_size=20)


@given(places=st.integers(0, 8), values=st.integers(0, 12).flatmap(decimals))
def test_floats_to_units_is_the_floor_of_the_shortest_text(places, values):
    assert floats_to_units(np.array(values), places).tolist() == [floored(v, 10**places) for v in values]


@given(places=st.integers(0, 12), values=st.integers(0, 12).flatmap(decimals))
def test_finer_than_counts_the_decimals_of_the_shortest_text(places, values):
    expected = [Decimal(repr(v)).normalize(EXACT).as_tuple().exponent < -places for v in values]

    assert exact.finer_than(np.array(values), places).tolist() == expected


@given(values=st.lists(st.tuples(volumes, st.integers(1, 9 * 10**12)), min_size=1, max_size=20))
def test_turnover_is_the_floor_of_the_exact_product(values):
    volume, price = np.array([v for v, _ in values]), np.array([p for _, p in values])
    fits = volume * price < 9e18

    result = exact.turnover(volume[fits], price[fits])

    assert result.tolist() == [floored(v, p) for (v, p), fit in zip(values, fits, strict=True) if fit]


@given(
    values=st.lists(volumes, min_size=1, max_size=20),
    lot_size=st.sampled_from(["0.001", "0.01", "0.25", "0.1", "1", "5", "10", "1000"]).map(Decimal),
)
def test_whole_lots_is_the_floor_of_the_exact_quotient(values, lot_size):
    expected = [int(EXACT.divide_int(Decimal(repr(v)), lot_size)) for v in values]

    assert exact.whole_lots(np.array(values), lot_size).tolist() == expected


@given(values=st.lists(st.decimals(0, 9 * 10**10, places=5).map(float), min_size=1, max_size=20))
def test_money_is_the_floor_of_the_shortest_text(values):
    assert exact.money(np.array(values)).tolist() == [floored(v, 10**8) for v in values]


@given(values=st.lists(st.decimals(0, 9 * 10**10, places=4), min_size=1, max_size=20))
def test_as_floats_gives_back_every_amount_of_15_digits(values):
    units = np.array([int(v * 10**8) for v in values])

    assert exact.as_floats(units).tolist() == [float(v) for v in values]
    assert exact.money(exact.as_floats(units)).tolist() == units.tolist()


@pytest.mark.parametrize(
    ("values", "decimals"),
    [([1.0, 200.0], 0), ([1.0, 0.5], 1), ([93548.8, 0.001], 3), ([0.1 + 0.2], 8), ([55287991622.0], 0), ([], 0)],
)
def test_decimals_of_is_the_finest_step(values, decimals):
    assert exact.decimals_of(np.array(values, dtype=float)) == decimals


@pytest.mark.parametrize(("prices", "decimals"), [([9354880000000, 9370000000000], 1), ([1], 8), ([10**17], 0)])
def test_price_decimals_is_the_finest_step(prices, decimals):
    assert exact.price_decimals(np.array(prices)) == decimals
