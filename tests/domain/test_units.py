"""SAFETY M2, M5 and M6: what may come in as a number, how far it may reach, and which way each kind rounds."""

from decimal import Decimal
from fractions import Fraction
from math import ceil, floor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitnerve.domain import units
from bitnerve.domain.units import BadNumber
from tests.engine.profiles import PROPERTY

ONE = units.SCALE
notionals = st.integers(0, units.MONEY_MAX)
rates = st.integers(-(10**6), 10**6)
ticks = st.sampled_from([1, 7, 100, 10**6, 5 * 10**7, 10**12])
prices = st.integers(1, units.PRICE_MAX)


@pytest.mark.parametrize(
    "text",
    [
        *("", "-1", "+1", "1e5", "1_000", " 1", "1 ", "01", ".5", "1.", "1.0000000000001", "1" * 19),
        *("٣", "１", "NaN", "inf", "1\n", "0x1", "1,5", True, 1, 1.0, None, Decimal(1)),
    ],
)
def test_M2_only_plain_ascii_digits_are_a_number(text):
    with pytest.raises(BadNumber):
        units.parse_decimal(text, field="quantity")


@PROPERTY
@given(whole=st.integers(0, 10**18 - 1), fraction=st.from_regex(r"\A(\.[0-9]{1,12})?\Z"))
def test_M2_plain_digits_are_taken_exactly(whole, fraction):
    text = f"{whole}{fraction}"
    assert units.parse_decimal(text, field="price") == Decimal(text)


@pytest.mark.parametrize("text", ["1e2000000", "1000000001", "-1", "0", "1e-9", "0.000000001", "Infinity", "NaN"])
def test_M5_a_price_is_in_range_before_anything_else(text):
    with pytest.raises((BadNumber, ArithmeticError)):
        units.price_units(Decimal(text), field="price")


@pytest.mark.parametrize("text", ["90000000000.00000001", "-90000000000.00000001", "1e2000000", "0.000000001"])
def test_M5_money_is_in_range_before_anything_else(text):
    with pytest.raises(BadNumber):
        units.money_units(Decimal(text), field="amount")


@PROPERTY
@given(amount=st.integers(-units.MONEY_MAX, units.MONEY_MAX))
def test_M1_decimal_text_and_units_are_the_same_number(amount):
    text = units.decimal_text(amount)
    assert "e" not in text.lower()
    assert units.money_units(Decimal(text), field="amount") == amount
    assert units.as_decimal(amount) == Decimal(text)


@PROPERTY
@given(value=st.floats(1e-8, 1e9), decimals=st.sampled_from([2, 8]))
def test_M1_a_recorded_float_is_its_shortest_text(value, decimals):
    (found,) = units.floats_to_units(np.array([value]), decimals)
    assert found == floor(Fraction(repr(value)) * 10**decimals)


@PROPERTY
@given(notional=notionals, rate=rates)
def test_M6_a_fee_rounds_up_and_a_rebate_to_the_smaller_one(notional, rate):
    exact = Fraction(notional * rate, ONE)
    fee = units.fee_units(notional, rate)
    assert fee == ceil(exact)
    assert fee >= exact


@PROPERTY
@given(cost=st.integers(-units.MONEY_MAX, units.MONEY_MAX), held=st.integers(1, 10**15), share=st.fractions(0, 1))
def test_M6_removed_cost_is_half_even_and_the_last_part_exact(cost, held, share):
    closed = int(held * share)
    assert units.cost_removed_units(cost, closed, held) == round(Fraction(cost * closed, held))
    assert units.cost_removed_units(cost, held, held) == cost


@PROPERTY
@given(price=prices, tick=ticks)
def test_M6_limits_and_stops_go_to_the_tick_of_less_risk(price, tick):
    below, above = units.price_floor(price, tick), units.price_ceiling(price, tick)
    assert below % tick == above % tick == 0
    assert below <= price <= above
    assert above - below == (0 if price % tick == 0 else tick)
    assert units.protective_stop(price, tick, True) == above
    assert units.protective_stop(price, tick, False) == below


@PROPERTY
@given(
    lots=st.integers(0, 10**9), rest=st.fractions(0, Fraction(999, 1000)), lot=st.sampled_from(["0.001", "1", "1000"])
)
def test_M6_a_quantity_goes_toward_zero(lots, rest, lot):
    value = Decimal(lots) * Decimal(lot) + Decimal(floor(rest * 1000)) * Decimal(lot) / 1000
    assert units.quantity_lots(value, lot_size=Decimal(lot)) == lots


@PROPERTY
@given(value=st.decimals("-100", "100", places=12))
def test_M6_a_fine_rate_rounds_half_even_once(value):
    assert units.rate_units(value, field="rate") == round(Fraction(value) * ONE)
