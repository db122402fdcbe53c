"""How does a season's market lie in the tables of its export, and how is it read from them again?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from bitnerve.domain.ledger.difference import demand
from bitnerve.domain.ledger.ledger import Ledger
from bitnerve.domain.ledger.tables import TIME, Table, decimals, make_column, quantities, texts
from bitnerve.domain.market.recording import Candles, FundingSchedule, Recording
from bitnerve.engine.export import lot_step

Integers = npt.NDArray[np.int64]

_PRICES = ("open", "high", "low", "close", "quote_volume")


def market_tables(recording: Recording, bars: int) -> dict[str, Table]:
    """Return candles, marks and funding rates of a market's first bars as tables; what was not traded has no row."""
    candles, symbols = recording.candles, recording.symbols
    steps = np.array([lot_step(one) for one in recording.instruments], dtype=np.int64)
    row, column = np.nonzero(candles.open[:bars] > 0)
    candle: dict[str, object] = {
        "symbol": texts(column, symbols),
        "opened_at": make_column(TIME, candles.start_at + row * candles.interval_ms),
    }
    values = {name: decimals(getattr(candles, name)[row, column]) for name in _PRICES}
    volume = quantities(candles.volume[row, column], steps[column])
    marked, owner = np.nonzero(recording.mark[: bars + 1] > 0)
    funding = recording.funding
    due = (funding.at >= recording.bar_at(0)) & (funding.at <= recording.bar_at(bars))
    return {
        "candles": {
            **candle,  # type: ignore[dict-item]
            **{name: values[name] for name in _PRICES[:4]},
            "volume": volume,
            "quote_volume": values["quote_volume"],
        },
        "marks": {
            "symbol": texts(owner, symbols),
            "at": make_column(TIME, candles.start_at + marked * candles.interval_ms),
            "price": decimals(recording.mark[marked, owner]),
        },
        "rates": {
            "symbol": texts(funding.symbol[due], symbols),
            "funded_at": make_column(TIME, funding.at[due]),
            "rate": decimals(np.where(funding.known, funding.rate, 0)[due], present=funding.known[due]),
        },
    }


def read_market(ledger: Ledger, *, starts_at: int, bars: int) -> Recording:
    """Return the market that the tables hold; raise `BrokenBooks` for a row that has no place in it."""
    season, tables = ledger.season, ledger.tables
    shape = bars, len(season.symbols)
    symbol = ledger.codes("candles", "symbol", season.symbols)
    bar = _places(tables, "candles", "opened_at", starts_at, season.bar_ms, bars)
    columns = {name: tables["candles"][name].values for name in _PRICES}
    columns["volume"] = ledger.lots("candles", "volume", symbol)
    dense = {name: np.zeros(shape, dtype=np.int64) for name in columns}
    for name, values in columns.items():
        dense[name][bar, symbol] = values
    mark = np.zeros((bars + 1, shape[1]), dtype=np.int64)
    owner = ledger.codes("marks", "symbol", season.symbols)
    mark[_places(tables, "marks", "at", starts_at, season.bar_ms, bars + 1), owner] = tables["marks"]["price"].values
    rates = tables["rates"]
    return Recording(
        instruments=season.instruments,
        candles=Candles(starts_at, season.bar_ms, **dense),
        mark=mark,
        mark_path=None,
        funding=FundingSchedule(
            at=rates["funded_at"].values,
            symbol=ledger.codes("rates", "symbol", season.symbols),
            rate=rates["rate"].values,
            known=ledger.present("rates", "rate"),
        ),
    )


def _places(tables: Mapping[str, Table], name: str, field: str, starts_at: int, bar_ms: int, count: int) -> Integers:
    at = tables[name][field].values
    place, rest = np.divmod(at - starts_at, bar_ms)
    demand(tables, name, field, (rest == 0) & (place >= 0) & (place < count), "the start of a bar of the market")
    return place
