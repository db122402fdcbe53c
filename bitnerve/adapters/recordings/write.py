"""How is a market written into files that load back as the very same market?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from bitnerve.adapters.recordings.bars import PRICES
from bitnerve.adapters.recordings.candles import Timeline
from bitnerve.adapters.recordings.compare import find_difference
from bitnerve.adapters.recordings.exact import as_floats, turnover
from bitnerve.adapters.recordings.load import load_recording
from bitnerve.adapters.recordings.mark import make_mark
from bitnerve.domain.errors import Refusal
from bitnerve.domain.market.recording import Recording
from bitnerve.domain.timeframe import SECOND_MS, interval_text
from bitnerve.domain.units import SCALE

_WORD = pa.dictionary(pa.int16(), pa.string())
_TIME = pa.timestamp("ms", tz="UTC")
_BAR_COLUMNS = {
    **dict.fromkeys(("exchange", "market", "symbol", "interval"), _WORD),
    "ts": _TIME,
    **dict.fromkeys((*PRICES, "volume", "quote_volume"), pa.float64()),
    "trades": pa.int64(),
}
_FUNDING_COLUMNS = {"exchange": _WORD, "symbol": _WORD, "ts": _TIME, "funding_rate": pa.float64()}
_FILTER_NUMBERS = ("tick_size", "qty_step", "min_qty", "min_notional", "maker_fee_rate", "taker_fee_rate")
_FILTER_COLUMNS = {"exchange": _WORD, "symbol": _WORD, **dict.fromkeys(_FILTER_NUMBERS, pa.float64())}
_TIER_NUMBERS = ("max_notional", "maintenance_margin_rate", "max_leverage", "maint_amount_cum")
_TIER_COLUMNS = {
    "exchange": _WORD,
    "symbol_ccxt": _WORD,
    "tier": pa.int64(),
    "currency": _WORD,
    **dict.fromkeys(_TIER_NUMBERS, pa.float64()),
}


class NotRepresentable(Refusal):
    """A market that the files, whose numbers are doubles of about 15 digits, would not give back as it is."""

    code = "NOT_REPRESENTABLE"


@dataclass(frozen=True, slots=True)
class RecordingFiles:
    """The files of one market, named as `load_recording` takes them."""

    candles: tuple[Path, ...]
    funding: tuple[Path, ...]
    mark: tuple[Path, ...]
    filters: Path
    tiers: Path


def write_recording(
    *, recording: Recording, folder: Path, exchange: str, market: str = "perp", quote_asset: str = "USDT"
) -> RecordingFiles:
    """Write a market in the schemas of recorded ones, and return the files; equal markets give equal bytes.

    One row group per symbol; a quote volume is null where it is volume × close. The files are loaded again,
    and `NotRepresentable` names the first number that did not come back: what was written is what was meant.
    Not kept are `sources`, `notes` and whether an instrument was inferred.
    """
    names = {"exchange": exchange, "market": market, "interval": interval_text(recording.candles.interval_ms)}
    tables: dict[str, list[Any]] = {
        "candles": [_table(_BAR_COLUMNS, {**names, **part}) for part in _candles(recording)],
        "mark": [_table(_BAR_COLUMNS, {**names, "market": "mark", **part}) for part in _marks(recording)],
        "funding": [_table(_FUNDING_COLUMNS, {**names, **part}) for part in _settlements(recording)],
        "filters": [_table(_FILTER_COLUMNS, {**names, **_filters(recording)})],
        "tiers": [_table(_TIER_COLUMNS, {**names, **part}) for part in _tiers(recording, quote_asset)],
    }
    paths = {role: _write(folder / f"{role}.parquet", parts) for role, parts in tables.items() if parts}
    files = RecordingFiles(
        candles=(paths["candles"],),
        funding=(paths["funding"],) if "funding" in paths else (),
        mark=(paths["mark"],) if "mark" in paths else (),
        filters=paths["filters"],
        tiers=paths["tiers"],
    )
    loaded = load_recording(**{field.name: getattr(files, field.name) for field in fields(files)})
    if difference := find_difference(recording, loaded):
        raise NotRepresentable(f"{exchange} {market}: {difference}", difference=difference)
    return files


def _table(columns: Mapping[str, Any], values: Mapping[str, Any]) -> Any:
    """Return the columns as a table; a text stands for all its rows, a column without values is null."""
    length = max(len(value) for value in values.values() if not isinstance(value, str))
    arrays = {
        name: pa.array(
            [values[name]] * length if isinstance(values.get(name), str) else values.get(name, [None] * length),
            from_pandas=True,
        ).cast(kind)
        for name, kind in columns.items()
    }
    return pa.table(arrays)


def _write(path: Path, tables: list[Any]) -> Path:
    with pq.ParquetWriter(path, tables[0].schema, compression="zstd") as writer:
        for table in tables:
            writer.write_table(table, row_group_size=max(1, len(table)))
    return path


def _candles(recording: Recording) -> Iterator[dict[str, Any]]:
    """Yield the recorded bars of each symbol: from its first price on, without its gaps."""
    candles = recording.candles
    for column, instrument in enumerate(recording.instruments):
        index = np.flatnonzero(candles.close[:, column])
        at = candles.start_at + index * candles.interval_ms
        for gap in recording.gaps:
            if gap.symbol == instrument.symbol:
                outside = (at < gap.start_at) | (at >= gap.until)
                index, at = index[outside], at[outside]
        lots, quote = candles.volume[index, column], candles.quote_volume[index, column]
        volume = as_floats(lots * instrument.lot_numerator, instrument.lot_denominator)
        usual = np.where(lots > 0, np.maximum(turnover(volume, candles.close[index, column]), 1), 0)
        yield {
            "symbol": instrument.symbol,
            "ts": at,
            "volume": volume,
            "quote_volume": np.where(quote == usual, np.nan, as_floats(quote)),
            **{name: as_floats(getattr(candles, name)[index, column]) for name in PRICES},
        }


def _marks(recording: Recording) -> Iterator[dict[str, Any]]:
    """Yield the marks of each symbol that are not the last close, as bars.

    With a path they are bars of the candles' interval, and one more where the mark at the end has its own value.
    Without one they last a second: such bars give mark(t) where they start, and no path.
    """
    candles, path = recording.candles, recording.mark_path
    timeline = Timeline(candles.start_at, candles.interval_ms, recording.bar_count)
    own = recording.mark != make_mark(candles, {}, timeline)
    interval = interval_text(SECOND_MS if path is None else candles.interval_ms)
    for column, symbol in enumerate(recording.symbols):
        mark = recording.mark[:, column]
        prices = dict.fromkeys(PRICES, mark)
        if path is not None:
            own[:-1, column] = (mark[:-1] == path.open[:, column]) & (mark[:-1] > 0)
            prices = {name: np.append(getattr(path, name)[:, column], mark[-1]) for name in PRICES}
        index = np.flatnonzero(own[:, column])
        if index.size:
            yield {
                "symbol": symbol,
                "interval": interval,
                "ts": candles.start_at + index * candles.interval_ms,
                "volume": np.zeros(len(index)),
                **{name: as_floats(prices[name][index]) for name in PRICES},
            }


def _settlements(recording: Recording) -> Iterator[dict[str, Any]]:
    funding = recording.funding
    for column, symbol in enumerate(recording.symbols):
        own = funding.symbol == column
        if own.any():
            rate = np.where(funding.known[own], funding.rate[own] / SCALE, np.nan)
            yield {"symbol": symbol, "ts": funding.at[own], "funding_rate": rate}


def _filters(recording: Recording) -> dict[str, Any]:
    instruments = recording.instruments
    lots = [float(instrument.lot_size) for instrument in instruments]
    fees = ("maker_fee_rate", "taker_fee_rate")
    return {
        "symbol": list(recording.symbols),
        "qty_step": lots,
        "min_qty": [float(instrument.lot_size * instrument.min_quantity) for instrument in instruments],
        **{
            name: [getattr(instrument, name) / SCALE for instrument in instruments]
            for name in ("tick_size", "min_notional", *fees)
        },
    }


def _tiers(recording: Recording, quote_asset: str) -> Iterator[dict[str, Any]]:
    for instrument in recording.instruments:
        tiers = instrument.tiers
        yield {
            "symbol_ccxt": f"{instrument.symbol.removesuffix(quote_asset)}/{quote_asset}:{quote_asset}",
            "currency": quote_asset,
            "tier": list(range(1, len(tiers) + 1)),
            "max_notional": [None if one.notional_until is None else one.notional_until / SCALE for one in tiers],
            "maintenance_margin_rate": [one.maintenance_rate / SCALE for one in tiers],
            "max_leverage": [float(one.leverage_max) for one in tiers],
            "maint_amount_cum": [one.deduction / SCALE for one in tiers],
        }
