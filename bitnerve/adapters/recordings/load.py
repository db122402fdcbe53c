"""Which market do these recorded files hold together?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bitnerve.adapters.recordings.bars import BAR_SCHEMA, common_interval, make_candle_bars, make_mark_bars
from bitnerve.adapters.recordings.candles import Timeline, list_gaps, make_candles, make_timeline
from bitnerve.adapters.recordings.filters import BINANCE_FILTERS, BYBIT_FILTERS
from bitnerve.adapters.recordings.funding import FUNDING_SCHEMA, check_funding, make_funding
from bitnerve.adapters.recordings.inputs import choose_symbols, read_companions, read_symbols
from bitnerve.adapters.recordings.instruments import make_instruments
from bitnerve.adapters.recordings.mark import make_mark, make_mark_path
from bitnerve.adapters.recordings.notes import note_facts
from bitnerve.adapters.recordings.parquet import open_input
from bitnerve.adapters.recordings.tiers import TIER_SCHEMA
from bitnerve.domain.errors import Refusal
from bitnerve.domain.market.recording import Recording
from bitnerve.domain.timeframe import instant_text, interval_text


class BadWindow(Refusal):
    """A start and an end that do not fit each other or the bars."""

    code = "BAD_WINDOW"


def load_recording(
    *,
    candles: Sequence[Path],
    funding: Sequence[Path] = (),
    mark: Sequence[Path] = (),
    tiers: Path | None = None,
    filters: Path | None = None,
    symbols: Sequence[str] | None = None,
    start_at: int | None = None,
    until: int | None = None,
) -> Recording:
    """Return the market that the files hold together, whole: bars before `start_at` are its warm-up.

    `symbols` chooses among those with candles (default: all). `start_at` (inclusive) and `until` (exclusive),
    in milliseconds, are only checked against the bars. Nothing is interpolated: `gaps` and `notes` say what
    is missing. The result depends neither on the order of the files nor on their folders. Raises a `Refusal`
    that names the file, the row, the field, the rule and the numbers of the first thing that is wrong.
    """
    candle_files = [open_input(path, BAR_SCHEMA) for path in candles]
    funding_files = [open_input(path, FUNDING_SCHEMA) for path in funding]
    mark_files = [open_input(path, BAR_SCHEMA) for path in mark]
    filter_file = open_input(filters, BINANCE_FILTERS, BYBIT_FILTERS) if filters else None
    tier_file = open_input(tiers, TIER_SCHEMA) if tiers else None

    wanted = choose_symbols(candle_files, symbols)
    by_symbol = read_symbols(candle_files, wanted, make_candle_bars)
    bars = [by_symbol[symbol] for symbol in wanted]
    timeline = make_timeline(bars, common_interval(bars))
    _check_window(timeline, start_at, until)
    settlements = read_companions(funding_files, wanted, timeline, check_funding)
    marks = read_companions(mark_files, wanted, timeline, make_mark_bars)
    if marks:
        common_interval(marks.values())
    instruments = make_instruments(bars, filters=filter_file, tiers=tier_file)

    column = {symbol: index for index, symbol in enumerate(wanted)}
    mark_columns = {column[symbol]: one for symbol, one in marks.items()}
    placed = make_candles(bars, instruments, timeline)
    others = [one for one in (filter_file, tier_file) if one]
    sources = {one.source for one in (*candle_files, *funding_files, *mark_files, *others)}
    return Recording(
        instruments=instruments,
        candles=placed,
        mark=make_mark(placed, mark_columns, timeline),
        mark_path=make_mark_path(placed, mark_columns, timeline),
        funding=make_funding({column[symbol]: rows for symbol, rows in settlements.items()}),
        gaps=tuple(list_gaps(bars)),
        sources=tuple(sorted(sources, key=lambda source: (source.name, source.sha256))),
        notes=note_facts(bars, candle_files, funding_files, mark_files, *others),
    )


def _check_window(timeline: Timeline, start_at: int | None, until: int | None) -> None:
    first, last = timeline.start_at, timeline.until
    begin, end = first if start_at is None else start_at, last if until is None else until
    window = f"from {instant_text(begin)} to {instant_text(end)}"
    if begin < first or end > last:
        raise BadWindow(
            f"{window}: must lie within the candles, {instant_text(first)} to {instant_text(last)}",
            start_at=begin,
            until=end,
        )
    if begin >= end:
        raise BadWindow(f"{window}: must be earlier than its end", start_at=begin, until=end)
    for instant in (begin, end):
        if instant % timeline.interval_ms:
            interval = interval_text(timeline.interval_ms)
            raise BadWindow(
                f"{window}: {instant_text(instant)} is not a multiple of the bars' {interval}",
                start_at=begin,
                until=end,
            )
