"""What does the simulated venue say about a contract: its grids, minimums, fees and margin tiers?

Shapes of Binance USD-M contracts of 2025; the fees are those of its lowest level.
"""

from __future__ import annotations

from decimal import Decimal

from bitnerve.domain.market.instrument import Instrument, Tier, make_instrument, make_tier

MAKER_FEE_RATE = Decimal("0.0002")
TAKER_FEE_RATE = Decimal("0.0005")

# Notional up to which a tier reaches, its maintenance rate, its largest leverage. The last reach is the
# venue's limit on a position; here it is left open, as an instrument's last tier may be.
_BITCOIN = (
    ("50000", "0.004", 125),
    ("600000", "0.005", 100),
    ("3000000", "0.0065", 75),
    ("12000000", "0.01", 50),
    ("70000000", "0.02", 25),
    ("100000000", "0.025", 20),
    ("230000000", "0.05", 10),
    ("480000000", "0.1", 5),
    ("600000000", "0.125", 4),
    ("800000000", "0.15", 3),
    ("1200000000", "0.25", 2),
    (None, "0.5", 1),
)
_ETHER = (
    *_BITCOIN[:4],
    ("50000000", "0.02", 25),
    ("65000000", "0.025", 20),
    ("150000000", "0.05", 10),
    ("320000000", "0.1", 5),
    ("400000000", "0.125", 4),
    ("530000000", "0.15", 3),
    ("800000000", "0.25", 2),
    (None, "0.5", 1),
)
_LARGE = (
    ("20000", "0.005", 100),
    ("100000", "0.0065", 75),
    ("800000", "0.01", 50),
    ("4000000", "0.02", 25),
    ("8000000", "0.025", 20),
    ("40000000", "0.05", 10),
    ("80000000", "0.1", 5),
    ("100000000", "0.125", 4),
    ("200000000", "0.25", 2),
    (None, "0.5", 1),
)
_MEDIUM = (
    ("10000", "0.006", 75),
    ("50000", "0.01", 50),
    ("80000", "0.015", 40),
    ("200000", "0.02", 25),
    ("600000", "0.025", 20),
    ("2000000", "0.05", 10),
    ("4000000", "0.1", 5),
    ("5000000", "0.125", 4),
    ("12000000", "0.25", 2),
    (None, "0.5", 1),
)
_SMALL = (
    ("5000", "0.015", 50),
    ("10000", "0.02", 25),
    ("50000", "0.025", 20),
    ("125000", "0.05", 10),
    ("250000", "0.1", 5),
    ("500000", "0.125", 4),
    ("1500000", "0.1667", 3),
    ("2500000", "0.25", 2),
    (None, "0.5", 1),
)

_SHAPES = ((1, _BITCOIN), (2, _ETHER), (10, _LARGE), (60, _MEDIUM), (10**9, _SMALL))
"""Each with the rank below which it holds."""
_MIN_NOTIONALS = {0: Decimal("100"), 1: Decimal("20")}


def make_contract(*, symbol: str, rank: int, tick_size: Decimal, lot_size: Decimal) -> Instrument:
    """Return the instrument of a symbol; its rank by turnover settles its tiers and its smallest order."""
    return make_instrument(
        symbol=symbol,
        tick_size=tick_size,
        lot_size=lot_size,
        min_quantity=lot_size,
        min_notional=_MIN_NOTIONALS.get(rank, Decimal("5")),
        tiers=_make_tiers(symbol, next(shape for ranks, shape in _SHAPES if rank < ranks)),
        maker_fee_rate=MAKER_FEE_RATE,
        taker_fee_rate=TAKER_FEE_RATE,
    )


def _make_tiers(symbol: str, shape: tuple[tuple[str | None, str, int], ...]) -> tuple[Tier, ...]:
    """Return tiers whose deductions make maintenance continuous where one tier passes into the next."""
    tiers: list[Tier] = []
    reached, rate_before, deduction = Decimal(0), Decimal(0), Decimal(0)
    for number, (until, rate_text, leverage) in enumerate(shape):
        rate = Decimal(rate_text)
        deduction += reached * (rate - rate_before) if tiers else Decimal(0)
        tiers.append(
            make_tier(
                notional_until=None if until is None else Decimal(until),
                maintenance_rate=rate,
                deduction=deduction,
                leverage_max=leverage,
                field=f"{symbol}.tiers[{number}]",
            )
        )
        reached, rate_before = Decimal(until or 0), rate
    return tuple(tiers)


def choose_grids(price: float) -> tuple[Decimal, Decimal]:
    """Return the tick (.1 to 1 bp of the price) and the lot (worth 1 to 10, or one of a cheap base)."""
    exponent = int(f"{price:e}".partition("e")[2])
    return Decimal(1).scaleb(exponent - 4), Decimal(1).scaleb(-max(exponent, 0))
