"""Are the recorded bars of a symbol what bars must be: on their grid, finite, above zero, high over low?"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from bitnerve.adapters.recordings.exact import finer_than
from bitnerve.adapters.recordings.parquet import Schema
from bitnerve.adapters.recordings.rows import Floats, Integers, Rows, check_times, refuse_first
from bitnerve.domain.errors import Refusal
from bitnerve.domain.timeframe import interval_text, parse_interval
from bitnerve.domain.units import DECIMALS, MONEY_MAX, PRICE_MAX, SCALE, floats_to_units

PRICES = ("open", "high", "low", "close")
BAR_SCHEMA = Schema(
    texts=("exchange", "market", "interval"),
    numbers=(*PRICES, "volume"),
    optional=("quote_volume",),
)
MARK = "mark"
VOLUME_MAX = 10**15
"""Base units in a bar: an order may hold 10¹², but a bar sums up many; some coins trade more in an hour."""


class MixedIntervals(Refusal):
    """Bars of different lengths where one length is needed."""

    code = "MIXED_INTERVALS"


class AmbiguousMarket(Refusal):
    """Bars of one symbol from two exchanges or two kinds of market."""

    code = "AMBIGUOUS_MARKET"


class WrongMarket(Refusal):
    """Mark prices given as candles, or candles given as mark prices."""

    code = "WRONG_MARKET"


class OffGrid(Refusal):
    """A bar that does not open on a multiple of its interval."""

    code = "OFF_GRID"


class NotFinite(Refusal):
    """A missing, undefined or infinite number."""

    code = "NOT_FINITE"


class PriceOutOfRange(Refusal):
    """A price that is zero, negative or beyond what 64 bits of units can hold."""

    code = "PRICE_OUT_OF_RANGE"


class TooFinePrice(Refusal):
    """A traded price with more decimals than units have."""

    code = "TOO_FINE_PRICE"


class BrokenBar(Refusal):
    """A bar whose high and low do not enclose its other prices."""

    code = "BROKEN_BAR"


class VolumeOutOfRange(Refusal):
    """A volume that is negative or beyond what 64 bits can hold."""

    code = "VOLUME_OUT_OF_RANGE"


@dataclass(frozen=True, slots=True)
class Bars:
    """The checked bars of one symbol: prices in units, volumes as recorded."""

    rows: Rows
    exchange: str
    market: str
    interval_ms: int
    open: Integers
    high: Integers
    low: Integers
    close: Integers
    volume: Floats
    """Base units; 0 throughout for mark prices."""
    quote_volume: Floats
    """NaN where the source had none."""

    @property
    def symbol(self) -> str:
        """The symbol of all these bars."""
        return self.rows.symbol

    @property
    def at(self) -> Integers:
        """The milliseconds at which each bar opens."""
        return self.rows.at


def make_candle_bars(rows: Rows) -> Bars:
    """Return the bars of a traded market, or raise for the first row that breaks a rule.

    Prices must be whole units: an order could otherwise never meet the price that was traded.
    """
    if rows.text("market") == MARK:
        raise WrongMarket(f"{rows.place(0)}: market is {MARK!r}: mark prices are not candles", file=rows.file)
    bars = _make_bars(rows, volume=rows.numbers("volume"), quote_volume=rows.numbers("quote_volume"))
    for field in PRICES:
        too_fine = finer_than(rows.numbers(field), DECIMALS)
        refuse_first(TooFinePrice, too_fine, rows, field, f"must have at most {DECIMALS} decimals")
    _check_volumes(bars)
    return bars


def make_mark_bars(rows: Rows) -> Bars:
    """Return bars of mark prices, or raise for the first row that breaks a rule.

    A mark is computed, not traded: one finer than units are is floored. Its volume, 0 by nature, is ignored.
    """
    market = rows.text("market")
    if market != MARK:
        raise WrongMarket(f"{rows.place(0)}: market is {market!r}: mark prices need {MARK!r}", file=rows.file)
    nothing = np.zeros(len(rows.row))
    return _make_bars(rows, volume=nothing, quote_volume=nothing)


def common_interval(bars: Iterable[Bars]) -> int:
    """Return the one interval of all these bars, in milliseconds, or raise `MixedIntervals`."""
    first, *others = bars
    for other in others:
        if other.interval_ms != first.interval_ms:
            one, two = interval_text(first.interval_ms), interval_text(other.interval_ms)
            raise MixedIntervals(
                f"{first.rows.place(0)} has an interval of {one}, {other.rows.place(0)} one of {two}; "
                "all bars must have the same",
                intervals=(one, two),
            )
    return first.interval_ms


def _make_bars(rows: Rows, *, volume: Floats, quote_volume: Floats) -> Bars:
    _check_constant(rows, "exchange", AmbiguousMarket)
    _check_constant(rows, "market", AmbiguousMarket)
    _check_constant(rows, "interval", MixedIntervals)
    check_times(rows)
    interval = rows.text("interval")
    interval_ms = parse_interval(interval, field=f"{rows.place(0)}: interval")
    past = rows.at % interval_ms
    refuse_first(OffGrid, past != 0, rows, "ts", f"must be a multiple of {interval}", milliseconds_past=past)
    bars = Bars(
        rows=rows,
        exchange=rows.text("exchange"),
        market=rows.text("market"),
        interval_ms=interval_ms,
        open=_prices(rows, "open"),
        high=_prices(rows, "high"),
        low=_prices(rows, "low"),
        close=_prices(rows, "close"),
        volume=volume,
        quote_volume=quote_volume,
    )
    _check_shape(bars)
    return bars


def _check_constant(rows: Rows, field: str, error: type[Refusal]) -> None:
    column = rows.table.column(field)
    if len(column.unique()) == 1:
        return
    texts = column.to_pylist()
    index = next(index for index, text in enumerate(texts) if text != texts[0])
    raise error(
        f"{rows.place(index)}: {field} is {texts[index]!r}, before {texts[0]!r}; a symbol must have one",
        file=rows.file,
        row=int(rows.row[index]),
        symbol=rows.symbol,
        field=field,
    )


def _prices(rows: Rows, field: str) -> Integers:
    values = rows.numbers(field)
    refuse_first(NotFinite, ~np.isfinite(values), rows, field, "must be finite")
    outside = (values <= 0) | (values > PRICE_MAX / SCALE)
    refuse_first(PriceOutOfRange, outside, rows, field, f"must be above 0 and at most {PRICE_MAX // SCALE}")
    prices = floats_to_units(values)
    refuse_first(PriceOutOfRange, prices < 1, rows, field, f"must be at least 10^-{DECIMALS}")
    return prices


def _check_shape(bars: Bars) -> None:
    """Raise for the first high below its low, or open or close outside them."""
    rows = bars.rows
    enclosing = {"low": rows.numbers("low"), "high": rows.numbers("high")}
    refuse_first(BrokenBar, bars.high < bars.low, rows, "high", "must not be below low", **enclosing)
    for field, prices in (("open", bars.open), ("close", bars.close)):
        outside = (prices < bars.low) | (prices > bars.high)
        found = {field: rows.numbers(field), **enclosing}
        refuse_first(BrokenBar, outside, rows, field, "must lie in [low, high]", **found)


def _check_volumes(bars: Bars) -> None:
    rows, volume, quote, close = bars.rows, bars.volume, bars.quote_volume, bars.rows.numbers("close")
    money_max = MONEY_MAX // SCALE
    refuse_first(NotFinite, ~np.isfinite(volume), rows, "volume", "must be finite")
    refuse_first(NotFinite, np.isinf(quote), rows, "quote_volume", "must be finite, or missing")
    for field, amounts, most in (("volume", volume, VOLUME_MAX), ("quote_volume", quote, money_max)):
        outside = (amounts < 0) | (amounts > most)
        refuse_first(VolumeOutOfRange, outside, rows, field, f"must lie in [0, {most}]")
    beyond = np.isnan(quote) & (volume * close > money_max)
    rule = f"times close must be at most {money_max}"
    refuse_first(VolumeOutOfRange, beyond, rows, "volume", rule, volume=volume, close=close)
    contradictory = (quote == 0) & (volume > 0)
    rule = "must be above 0, or missing, where volume is above 0"
    refuse_first(VolumeOutOfRange, contradictory, rows, "quote_volume", rule, quote_volume=quote, volume=volume)
