"""Do integers come out of the database as they went in?"""

from decimal import Decimal

import numpy as np
import pytest
from django.db import connection
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.common import exact
from bitnerve.domain.units import MONEY_MAX, as_decimal, money_units

pytestmark = pytest.mark.django_db

UNITS = st.integers(-MONEY_MAX, MONEY_MAX)


def read(expression, values):
    """Return what an expression makes of one row of values."""
    source, parameters = exact.rows_of(values)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {expression} FROM {source}", parameters)
        return cursor.fetchone()[0]


@given(units=UNITS)
@settings(max_examples=100, deadline=None)
def test_M1_units_are_written_and_read_as_the_door_would(units):
    values = {"cash": (exact.UNITS, [units])}
    written = read(exact.written(values)["cash"], values)

    assert written == as_decimal(units)
    assert money_units(Decimal(written), field="cash") == units
    assert read(exact.units(exact.written(values)["cash"]), values) == units


@given(first=UNITS, second=UNITS)
@settings(max_examples=50, deadline=None)
def test_M1_a_difference_is_read_whole(first, second):
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {exact.units('a - b')} FROM (SELECT %s::numeric, %s::numeric) AS row (a, b)",
            [as_decimal(first), as_decimal(second)],
        )
        assert cursor.fetchone()[0] == first - second


@given(at=st.integers(0, 4_102_444_800_000))
@settings(max_examples=100, deadline=None)
def test_M8_an_instant_keeps_its_millisecond(at):
    values = {"at": (exact.TIME, [at])}

    assert read(exact.milliseconds(exact.written(values)["at"]), values) == at


def test_a_million_rows_are_read_as_they_are(db):
    with connection.cursor() as cursor:
        rows = exact.read_integers(
            cursor, "SELECT n::bigint, -n::bigint FROM generate_series(1, %s) AS n ORDER BY n", [1_000_000], 2
        )
    assert rows.shape == (1_000_000, 2)
    assert np.array_equal(rows[:, 0], np.arange(1, 1_000_001))
    assert np.array_equal(rows[:, 1], -rows[:, 0])


def test_no_rows_are_read_as_none(db):
    with connection.cursor() as cursor:
        assert exact.read_integers(cursor, "SELECT 1::bigint WHERE %s = 0", [1], 1).shape == (0, 1)
