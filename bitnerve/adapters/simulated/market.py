"""What has the simulated market printed, from a seed and a start on?

It stands in for recorded data in tests, demonstrations and paper seasons without a network. It reproduces the
measured facts of CALIBRATION and pays nobody for foresight: prices are martingales, given everything before.
What it does pay is funding, as measured; who collects it bears the risk of the price.

CALIBRATION, which comments of this room name, are the measured tables in `tests/adapters/simulated/table.py`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bitnerve.adapters.simulated.factors import BAR_MS, Factors, make_factors
from bitnerve.adapters.simulated.funding import make_funding
from bitnerve.adapters.simulated.names import SYMBOLS, rank_of
from bitnerve.adapters.simulated.paths import BASIS, Columns, mark_units, start_state, trace
from bitnerve.adapters.simulated.universe import OWN_HOUR, OWN_TIDE_MOOD, OWN_WEEKDAY, Listing, make_listing
from bitnerve.adapters.simulated.volatility import drive, start_levels
from bitnerve.domain.errors import Refusal
from bitnerve.domain.market.recording import Candles, Recording, Source
from bitnerve.domain.timeframe import DAY_MS, HOUR_MS

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

INTERVAL_MAX_MS = 4 * HOUR_MS
_CHUNK_BARS = 2016
"""Bars of five minutes that are worked on at a time: a week, so that what is written stays in the cache."""
_VERSION = 1
"""Part of the recording's fingerprint; raised by whoever changes what a seed yields."""


class BadMarket(Refusal):
    """A market that cannot be simulated as asked."""

    code = "BAD_MARKET"


