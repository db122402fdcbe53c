"""Liquidations in the fall of 2025-02-03, replayed like everything else and recomputed from the raw bars.

An agent buys Ether at the highest leverage that the house allows and is closed out in a later bar. What must come of it
is written out below with integers and fractions, from the raw rows and the rules; nothing of the engine takes part.
"""

import os
from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor, isqrt
from pathlib import Path

import pandas as pd
import pytest

from bitnerve.adapters.recordings import load_recording
from bitnerve.domain.decisions.decision import BUY, Decision, OrderRequest, hold
from bitnerve.domain.ledger.checker import check_books
from bitnerve.domain.strategies.base import Strategy
from bitnerve.domain.strategies.catalog import Agent
from bitnerve.domain.timeframe import MINUTE_MS, parse_instant
from bitnerve.domain.trading.account import Rules
from bitnerve.engine.export import make_books
from bitnerve.engine.replay import replay

ROOT = Path(__file__).parents[2]
FOLDER = Path(os.environ.get("BITNERVE_RECORDINGS", ROOT.parent / "shared" / "data"))

pytestmark = [
    pytest.mark.recordings,
    pytest.mark.skipif(not (FOLDER / "ohlcv").is_dir(), reason="no market recordings (BITNERVE_RECORDINGS)"),
]

ONE = 10**8
SYMBOL = "ETHUSDT"
BAR = 5 * MINUTE_MS
TICK = ONE // 100
LOT = Fraction(1, 1000)
TAKER = Fraction(55, 100_000)
# Up to this notional, in the quote asset: maintenance rate and deduction.
TIERS = [
    (50_000, Fraction(4, 1000), 0),
    (600_000, Fraction(5, 1000), 50),
    (3_000_000, Fraction(65, 10_000), 950),
    (12_000_000, Fraction(1, 100), 11_450),
    (50_000_000, Fraction(2, 100), 131_450),
]


@dataclass(frozen=True)
class Plunge:
    """What an agent dares, and what came of it on the recording: everything but the capital to the last unit."""

    entry: str
    fall: str
    capital: int
    lots: int
    leverage: int
    isolated: bool
    half_spread_rate: int
    entered: str
    breached: str
    closed: str
    liquidation_fee: str
    insurance: str
    final: str


def instant(time):
    return parse_instant(f"2025-02-03T{time}:00Z", field="instant")


@pytest.fixture(scope="module")
def recording():
    return load_recording(
        candles=[FOLDER / "ohlcv" / "binance_perp_5m.parquet"],
        tiers=FOLDER / "instruments" / "binance_leverage_tiers.parquet",
        filters=FOLDER / "instruments" / "binance_usdm_filters.parquet",
    )


def raw_bar(at):
    """Open, high, low, close and traded money of one row of the file, exact."""
    rows = pd.read_parquet(FOLDER / "ohlcv" / "binance_perp_5m.parquet", filters=[("symbol", "==", SYMBOL)])
    row = rows[rows.ts == pd.Timestamp(at, unit="ms", tz="UTC")].iloc[0]
    opened, high, low, close, volume = (
        Fraction(repr(float(row[n]))) for n in ("open", "high", "low", "close", "volume")
    )
    return [int(price * ONE) for price in (opened, high, low, close)] + [floor(volume * close * ONE)]


class Plunger(Strategy):
    """Buys once, and waits for what may come."""

    name = "plunger"
    summary = "Buys more than it should."

    def __init__(self, plunge):
        super().__init__()
        self.plunge = plunge

    def decide(self, view, signals):
        if view.at != instant(self.plunge.entry):
            return hold("it is not the time, or it is too late")
        plunge = self.plunge
        order = OrderRequest(SYMBOL, BUY, plunge.lots, leverage=plunge.leverage, isolated=plunge.isolated)
        return Decision("BUY", "what could go wrong", (order,))


def taker_price(base, sign, notional, traded, half_spread_rate):
    """The base moved by half-spread and impact, to the tick, against the taker."""
    squared = Fraction(100_000**2 * notional, traded)
    impact = isqrt(ceil(squared) - 1) + 1
    moved = Fraction(base * (ONE + sign * (half_spread_rate + impact)), ONE) / TICK
    return (ceil(moved) if sign > 0 else floor(moved)) * TICK


def maintenance(notional):
    rate, deduction = next((rate, d) for until, rate, d in TIERS if notional <= until * ONE)
    return notional * rate - deduction * ONE


