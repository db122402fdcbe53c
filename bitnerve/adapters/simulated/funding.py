"""Which funding rates does the simulated venue settle, and when?

A rate is read off the measured distribution of its class at a standard score that moves slowly: the symbol's
own habit, a mood that all share, its own drift, and the symbol's return of the last day, for longs crowd
after a rise. Rates know nothing of later returns, and prices are martingales, so what funding pays is carry,
and real here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bitnerve.adapters.simulated.factors import EXCHANGE, wander
from bitnerve.adapters.simulated.noise import exponential
from bitnerve.adapters.simulated.traits import MAJORS
from bitnerve.adapters.simulated.universe import Listing
from bitnerve.domain.market.recording import FundingSchedule
from bitnerve.domain.timeframe import DAY_MS, HOUR_MS, ceil_to

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_FUNDING = 12
BPS_UNITS = 10_000
"""Rate units in a basis point."""


class Pool(NamedTuple):
    """The distribution of a class: rates, in bps, at standard scores; straight lines between."""

    scores: Floats
    rates: Floats


def _make_pool(*points: tuple[float, float]) -> Pool:
    scores, rates = zip(*points, strict=True)
    return Pool(np.array(scores), np.array(rates))


# CALIBRATION, "Funding". Scores of the quantiles .1, .5, 1, 2, 5, 10, 20, 30, 40, 50 ... % and their rates; a
# flat piece is the clamp of the venue's formula: 1 bp in 8 hours, .5 bp in 4.
# fmt: off
MAJOR_POOL = _make_pool(
    (-4.00, -12.0), (-3.09, -5.66), (-2.58, -4.26), (-2.33, -3.34), (-2.05, -2.45), (-1.64, -1.36),
    (-1.28, -0.71), (-0.84, -0.18), (-0.52, 0.00), (-0.25, 0.16), (0.00, 0.39), (0.25, 0.61),
    (0.52, 0.87), (0.67, 1.00), (2.33, 1.00), (3.09, 2.33),
)
EIGHT_HOUR_POOL = _make_pool(
    (-3.72, -200.0), (-3.09, -95.8), (-2.58, -33.0), (-2.33, -17.0), (-2.05, -9.3), (-1.64, -4.4),
    (-1.28, -2.3), (-0.84, -1.03), (-0.52, -0.45), (-0.25, -0.05), (0.00, 0.26), (0.25, 0.63),
    (0.476, 1.00), (3.09, 1.00), (3.72, 4.14),
)
FOUR_HOUR_POOL = _make_pool(
    (-3.72, -193.0), (-3.09, -89.2), (-2.58, -42.0), (-2.33, -26.5), (-2.05, -13.5), (-1.64, -5.3),
    (-1.28, -2.4), (-0.84, -0.67), (-0.52, 0.02), (-0.292, 0.50), (1.64, 0.50), (2.33, 4.9),
    (3.09, 12.0), (3.72, 22.0),
)
# fmt: on

# Parts of the variance of a score within its symbol, and how much of each remains after four hours.
MOOD_SHARE, MOOD_PERSISTENCE = 0.10, 0.90
RETURN_SHARE = 0.08
OWN_PERSISTENCE = 0.72

SLOT_MS = 4 * HOUR_MS
DAY_SIGMAS = 25.0
"""Standard deviation of a day's return, in sigmas of an ordinary bar of five minutes."""


def make_funding(
    *, seed: int, listings: Sequence[Listing], start_at: int, interval_ms: int, prices: Integers
) -> FundingSchedule:
    """Return the settlements from `start_at` to the end of the bars, both included, by time, then symbol.

    `prices` are [bar + 1, symbol]: the first open and all closes. The interval divides four hours.
    """
    until = start_at + (len(prices) - 1) * interval_ms
    first_slot = start_at // SLOT_MS
    slot_count = until // SLOT_MS - first_slot + 1
    mood = wander(seed, EXCHANGE, _FUNDING, first_slot, slot_count, MOOD_PERSISTENCE)
    ats, columns, rates = [], [], []
    for column, listing in enumerate(listings):
        step = listing.funding_interval_hours * HOUR_MS
        at = np.arange(ceil_to(start_at, step), until + 1, step, dtype=np.int64)
        slots = at // SLOT_MS - first_slot
        own = wander(seed, listing.stream, _FUNDING, first_slot, slot_count, OWN_PERSISTENCE)
        day = _score_day(prices[:, column], (at - start_at) // interval_ms, DAY_MS // interval_ms, listing)
        score = listing.funding_shift + listing.funding_spread * (
            math.sqrt(MOOD_SHARE) * mood[slots]
            + math.sqrt(RETURN_SHARE) * day
            + math.sqrt(1.0 - MOOD_SHARE - RETURN_SHARE) * own[slots]
        )
        ats.append(at)
        columns.append(np.full(len(at), column, dtype=np.int64))
        rates.append(np.rint(np.interp(score, *_pool_of(listing)) * BPS_UNITS).astype(np.int64))
    at, symbol, rate = (np.concatenate(parts) for parts in (ats, columns, rates))
    order = np.lexsort((symbol, at))
    known = np.ones(len(at), dtype=np.bool_)
    return FundingSchedule(at=at[order], symbol=symbol[order], rate=rate[order], known=known)


def _pool_of(listing: Listing) -> Pool:
    if listing.rank < len(MAJORS):
        return MAJOR_POOL
    return FOUR_HOUR_POOL if listing.funding_interval_hours == 4 else EIGHT_HOUR_POOL


def _score_day(prices: Integers, rows: Integers, day_rows: int, listing: Listing) -> Floats:
    """Return each settlement's return of the last 24 hours as a score of standard deviation about 1."""
    before = np.maximum(rows - day_rows, 0)
    sigma = DAY_SIGMAS * exponential(listing.character.log_sigma)
    score = (prices[rows] / prices[before] - 1.0) / sigma
    # Crashes count, but not without bound.
    return np.asarray(score / np.sqrt(1.0 + 0.25 * score * score))
