"""Open markets, and store what they print."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from django.db import connection, transaction

from apps.common import exact
from apps.market.models import Instrument, Market, Snapshot
from apps.market.selectors import Window
from bitnerve.adapters.feeds.recorded import RecordedFeed
from bitnerve.adapters.feeds.simulated import SimulatedFeed
from bitnerve.adapters.feeds.sound import SoundFeed
from bitnerve.adapters.recordings import load_recording
from bitnerve.domain.market.instrument import Instrument as Contract
from bitnerve.domain.market.recording import Recording
from bitnerve.domain.risk.limits import Limits
from bitnerve.engine.export import instrument_document
from bitnerve.engine.ports import Feed
from bitnerve.engine.snapshots import begin_snapshots, snapshot_digest

_CANDLES = ("open", "high", "low", "close", "quote_volume")
_BATCH_BARS = 1152
"""Bars that are stored in one statement: four days of five minutes."""

_EPOCH, _MILLISECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)

_feeds: dict[int, SoundFeed] = {}


def make_instant(at_ms: int) -> datetime:
    """Return an instant given in milliseconds."""
    return _EPOCH + timedelta(milliseconds=at_ms)


def at_ms(instant: datetime) -> int:
    """Return an instant in milliseconds."""
    return (instant - _EPOCH) // _MILLISECOND


def open_feed(market: Market) -> SoundFeed:
    """Return this process's feed of a market, which hands out nothing that cannot be true."""
    if market.pk not in _feeds:
        _feeds[market.pk] = SoundFeed(_make_feed(market))
    return _feeds[market.pk]


def close_feeds() -> None:
    """Forget every feed, as a new process would."""
    _feeds.clear()


def _make_feed(market: Market) -> Feed:
    parameters: dict[str, Any] = market.parameters
    if market.source == Market.Source.SIMULATED:
        return SimulatedFeed(
            seed=parameters["seed"], start_at=at_ms(market.starts_at), symbol_count=parameters["symbol_count"]
        )
    return RecordedFeed(
        load_recording(
            candles=[Path(name) for name in parameters["candles"]],
            funding=[Path(name) for name in parameters.get("funding", ())],
            mark=[Path(name) for name in parameters.get("mark", ())],
            tiers=Path(parameters["tiers"]) if parameters.get("tiers") else None,
            filters=Path(parameters["filters"]) if parameters.get("filters") else None,
            symbols=parameters.get("symbols"),
        )
    )


@transaction.atomic
def create_market(*, slug: str, name: str, source: str, starts_at: datetime, parameters: dict[str, Any]) -> Market:
    """Create a market with the instruments of its feed, or raise the feed's refusal.

    A simulated one begins at `starts_at`; a recorded one when its recording begins.
    """
    market = Market(slug=slug, name=name, source=source, parameters=parameters, starts_at=starts_at)
    feed = SoundFeed(_make_feed(market))
    recording = feed.recording(1)
    market.starts_at = make_instant(recording.candles.start_at)
    market.collected_until = market.starts_at
    market.interval_ms = recording.candles.interval_ms
    market.save()
    _feeds[market.pk] = feed
    Instrument.objects.bulk_create(_instrument(market, contract) for contract in recording.instruments)
    _store_marks(market, recording, 0, 1)
    return market


def _instrument(market: Market, contract: Contract) -> Instrument:
    document = instrument_document(contract)
    del document["symbol"]
    return Instrument(market=market, symbol=contract.symbol, **document)


def bars_until(market: Market, at: datetime) -> int:
    """Return the number of bars that have closed by an instant."""
    return max(0, at_ms(at) - at_ms(market.starts_at)) // market.interval_ms


def collect(market: Market, *, until: datetime) -> Market:
    """Store every bar that has closed by `until`, with its marks and funding, and return the market as it is then.

    Safe to run again and beside itself: what is stored stays.
    """
    feed = open_feed(market)
    with transaction.atomic():
        market = Market.objects.select_for_update().get(pk=market.pk)
        first = bars_until(market, market.collected_until)
        last = bars_until(market, until)
        if feed.bar_count is not None:
            last = min(last, feed.bar_count)
        if last > first:
            recording = feed.recording(last)
            for begin in range(first, last, _BATCH_BARS):
                _store_bars(market, recording, begin, min(begin + _BATCH_BARS, last))
            _store_funding(market, recording, first, last)
            market.collected_until = make_instant(recording.bar_at(last))
            market.save(update_fields=["collected_until"])
    return market