def by_hand(plunge):
    """What the rules make of the raw bars: prices, fees and balances in units of 10^-8."""
    size = plunge.lots * LOT
    opened, _, _, _, traded = raw_bar(instant(plunge.entry))
    entered = taker_price(opened, 1, ceil(size * opened), traded, plunge.half_spread_rate)
    cost = size * entered
    fee = ceil(cost * TAKER)
    cash = plunge.capital * ONE - fee
    # What answers for the position: its own margin, or all of the cash.
    margin = ceil(cost / plunge.leverage) - fee if plunge.isolated else cash

    def slack(price):
        return margin + size * price - cost - maintenance(size * price)

    for at in range(instant(plunge.entry), instant(plunge.fall), BAR):
        opened, _, low, close, _ = raw_bar(at)
        assert min(slack(price) for price in (opened, low, close)) >= 0, "every bar before is survived"
    # Open to low, one straight line: the way to the breach is a of a - b.
    opened, _, low, _, traded = raw_bar(instant(plunge.fall))
    a, b = floor(slack(opened)), ceil(slack(low))
    assert a >= 0 > b
    breached = floor(opened + (low - opened) * Fraction(a, a - b))
    closed = taker_price(breached, -1, ceil(size * breached), traded, plunge.half_spread_rate)
    closing_fee = ceil(size * closed * TAKER)
    realized = size * closed - cost
    left = margin + realized - closing_fee
    liquidation_fee = min(ceil(size * closed * Fraction(5, 1000)), max(0, left))
    shortfall = max(0, -left)
    return {
        "entered": entered,
        "breached": breached,
        "closed": closed,
        "fees": [fee, closing_fee],
        "realized": realized,
        "liquidation_fee": liquidation_fee,
        "insurance": liquidation_fee - shortfall,
        "final": cash + realized - closing_fee - liquidation_fee + shortfall,
    }


def units(text):
    value = Fraction(text) * ONE
    assert value.denominator == 1
    return int(value)


PLUNGES = {
    "cross, the fee in full, and something is left": Plunge(
        *("01:40", "02:05", 2_000_000, 3_598_000, 20, False, 10_000),
        *("2779.04", "2243.96139332", "2243.56", "40361.6444", "40361.6444", "23042.09246"),
    ),
    "isolated, the fee takes what is left of the margin": Plunge(
        *("01:40", "01:45", 120_000, 200_000, 20, True, 10_000),
        *("2778.68", "2654.29575276", "2653.97", "2247.2085", "2247.2085", "92213.2"),
    ),
    "isolated, insurance pays what a wide spread has eaten": Plunge(
        *("01:40", "01:45", 120_000, 200_000, 20, True, 1_000_000),
        *("2806.19", "2680.57678844", "2653.71", "0", "-3034.689", "91938.1"),
    ),
}


def column(books, table, name):
    values = books.tables[table][name]
    words = getattr(values, "words", None)
    return [words[code] if code >= 0 else None for code in values.values] if words else values.values.tolist()


@pytest.mark.parametrize("plunge", PLUNGES.values(), ids=PLUNGES)
def test_a_liquidation_on_the_recording_is_what_the_rules_make_of_raw_bars(recording, plunge):
    run = replay(
        recording=recording,
        agents=[Agent("ada", Plunger(plunge))],
        capital=plunge.capital * ONE,
        tick_ms=BAR,
        start_at=instant(plunge.entry) - BAR,
        until=instant(plunge.fall) + 4 * BAR,
        rules=Rules(half_spread_rate=plunge.half_spread_rate),
    )
    books = make_books(run=run)
    check_books(books)
    expected = by_hand(plunge)
    for name in ("entered", "breached", "closed", "liquidation_fee", "insurance", "final"):
        assert expected[name] == units(getattr(plunge, name)), name

    assert column(books, "fills", "reason") == ["ENTRY", "LIQUIDATION"]
    assert column(books, "fills", "filled_at") == [instant(plunge.entry), instant(plunge.fall)]
    assert column(books, "fills", "price") == [expected["entered"], expected["closed"]]
    assert column(books, "fills", "base_price")[1] == expected["breached"]
    assert column(books, "fills", "fee") == expected["fees"]
    assert column(books, "fills", "realized_pnl") == [0, expected["realized"]]
    rows = zip(*(column(books, "postings", name) for name in ("kind", "account", "amount")), strict=True)
    insurance = [(kind, amount) for kind, account, amount in rows if account.startswith("insurance:")]
    kind = "LIQUIDATION_FEE" if expected["insurance"] > 0 else "SHORTFALL"
    assert insurance == [(kind, expected["insurance"])]
    assert column(books, "equity", "equity")[-1] == column(books, "equity", "cash")[-1] == expected["final"]
    assert column(books, "positions", "at")[-1] == instant(plunge.fall)
