"""The 128-bit arithmetic against Python's integers, over the full range of 64 bits, in both kernel modes."""

from math import isqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitnerve.domain import arithmetic
from bitnerve.domain.arithmetic import DOWN, HALF_EVEN, UP
from bitnerve.domain.kernel import INT64_MAX, kernel
from tests.engine.profiles import PROPERTY
from tests.engine.worker import Worker

roundings = st.sampled_from([DOWN, UP, HALF_EVEN])
small = st.integers(-1_000, 1_000)
near_powers = st.builds(
    lambda bits, off, sign: sign * (2**bits + off), st.integers(1, 62), st.integers(-2, 2), st.sampled_from([1, -1])
)
signed = st.one_of(st.integers(-INT64_MAX, INT64_MAX), near_powers, small)
natural = signed.map(abs)
positive = natural.map(lambda value: max(1, value))


def rounded(numerator, divisor, rounding):
    quotient, rest = divmod(numerator, divisor)
    if rounding == HALF_EVEN:
        return quotient + (2 * rest > divisor or (2 * rest == divisor and quotient % 2 == 1))
    return quotient + (rounding == UP and rest > 0)


def agrees(function, arguments, expected):
    """Both modes return the expected number, or refuse what does not fit."""
    answers = Worker.shared().call("bitnerve.domain.arithmetic", function.__name__, [list(arguments)])
    if abs(expected) > INT64_MAX:
        with pytest.raises(OverflowError):
            function(*arguments)
        assert answers == [None]
    else:
        assert function(*arguments) == expected
        assert answers == [expected]


@PROPERTY
@given(a=signed, b=signed, c=positive, rounding=roundings)
def test_mul_div_is_exact_or_refuses(a, b, c, rounding):
    agrees(arithmetic.mul_div, (a, b, c, rounding), rounded(a * b, c, rounding))


@PROPERTY
@given(a=signed, b=signed, c=positive)
def test_mul_div_down_is_mul_div_rounded_down(a, b, c):
    agrees(arithmetic.mul_div_down, (a, b, c), a * b // c)


@PROPERTY
@given(
    quotient=st.integers(-(2**51), 2**51),
    c=st.one_of(st.sampled_from([1, 3, 7, 100, 10**8]), st.integers(1, 2**53)),
    off=st.integers(-1, 1),
)
def test_mul_div_down_mends_the_float_beside_every_whole_quotient(quotient, c, off):
    product = quotient * c + off
    factor = 1 if product % 2 else 2
    if abs(product) // factor <= INT64_MAX:
        agrees(arithmetic.mul_div_down, (product // factor, factor, c), product // c)


@PROPERTY
@given(a=signed, c=positive, doubled=st.integers(0, 2**31))
def test_mul_div_rounds_ties_to_the_even_neighbor(a, c, doubled):
    agrees(
        arithmetic.mul_div,
        (2 * doubled + 1, c, 2 * c, HALF_EVEN) if c < 2**62 else (a, 1, 2, HALF_EVEN),
        rounded((2 * doubled + 1) * c, 2 * c, HALF_EVEN) if c < 2**62 else rounded(a, 2, HALF_EVEN),
    )


@PROPERTY
@given(a=signed, b=signed)
def test_checked_add_is_exact_or_refuses(a, b):
    if a + b != -(2**63):
        agrees(arithmetic.checked_add, (a, b), a + b)


@PROPERTY
@given(a=natural, b=natural, c=positive)
def test_sqrt_mul_div_up_is_the_smallest_root_that_is_enough(a, b, c):
    needed = -(-(a * b) // c)
    agrees(arithmetic.sqrt_mul_div_up, (a, b, c), isqrt(needed - 1) + 1 if needed else 0)


@kernel
def products_divided(a, b, c, d, divisor, rounding):
    total = arithmetic.wide_add(arithmetic.wide_product(a, b), arithmetic.wide_negate(arithmetic.wide_product(c, d)))
    return arithmetic.wide_divide(total, divisor, rounding)


@kernel
def scaled(a, b, c, divisor, rounding):
    return arithmetic.wide_divide(arithmetic.wide_scale(arithmetic.wide_product(a, b), c), divisor, rounding)


@kernel
def is_product_less(a, b, c, d):
    return arithmetic.wide_less(arithmetic.wide_product(a, b), arithmetic.wide_product(c, d))


def fits(function, arguments, expected):
    if abs(expected) > INT64_MAX:
        with pytest.raises(OverflowError):
            function(*arguments)
    else:
        assert function(*arguments) == expected


half = st.integers(-(2**62), 2**62)


@PROPERTY
@given(a=half, b=half, c=half, d=half, divisor=positive, rounding=roundings)
def test_a_wide_difference_of_products_divides_exactly(a, b, c, d, divisor, rounding):
    fits(products_divided, (a, b, c, d, divisor, rounding), rounded(a * b - c * d, divisor, rounding))


@PROPERTY
@given(a=signed, b=signed, c=signed, divisor=positive, rounding=roundings)
def test_a_scaled_wide_number_divides_exactly_or_refuses(a, b, c, divisor, rounding):
    if abs(a * b * c) < 2**127:
        fits(scaled, (a, b, c, divisor, rounding), rounded(a * b * c, divisor, rounding))
    else:
        with pytest.raises(OverflowError):
            scaled(a, b, c, divisor, rounding)


@PROPERTY
@given(a=signed, b=signed, c=signed, d=signed, same=st.booleans())
def test_wide_numbers_compare_like_integers(a, b, c, d, same):
    if same:
        c, d = b, a
    assert is_product_less(a, b, c, d) == (a * b < c * d)
