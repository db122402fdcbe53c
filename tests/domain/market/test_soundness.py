"""D6: whatever a feed hands out, what comes out of it can be true."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bitnerve.adapters.simulated.market import simulate
from bitnerve.domain.market.soundness import find_flaws, make_sound
from bitnerve.domain.timeframe import parse_instant
from bitnerve.domain.units import MONEY_MAX, PRICE_MAX

START = parse_instant("2026-01-01", field="start")
BARS = 40
SOUND = simulate(seed=5, symbol_count=3, start_at=START, bar_count=BARS)
PRICES = ("open", "high", "low", "close")
ROWS = (*PRICES, "volume", "quote_volume")
EVERYTHING = {"first": 0, "until": BARS, "stale_bars_max": 2, "jump_max": 50_000_000}

cells = st.tuples(
    st.sampled_from((*ROWS, "mark")),
    st.integers(1, BARS - 1),
    st.integers(0, 2),
    st.sampled_from([0, -1, 1, 2**62, -(2**63), 2**63 - 1, PRICE_MAX, PRICE_MAX + 1]),
)


def broken(changes):
    """Return the market with some of its numbers changed."""
    rows = {name: getattr(SOUND.candles, name).copy() for name in ROWS}
    mark = SOUND.mark.copy()
    for name, bar, column, value in changes:
        (mark if name == "mark" else rows[name])[bar, column] = value
    return replace(SOUND, candles=replace(SOUND.candles, **rows), mark=mark)


@given(changes=st.lists(cells, min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_D6_what_is_handed_on_can_be_true_whatever_came_in(changes):
    sound = make_sound(broken(changes))
    candles, mark = sound.recording.candles, sound.recording.mark
    for name in PRICES:
        price = getattr(candles, name)
        assert (price > 0).all()
        assert (price <= PRICE_MAX).all()
        assert (price <= candles.high).all()
        assert (price >= candles.low).all()
    assert ((candles.volume >= 0) & (candles.volume < 2**62)).all()
    assert ((candles.quote_volume >= 0) & (candles.quote_volume <= MONEY_MAX)).all()
    assert ((candles.quote_volume > 0) | (candles.volume == 0)).all()
    assert ((mark > 0) & (mark <= PRICE_MAX)).all()
    # What is sound already is left alone, and was not touched where nothing was wrong.
    again = make_sound(sound.recording)
    assert again.recording.mark is mark
    assert again.recording.candles is candles
    touched = {(bar, column) for name, bar, column, _ in changes if name != "mark"}
    same = np.ones((BARS, 3), dtype=bool)
    for bar, column in touched:
        same[bar, column] = False
    for name in ROWS:
        assert (getattr(candles, name)[same] == getattr(SOUND.candles, name)[same]).all()


@given(changes=st.lists(cells, min_size=1, max_size=6))
@settings(max_examples=100, deadline=None)
def test_D6_whoever_was_changed_into_the_impossible_is_named(changes):
    sound = make_sound(broken(changes))
    named = {symbol for symbol, rule in find_flaws(sound, **EVERYTHING) if rule.startswith("BAD")}
    for name, bar, column, _ in changes:
        row = sound.recording.mark if name == "mark" else getattr(sound.recording.candles, name)
        came = broken(changes)
        given_row = came.mark if name == "mark" else getattr(came.candles, name)
        if row[bar, column] != given_row[bar, column]:
            blank = all(getattr(came.candles, one)[bar, column] == 0 for one in ROWS)
            assert blank or SOUND.symbols[column] in named


def test_a_sound_market_has_no_flaws_and_is_the_same_market():
    sound = make_sound(SOUND)
    assert sound.recording.candles is SOUND.candles
    assert sound.recording.mark is SOUND.mark
    assert find_flaws(sound, **EVERYTHING) == []