def _store_bars(market: Market, recording: Recording, first: int, last: int) -> None:
    candles, ids = recording.candles, _instrument_ids(market)
    traded = candles.open[first:last] > 0
    bars, columns = np.nonzero(traded)
    values: dict[str, tuple[exact.Kind, Any]] = {
        "instrument_id": (exact.INTEGER, np.array(ids)[columns]),
        "opened_at": (exact.TIME, candles.start_at + (first + bars) * candles.interval_ms),
        "volume": (exact.LOTS, candles.volume[first:last][traded]),
    }
    for name in _CANDLES:
        values[name] = (exact.UNITS, getattr(candles, name)[first:last][traded])
    _make_months("market_candle", recording, first, last)
    with connection.cursor() as cursor:
        exact.insert(cursor, "market_candle", values, ending="ON CONFLICT DO NOTHING")
    _store_marks(market, recording, first + 1, last + 1)


def _store_marks(market: Market, recording: Recording, first: int, last: int) -> None:
    mark = recording.mark[first:last]
    bars, columns = np.nonzero(mark > 0)
    if not len(bars):
        return
    candles = recording.candles
    _make_months("market_mark", recording, first, last)
    with connection.cursor() as cursor:
        exact.insert(
            cursor,
            "market_mark",
            {
                "instrument_id": (exact.INTEGER, np.array(_instrument_ids(market))[columns]),
                "at": (exact.TIME, candles.start_at + (first + bars) * candles.interval_ms),
                "price": (exact.UNITS, mark[bars, columns]),
            },
            ending="ON CONFLICT DO NOTHING",
        )


def _store_funding(market: Market, recording: Recording, first: int, last: int) -> None:
    """Store the settlements at or before the end of the bars, which are known then."""
    schedule = recording.funding
    after = recording.bar_at(first) if first else recording.bar_at(0) - 1
    due = (schedule.at > after) & (schedule.at <= recording.bar_at(last))
    ids = np.array(_instrument_ids(market))
    with connection.cursor() as cursor:
        exact.insert(
            cursor,
            "market_fundingrate",
            {
                "instrument_id": (exact.INTEGER, ids[schedule.symbol[due]]),
                "funded_at": (exact.TIME, schedule.at[due]),
                "rate": (exact.UNITS, np.where(schedule.known, schedule.rate, None)[due]),
            },
            ending="ON CONFLICT DO NOTHING",
        )


def _instrument_ids(market: Market) -> list[int]:
    return list(Instrument.objects.filter(market=market).order_by("symbol").values_list("pk", flat=True))


def _make_months(table: str, recording: Recording, first: int, last: int) -> None:
    months = {make_instant(recording.bar_at(bar)).replace(day=1).date() for bar in (*range(first, last, 288), last - 1)}
    with connection.cursor() as cursor:
        cursor.execute("SELECT make_month(%s, month) FROM unnest(%s::date[]) AS month", [table, sorted(months)])


def capture(
    *, market: Market, series: str, at: datetime, window: Window, limits: Limits, quote_every_ms: int = 0
) -> Snapshot:
    """Store the hash of everything that can be seen at an instant, and return it; the same call returns the same.

    A chain: each hash takes in the one before, so one hash stands for the whole history up to its instant. Beside it
    stands what is wrong with what has come since then; `quote_every_ms` is 0 where there are no quotes.
    """
    found = Snapshot.objects.filter(series=series, taken_at=at).first()
    if found is not None:
        return found
    before = Snapshot.objects.filter(series=series, taken_at__lt=at).order_by("-taken_at").first()
    tables = window.tables(bars_until(market, at))
    seen = bars_until(market, before.taken_at) if before else 0
    digest = bytes.fromhex(before.sha256) if before else begin_snapshots(tables.recording.symbols)
    bar = bars_until(market, at)
    flaws = open_feed(market).flaws(
        first=min(seen, max(0, bar - 1)) if before else max(0, bar - 1),
        until=bar,
        every_ms=quote_every_ms,
        stale_bars_max=limits.stale_bars_max,
        jump_max=limits.jump_max,
    )
    snapshot, _ = Snapshot.objects.get_or_create(
        series=series,
        taken_at=at,
        defaults={
            "market": market,
            "seen_from": make_instant(tables.recording.bar_at(seen)),
            "sha256": snapshot_digest(digest, tables.bars, tables.mark, seen, bar).hex(),
            "flaws": [{"symbol": symbol, "rule": rule} for symbol, rule in flaws],
        },
    )
    return snapshot
