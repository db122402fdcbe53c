"""Which prices of a market can be true, and what stands in for those that cannot?

Rule D6: on a price that is absent, zero, negative or absurd, nobody takes new risk. A bar that cannot be true is no
bar: its symbol stands still at the last sound close, as in a bar without a trade.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from bitnerve.domain.kernel import INT64_MAX
from bitnerve.domain.market.recording import Candles, Integers, Recording
from bitnerve.domain.units import MONEY_MAX, PRICE_MAX, QUANTITY_MAX, SCALE

BAD_PRICE, BAD_RANGE, BAD_VOLUME, BAD_MARK = "BAD_PRICE", "BAD_RANGE", "BAD_VOLUME", "BAD_MARK"
STALE, JUMP = "STALE", "JUMP"
CROSSED_BOOK, BAD_QUOTE = "CROSSED_BOOK", "BAD_QUOTE"

_RULES = (BAD_PRICE, BAD_RANGE, BAD_VOLUME)
Codes = npt.NDArray[np.int8]


@dataclass(frozen=True, slots=True)
class Sound:
    """A recording that can be true, and what was wrong with the one that it was made from."""

    recording: Recording
    bars: Codes
    """[bar, symbol]: 0, or one more than the place of the rule that a bar broke."""
    marks: npt.NDArray[np.bool_]
    """[bar + 1, symbol]: whether a mark was no price."""


def make_sound(recording: Recording) -> Sound:
    """Return the recording with what cannot be true replaced; the same arrays where nothing is wrong."""
    candles = recording.candles
    most = [min(int(QUANTITY_MAX / one.lot_size), INT64_MAX) for one in recording.instruments]
    wrong = _wrong_bars(candles, np.array(most, dtype=np.int64))
    marks = _wrong_marks(recording.mark)
    mended = replace(
        recording,
        candles=_stand_still(candles, wrong > 0) if wrong.any() or _absent(candles).any() else candles,
        mark=_carry_on(recording.mark, marks) if marks.any() else recording.mark,
    )
    return Sound(mended, wrong, marks)


def _wrong_bars(candles: Candles, lots_max: Integers) -> Codes:
    prices = (candles.open, candles.high, candles.low, candles.close)
    is_blank = np.all([price == 0 for price in prices], axis=0)
    bad_price = np.any([(price <= 0) | (price > PRICE_MAX) for price in prices], axis=0) & ~is_blank
    highest, lowest = np.maximum(candles.open, candles.close), np.minimum(candles.open, candles.close)
    bad_range = (candles.high < highest) | (candles.low > lowest) | (candles.high < candles.low)
    bad_volume = (
        (candles.volume < 0) | (candles.quote_volume < 0) | ((candles.volume > 0) & (candles.quote_volume == 0))
    )
    bad_volume |= (candles.volume > lots_max) | (candles.quote_volume > MONEY_MAX)
    bad_volume |= is_blank & (candles.volume != 0)
    return np.select([bad_price, bad_range & ~is_blank, bad_volume], [1, 2, 3], 0).astype(np.int8)


def _absent(candles: Candles) -> npt.NDArray[np.bool_]:
    """Return where a bar is blank though its symbol had a price before."""
    return np.asarray((candles.close == 0) & (np.maximum.accumulate(candles.close, axis=0) > 0))


def _stand_still(candles: Candles, wrong: npt.NDArray[np.bool_]) -> Candles:
    gone = wrong | (candles.close <= 0)
    close = _last_sound(candles.close, gone)
    return replace(
        candles,
        open=np.where(gone, close, candles.open),
        high=np.where(gone, close, candles.high),
        low=np.where(gone, close, candles.low),
        close=close,
        volume=np.where(gone, 0, candles.volume),
        quote_volume=np.where(gone, 0, candles.quote_volume),
    )


def _wrong_marks(mark: Integers) -> npt.NDArray[np.bool_]:
    before = np.maximum.accumulate(mark, axis=0) > 0
    return np.asarray((mark < 0) | (mark > PRICE_MAX) | ((mark == 0) & before))


def _carry_on(mark: Integers, wrong: npt.NDArray[np.bool_]) -> Integers:
    return _last_sound(mark, wrong)


def _last_sound(values: Integers, wrong: npt.NDArray[np.bool_]) -> Integers:
    """Return each value, or the last one before it that is not wrong; 0 where there is none."""
    rows = np.where(wrong, -1, np.arange(len(values))[:, None])
    rows = np.maximum.accumulate(rows, axis=0)
    found = np.take_along_axis(values, np.maximum(rows, 0), axis=0)
    return np.where(rows >= 0, found, 0)


def find_flaws(sound: Sound, *, first: int, until: int, stale_bars_max: int, jump_max: int) -> list[tuple[str, str]]:
    """Return (symbol, rule) of everything wrong with the bars [first, until) and the marks behind them.

    `stale_bars_max` bars without a trade make a price stale; `jump_max` is the largest move of the last bar, a rate.
    """
    recording = sound.recording
    candles = recording.candles
    found: list[tuple[str, str]] = []
    for column, symbol in enumerate(recording.symbols):
        rules = [_RULES[code - 1] for code in sorted(set(sound.bars[first:until, column].tolist())) if code]
        if sound.marks[first + 1 : until + 1, column].any():
            rules.append(BAD_MARK)
        seen = candles.volume[max(0, until - stale_bars_max) : until, column]
        if until >= stale_bars_max and candles.close[until - 1, column] > 0 and not (seen > 0).any():
            rules.append(STALE)
        last, before = (int(candles.close[until - back, column]) if until >= back else 0 for back in (1, 2))
        if before > 0 and abs(last - before) * SCALE > jump_max * before:
            rules.append(JUMP)
        found += [(symbol, rule) for rule in rules]
    return found
