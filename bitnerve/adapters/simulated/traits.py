"""What sets one symbol of the simulated market apart from the others?

The first ranks imitate recorded symbols one by one, the others are drawn from what 100 recorded ones were
like.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bitnerve.adapters.simulated.contracts import choose_grids
from bitnerve.adapters.simulated.noise import Word, exponential, logarithm, normal, uniform


class Traits(NamedTuple):
    """The figures of one symbol."""

    price: float
    """In the quote asset, about which the first price of a seed lies."""
    tick: str
    lot: str
    beta: float
    """Against Bitcoin, over all hours."""
    tide: float
    """Against what alts share beyond Bitcoin."""
    own_bps: float
    """Standard deviation of its own news in five minutes."""
    usd: float
    """Median value traded in five minutes."""
    funding_shift: float
    funding_spread: float
    """Where its funding lies in the pool of its class, in standard scores."""
    basis_bps: float
    """Mark above last, in the mean."""
    basis_sd_bps: float
    """In a bar of ordinary sigma."""
    excitement: float = 1.0
    """How much the volatility of its own news changes, relative to others'."""
    memory: float = 1.0
    """The same of what lasts for hours and days."""
    affairs: float = 1.0
    """How often its own news explode, relative to others'."""
    rally_loss: float = 0.40
    """The part of its beta that a rally of Bitcoin takes away."""


# CALIBRATION, "Single-asset", rows BTC, ETH, SOL, XRP, DOGE, BNB, (BCH, from the same recordings) and INJ,
# which are the symbols of rank 0 to 7. Beta, tide and own news by regression; volume, funding and mark as
# measured.
MAJORS = (
    Traits(96000.0, "0.1", "0.001", 1.00, 0.00, 0.0, 34.2e6, 0.15, 0.60, 0.24, 0.62),
    Traits(3200.0, "0.01", "0.001", 1.28, 0.72, 10.3, 30.6e6, 0.15, 0.62, 0.38, 0.90, 1.15, 1.0, 4.0),
    Traits(178.0, "0.01", "0.01", 1.44, 0.85, 14.8, 9.3e6, -0.10, 0.90, 0.38, 0.85, 1.0, 1.2),
    Traits(2.3, "0.0001", "0.1", 1.42, 0.93, 15.8, 5.6e6, 0.30, 0.88, 0.33, 0.95, 1.3, 1.7, 0.5),
    Traits(0.24, "0.00001", "1", 1.62, 1.07, 13.2, 3.3e6, 0.20, 0.75, 0.49, 1.00),
    Traits(670.0, "0.01", "0.01", 0.74, 0.47, 9.4, 1.4e6, -0.60, 1.00, 0.01, 0.62, 1.2, 1.3),
    Traits(437.0, "0.01", "0.001", 1.18, 0.77, 14.4, 4.6e5, -0.05, 1.20, 0.80, 1.20, 1.2, 1.0, 2.0),
    Traits(16.0, "0.001", "0.1", 1.55, 1.20, 20.0, 2.1e5, 0.30, 1.10, 0.96, 1.60, 0.3, 1.0, 0.5),
)

SMALL_RANK = 68
"""From here on a symbol is as small as they come; between the majors and it, figures change in proportion."""

# Pairs are the figures of a large and of a small symbol; a spread is the standard deviation of the logarithm.
# CALIBRATION, "Alts against BTC": beta and idiosyncratic sd, p10 to p90 over 99 symbols.
_BETA, _BETA_SPREAD = (1.45, 1.58), 0.15
_TIDE, _TIDE_SPREAD = (1.08, 1.30), 0.20
_OWN_BPS, _OWN_SPREAD = (16.0, 22.0), 0.30
_RALLY_LOSS, _RALLY_LOSS_SD = 0.40, 0.08
# CALIBRATION, "1h perp, 100 symbols": clustering and kurtosis, p10 to p90.
_EXCITEMENT_SPREAD, _EXCITEMENT_MAX = 0.30, 1.3
_AFFAIRS_SPREAD = 0.7
# Turnover of the same recordings: of rank 8, and falling with a power of the rank.
_USD, _USD_SPREAD, _USD_POWER = 1.5e6, 0.5, 1.6
_LOG_PRICES = (-5.3, 4.1)
"""Logarithms of half a cent and of 60."""
# CALIBRATION, "Funding", broad set: between symbols and within one; the squares add up to about 1.
_FUNDING_SHIFT, _FUNDING_SPREAD = 0.40, 0.94
_BASIS_BPS, _BASIS_SD_BPS = 0.5, 1.3


def size_weight(rank: int) -> float:
    """Return 0 for a large symbol to 1 for a small one."""
    return min(max((rank - len(MAJORS)) / (SMALL_RANK - len(MAJORS)), 0.0), 1.0)


def draw_traits(rank: int, words: Sequence[Word]) -> Traits:
    """Return the traits of a symbol after the majors, made from twelve random words."""
    weight = size_weight(rank)
    beta_factor = exponential(_BETA_SPREAD * normal(words[0]))
    price = exponential(_between(_LOG_PRICES, uniform(words[1])))
    tick, lot = choose_grids(price)
    return Traits(
        price=price,
        tick=f"{tick:f}",
        lot=f"{lot:f}",
        beta=_between(_BETA, weight) * beta_factor,
        # Who follows Bitcoin more follows the tide more.
        tide=_between(_TIDE, weight) * beta_factor * exponential(_TIDE_SPREAD * normal(words[2])),
        own_bps=_between(_OWN_BPS, weight) * exponential(_OWN_SPREAD * normal(words[3])),
        usd=_USD * exponential(_USD_POWER * logarithm(len(MAJORS) / rank) + _USD_SPREAD * normal(words[4])),
        funding_shift=_FUNDING_SHIFT * normal(words[5]),
        funding_spread=_FUNDING_SPREAD,
        basis_bps=_BASIS_BPS * (1.0 + normal(words[6])),
        basis_sd_bps=_BASIS_SD_BPS * exponential(0.3 * normal(words[7])),
        excitement=min(_EXCITEMENT_MAX, exponential(_EXCITEMENT_SPREAD * normal(words[8]))),
        affairs=exponential(_AFFAIRS_SPREAD * normal(words[9])),
        rally_loss=_RALLY_LOSS + _RALLY_LOSS_SD * normal(words[10]),
    )


def _between(ends: tuple[float, float], weight: float) -> float:
    return ends[0] + weight * (ends[1] - ends[0])
