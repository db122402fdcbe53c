"""D5: of several scopes the tightest wins."""

from dataclasses import fields, replace

import pytest

from bitnerve.domain.risk.limits import Limits, tightest

BOUNDS = [field.name for field in fields(Limits) if field.name != "symbols"]


@pytest.mark.parametrize("name", BOUNDS)
def test_D5_the_smallest_of_each_bound_wins_wherever_it_stands(name):
    loose = Limits()
    tight = replace(loose, **{name: getattr(loose, name) - 1})
    assert tightest(loose, tight) == tightest(tight, loose) == tightest(loose, tight, loose) == tight


def test_D5_bounds_of_different_scopes_combine():
    combined = tightest(Limits(leverage_max=3), Limits(orders_max=7), Limits(stale_bars_max=1))
    assert combined == Limits(leverage_max=3, orders_max=7, stale_bars_max=1)


@pytest.mark.parametrize(
    ("scopes", "left"),
    [
        ([None, None], None),
        ([None, {"A", "B"}], {"A", "B"}),
        ([{"A", "B"}, {"B", "C"}], {"B"}),
        ([{"A"}, {"B"}], set()),
        ([{"A"}, None, {"A"}], {"A"}),
    ],
)
def test_D5_only_symbols_that_every_scope_allows(scopes, left):
    limits = [Limits(symbols=None if one is None else frozenset(one)) for one in scopes]
    assert tightest(*limits).symbols == left


def test_one_scope_is_itself():
    assert tightest(Limits(leverage_max=2)) == Limits(leverage_max=2)