def simulate(
    *,
    seed: int,
    start_at: int,
    bar_count: int,
    symbol_count: int | None = None,
    symbols: Sequence[str] | None = None,
    interval_ms: int = BAR_MS,
    with_halts: bool = False,
) -> Recording:
    """Return the recording of `bar_count` bars from `start_at` (milliseconds) on, columns sorted by symbol.

    Give `symbol_count`, for the symbols of rank 0 (BTCUSDT) upward, or `symbols` by name. The interval is a
    multiple of five minutes that divides four hours, and divides `start_at`. A longer simulation, further
    symbols or a longer interval change nothing about what they have in common. `with_halts` lets the exchange
    stand still now and then, as the recorded one did. Raises `BadMarket` or `UnknownSymbol`.
    """
    _check(seed, start_at, bar_count, interval_ms)
    listings = _list(seed, symbol_count, symbols)
    ratio = interval_ms // BAR_MS
    first_bar = start_at // BAR_MS
    shared = make_factors(seed=seed, first_bar=first_bar, count=bar_count * ratio, with_halts=with_halts)
    columns = _make_columns(bar_count, len(listings))
    runs = [_Run(seed, listing, first_bar) for listing in listings]
    chunk = max(1, _CHUNK_BARS // ratio)
    for begin in range(0, bar_count, chunk):
        end = min(begin + chunk, bar_count)
        part = _slice(columns, begin, end)
        fine = part if ratio == 1 else _make_columns((end - begin) * ratio, len(listings))
        piece = Factors(*(series[begin * ratio : end * ratio] for series in shared))
        for column, run in enumerate(runs):
            run.trace(piece, first_bar + begin * ratio, column, fine)
        if ratio > 1:
            _merge(fine, ratio, part)
    for column, run in enumerate(runs):
        columns.mark[0, column] = run.first_mark
    return Recording(
        instruments=tuple(listing.instrument for listing in listings),
        candles=Candles(
            start_at=start_at,
            interval_ms=interval_ms,
            open=columns.open,
            high=columns.high,
            low=columns.low,
            close=columns.close,
            volume=columns.volume,
            quote_volume=columns.quote_volume,
        ),
        mark=columns.mark,
        mark_path=None,
        funding=make_funding(
            seed=seed,
            listings=listings,
            start_at=start_at,
            interval_ms=interval_ms,
            prices=np.vstack([columns.open[:1], columns.close]),
        ),
        sources=(_name_source(seed, start_at, interval_ms, with_halts),),
    )


def _check(seed: int, start_at: int, bar_count: int, interval_ms: int) -> None:
    if not 0 <= seed < 2**63:
        raise BadMarket(f"seed: {seed} is outside 0..2^63 - 1", seed=seed)
    if interval_ms < BAR_MS or interval_ms % BAR_MS or INTERVAL_MAX_MS % interval_ms:
        raise BadMarket(
            f"interval_ms: {interval_ms} is not a multiple of {BAR_MS} that divides {INTERVAL_MAX_MS}",
            interval_ms=interval_ms,
        )
    if start_at < DAY_MS or start_at % interval_ms:
        raise BadMarket(
            f"start_at: {start_at} is not a multiple of {interval_ms} from 1970-01-02 on", start_at=start_at
        )
    if bar_count < 1:
        raise BadMarket(f"bar_count: {bar_count} is below 1", bar_count=bar_count)


def _list(seed: int, symbol_count: int | None, symbols: Sequence[str] | None) -> list[Listing]:
    """Return the listings asked for, sorted by symbol."""
    if (symbol_count is None) == (symbols is None):
        raise BadMarket("symbol_count, symbols: give one of the two")
    if symbol_count is not None and not 1 <= symbol_count <= len(SYMBOLS):
        raise BadMarket(f"symbol_count: {symbol_count} is outside 1..{len(SYMBOLS)}", found=symbol_count)
    chosen = SYMBOLS[:symbol_count] if symbols is None else symbols
    if not chosen or len(set(chosen)) < len(chosen):
        raise BadMarket(f"symbols: {len(chosen)}, of which {len(set(chosen))} differ", symbols=list(chosen))
    listings = [make_listing(seed=seed, rank=rank_of(symbol)) for symbol in chosen]
    return sorted(listings, key=lambda listing: listing.instrument.symbol)


class _Run:
    """One symbol on its way through the bars."""

    def __init__(self, seed: int, listing: Listing, first_bar: int) -> None:
        self._seed, self._listing = seed, listing
        self._levels = start_levels(seed, listing.stream, first_bar, listing.own.amplitude)
        self._state = start_state(seed, listing.stream, first_bar, listing.start_ticks)
        character = listing.character
        deviation = character.basis + character.basis_sd * self._state[BASIS]
        self.first_mark = mark_units(listing.start_ticks * character.tick_units, deviation)

    def trace(self, shared: Factors, at: int, column: int, out: Columns) -> None:
        """Write the bars of the shared factors, from bar `at` on, into a column."""
        seed, stream, listing = self._seed, self._listing.stream, self._listing
        background = (
            OWN_HOUR * shared.sigma_hour
            + OWN_WEEKDAY * shared.sigma_weekday
            + listing.own_mood * shared.mood
            + listing.own_mood * OWN_TIDE_MOOD * shared.tide_mood
        )
        own, own_variance, _ = drive(seed, stream, at, background, self._levels, listing.own)
        trace(seed, stream, at, shared, own, own_variance, listing.character, self._state, column, out)


def _make_columns(bars: int, symbols: int) -> Columns:
    shapes = [(bars, symbols)] * 6 + [(bars + 1, symbols)]
    return Columns(*(np.zeros(shape, dtype=np.int64) for shape in shapes))


def _slice(columns: Columns, begin: int, end: int) -> Columns:
    rows = [slice(begin, end)] * 6 + [slice(begin, end + 1)]
    return Columns(*(values[row] for values, row in zip(columns, rows, strict=True)))


def _merge(fine: Columns, ratio: int, out: Columns) -> None:
    """Write bars that consist of `ratio` finer ones each."""
    out.open[:], out.close[:] = fine.open[::ratio], fine.close[ratio - 1 :: ratio]
    for reduce, source, target in (
        (np.maximum, fine.high, out.high),
        (np.minimum, fine.low, out.low),
        (np.add, fine.volume, out.volume),
        (np.add, fine.quote_volume, out.quote_volume),
    ):
        reduce.reduce(source.reshape(len(target), ratio, -1), axis=1, out=target)
    out.mark[1:] = fine.mark[ratio::ratio]


def _name_source(seed: int, start_at: int, interval_ms: int, with_halts: bool) -> Source:
    facts = {
        "version": _VERSION,
        "seed": seed,
        "start_at": start_at,
        "interval_ms": interval_ms,
        "halts": with_halts,
    }
    return Source(name="simulated", sha256=hashlib.sha256(json.dumps(facts).encode()).hexdigest())
