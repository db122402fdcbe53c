"""A market with its instruments, and its bars and marks around a race."""

from __future__ import annotations

from datetime import date

import numpy as np
from django.db import connection

from apps.market.models import Candle, Instrument, Mark, Market
from bitnerve.engine.export import season_document
from tests.factories.books import START, TICK_MS, WARM_UP_BARS, Race, decimal, instant

MONTHLY = ("market_candle", "market_mark", "trades_equitypoint", "trades_positionpoint")


def make_months(first: date, last: date) -> None:
    """Make room for rows between two days in every table that is kept by months."""
    months = {(year, month) for year in range(first.year, last.year + 1) for month in range(1, 13)}
    wanted = [date(*one, 1) for one in sorted(months) if (first.year, first.month) <= one <= (last.year, last.month)]
    with connection.cursor() as cursor:
        for table in MONTHLY:
            for day in wanted:
                cursor.execute("SELECT make_month(%s, %s)", [table, day])


def make_market(*, race: Race, slug: str) -> tuple[Market, dict[str, Instrument]]:
    """Store the race's market from a day before its start; return it with its instruments by symbol."""
    recording = race.run.recording
    candles = recording.candles
    until = instant(candles.start_at + len(candles.close) * candles.interval_ms)
    market = Market.objects.create(
        slug=slug,
        name="Built-in market",
        source=Market.Source.SIMULATED,
        parameters={"seed": race.run.seed, "start": START},
        interval_ms=candles.interval_ms,
        starts_at=instant(candles.start_at),
        collected_until=until,
    )
    # Rows that stay beyond a test keep their months, so a second season finds them made.
    make_months(instant(candles.start_at).date(), until.date())
    instruments = _make_instruments(race, market)
    first = WARM_UP_BARS - 288
    _store_candles(race, instruments, first)
    _store_marks(race, instruments, first)
    return market, instruments


def _make_instruments(race: Race, market: Market) -> dict[str, Instrument]:
    document = season_document(run=race.run, asset="USDT", sha256="")
    made = Instrument.objects.bulk_create(Instrument(market=market, **one) for one in document["instruments"])
    for instrument in made:
        instrument.refresh_from_db()
    return {instrument.symbol: instrument for instrument in made}


def _store_candles(race: Race, instruments: dict[str, Instrument], first: int) -> None:
    candles, symbols = race.run.recording.candles, race.run.symbols
    steps = [one.lot_numerator * (10**8 // one.lot_denominator) for one in race.run.recording.instruments]
    Candle.objects.bulk_create(
        [
            Candle(
                instrument=instruments[symbol],
                opened_at=instant(candles.start_at + bar * TICK_MS),
                **{
                    name: decimal(getattr(candles, name)[bar, column])
                    for name in ("open", "high", "low", "close", "quote_volume")
                },
                volume=decimal(candles.volume[bar, column], steps[column]),
            )
            for bar in range(first, len(candles.close))
            for column, symbol in enumerate(symbols)
        ],
        batch_size=2000,
    )


def _store_marks(race: Race, instruments: dict[str, Instrument], first: int) -> None:
    marks, start_at = np.asarray(race.run.recording.mark), race.run.recording.candles.start_at
    Mark.objects.bulk_create(
        [
            Mark(
                instrument=instruments[symbol], at=instant(start_at + bar * TICK_MS), price=decimal(marks[bar, column])
            )
            for bar in range(first, len(marks))
            for column, symbol in enumerate(race.run.symbols)
        ],
        batch_size=2000,
    )
