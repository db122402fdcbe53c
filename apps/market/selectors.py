"""Read what was seen of a market."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import numpy as np
from django.db import connection

from apps.common import exact
from apps.market.models import Instrument, Market
from bitnerve.domain.market.instrument import Instrument as Contract
from bitnerve.domain.market.instrument import make_instrument, make_tier
from bitnerve.domain.market.recording import Candles, FundingSchedule, Recording
from bitnerve.domain.units import parse_recorded
from bitnerve.engine.tables import MarketTables, make_tables

_ROWS = ("open", "high", "low", "close", "volume", "quote_volume")


def list_contracts(market: Market) -> tuple[tuple[Contract, ...], tuple[int, ...]]:
    """Return a market's instruments as the engine knows them, sorted by symbol, and their row ids."""
    rows = list(Instrument.objects.filter(market=market).order_by("symbol"))
    return tuple(map(_contract, rows)), tuple(row.pk for row in rows)


def _contract(row: Instrument) -> Contract:
    return make_instrument(
        symbol=row.symbol,
        tick_size=_short(row.tick_size),
        lot_size=_short(row.lot_size),
        min_quantity=row.min_quantity,
        min_notional=row.min_notional,
        maker_fee_rate=row.maker_fee_rate,
        taker_fee_rate=row.taker_fee_rate,
        tiers=[
            make_tier(
                notional_until=None if tier["notional_until"] is None else _number(tier, "notional_until"),
                maintenance_rate=_number(tier, "maintenance_rate"),
                deduction=_number(tier, "deduction"),
                leverage_max=tier["leverage_max"],
                field=f"{row.symbol}.tiers",
            )
            for tier in row.tiers
        ],
        inferred=row.inferred,
    )


def _number(tier: dict[str, Any], field: str) -> Decimal:
    return parse_recorded(tier[field], field=field)


def _short(value: Decimal) -> Decimal:
    """Return a decimal without the zeros that its column adds, as it was written."""
    return Decimal(f"{value.normalize():f}")


class Window:
    """A market as far as it is stored, kept in memory: read once, then extended by what is new."""

    def __init__(self, market: Market) -> None:
        self._market_id = market.pk
        self._interval_ms = market.interval_ms
        self._start_at = round(market.starts_at.timestamp() * 1000)
        self.contracts, self.instrument_ids = list_contracts(market)
        self.column = {pk: column for column, pk in enumerate(self.instrument_ids)}
        """The column of each instrument, by its row id."""
        symbols = len(self.contracts)
        self._bars = np.zeros((0, len(_ROWS), symbols), dtype=np.int64)
        self._mark = np.zeros((0, symbols), dtype=np.int64)
        self._tables: MarketTables | None = None
        self._lock = threading.Lock()

    def tables(self, bars: int) -> MarketTables:
        """Return the market's first `bars` bars, or more, as the engine reads them.

        Raises `MarketIncomplete` where they are not all stored.
        """
        with self._lock:
            if self._tables is None or self._tables.recording.bar_count < bars:
                self._extend(bars)
            assert self._tables is not None
            return self._tables

    def _extend(self, bars: int) -> None:
        have = len(self._bars)
        stored = self._read_bars(have)
        mark = self._read_marks(have)
        self._bars = np.concatenate([self._bars, stored])
        self._mark = np.concatenate([self._mark[:have], mark])
        if len(self._bars) < bars or len(self._mark) < len(self._bars) + 1:
            raise MarketIncomplete(f"market {self._market_id}: {len(self._bars)} bars are stored, not {bars}")
        candles = Candles(self._start_at, self._interval_ms, *(self._bars[:, row] for row in range(len(_ROWS))))
        self._tables = make_tables(
            Recording(
                instruments=self.contracts,
                candles=candles,
                mark=self._mark,
                mark_path=None,
                funding=self._read_funding(),
            )
        )

    def _read_bars(self, have: int) -> Any:
        prices = ", ".join(exact.units(name) for name in _ROWS[:4])
        with connection.cursor() as cursor:
            found = exact.read_integers(
                cursor,
                f"""SELECT ({exact.milliseconds("opened_at")} - %s) / %s, instrument_id, {prices},
                           {exact.lots("volume")}, {exact.units("quote_volume")}
                    FROM market_candle JOIN market_instrument instrument ON instrument.id = instrument_id
                    WHERE instrument.market_id = %s AND opened_at >= to_timestamp(%s / 1000.0)""",
                [self._start_at, self._interval_ms, self._market_id, self._start_at + have * self._interval_ms],
                8,
            )
        count = int(found[:, 0].max()) + 1 - have if len(found) else 0
        rows = np.zeros((count, len(_ROWS), len(self.contracts)), dtype=np.int64)
        rows[found[:, 0] - have, :, self._columns(found[:, 1])] = found[:, 2:]
        return rows

    def _read_marks(self, have: int) -> Any:
        with connection.cursor() as cursor:
            found = exact.read_integers(
                cursor,
                f"""SELECT ({exact.milliseconds("at")} - %s) / %s, instrument_id, {exact.units("price")}
                    FROM market_mark JOIN market_instrument instrument ON instrument.id = instrument_id
                    WHERE instrument.market_id = %s AND at >= to_timestamp(%s / 1000.0)""",
                [self._start_at, self._interval_ms, self._market_id, self._start_at + have * self._interval_ms],
                3,
            )
        count = int(found[:, 0].max()) + 1 - have if len(found) else 0
        rows = np.zeros((count, len(self.contracts)), dtype=np.int64)
        rows[found[:, 0] - have, self._columns(found[:, 1])] = found[:, 2]
        return rows

    def _columns(self, instrument_ids: Any) -> Any:
        known = np.array(self.instrument_ids)
        order = np.argsort(known)
        return order[np.searchsorted(known[order], instrument_ids)]

    def _read_funding(self) -> FundingSchedule:
        with connection.cursor() as cursor:
            found = exact.read_integers(
                cursor,
                f"""SELECT {exact.milliseconds("funded_at")}, instrument_id, coalesce({exact.units("paid.rate")}, 0),
                           (paid.rate IS NOT NULL)::int::bigint
                    FROM market_fundingrate paid JOIN market_instrument instrument ON instrument.id = instrument_id
                    WHERE instrument.market_id = %s ORDER BY funded_at, instrument.symbol""",
                [self._market_id],
                4,
            )
        return FundingSchedule(
            at=found[:, 0], symbol=self._columns(found[:, 1]), rate=found[:, 2], known=found[:, 3] == 1
        )


class MarketIncomplete(LookupError):
    """Bars that were asked for before they were stored."""


_windows: dict[int, Window] = {}
_windows_lock = threading.Lock()


def open_window(market: Market) -> Window:
    """Return this process's window on a market."""
    with _windows_lock:
        if market.pk not in _windows:
            _windows[market.pk] = Window(market)
        return _windows[market.pk]


def close_windows() -> None:
    """Forget every window, as a new process would."""
    with _windows_lock:
        _windows.clear()
