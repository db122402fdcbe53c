"""Simulated markets as long and as wide as the recordings behind CALIBRATION, and their figures."""

import numpy as np

from bitnerve.adapters.simulated import SYMBOLS, quotes, simulate
from bitnerve.domain.timeframe import parse_instant
from tests.adapters.simulated import measures

LIKE = ("BTC", "ETH", "SOL", "XRP", "DOGE", "BNB", "BCH", "INJ")
"""The recorded symbols that the first ranks imitate."""


def instant(text):
    return parse_instant(text, field="instant")


def by_rank(recording, values, count):
    """Columns of an array in order of rank."""
    return values[:, [recording.symbols.index(symbol) for symbol in SYMBOLS[:count]]]


def rates(recording, symbol):
    """Funding of one symbol, in bps."""
    column = recording.symbols.index(symbol)
    return recording.funding.rate[recording.funding.symbol == column] / 1e4


def majors(seed):
    """2025-01-01 to 09-30 in bars of five minutes, 8 majors."""
    recording = simulate(seed=seed, start_at=instant("2025-01-01"), bar_count=273 * 288, symbol_count=8)
    candles = recording.candles
    closes, value = by_rank(recording, candles.close, 8), by_rank(recording, candles.quote_volume, 8) / 1e8
    at = recording.bar_at(0) + np.arange(recording.bar_count) * candles.interval_ms
    found = {}
    for column, name in enumerate(LIKE):
        found |= measures.one_symbol(name, closes[:, column])
    for name in ("BTC", "DOGE"):
        column = LIKE.index(name)
        found |= measures.traded_value(name, at, value[:, column], closes[:, column])
    found |= measures.large_funding([rates(recording, symbol)[1:] for symbol in SYMBOLS[:8]])
    found |= measures.mark_against_last(recording.mark[12::12, 0], candles.close[11::12, 0])
    return found | books(seed, recording)


def books(seed, recording, step=200):
    """The seconds of every 200th bar of Bitcoin."""
    stretches = []
    for bar in range(0, recording.bar_count, step):
        seconds = quotes(seed=seed, recording=recording, bar=bar, symbols=["BTCUSDT"])
        lot = float(recording.instruments[0].lot_size)
        value = [
            size * lot * price / 1e8
            for size, price in ((seconds.bid_size, seconds.bid), (seconds.ask_size, seconds.ask))
        ]
        stretches.append((seconds.bid, seconds.ask, *value, seconds.bid_size, seconds.ask_size))
    return measures.microstructure(stretches)


def many(seed):
    """2025-01-01 to 04-30 in bars of five minutes, 28 symbols."""
    recording = simulate(seed=seed, start_at=instant("2025-01-01"), bar_count=120 * 288, symbol_count=28)
    closes = by_rank(recording, recording.candles.close, 28)
    return measures.many_symbols(closes) | measures.five_minute_alts(closes)


def year(seed):
    """2024-10-23 to 2025-09-12 in hours, 100 symbols."""
    recording = simulate(
        seed=seed, start_at=instant("2024-10-23"), bar_count=325 * 24, symbol_count=100, interval_ms=3_600_000
    )
    closes = by_rank(recording, recording.candles.close, 100)
    return measures.hours(closes) | measures.regimes(closes[:, :16], "21-23") | measures.days(closes[23::24])


def broad(seed):
    """The last 200 settlements of 283 symbols, 2026-01-12 to 03-20."""
    recording = simulate(
        seed=seed, start_at=instant("2026-01-12"), bar_count=67 * 6, symbol_count=283, interval_ms=14_400_000
    )
    return measures.broad_funding([rates(recording, symbol)[-200:] for symbol in SYMBOLS[:283]])
