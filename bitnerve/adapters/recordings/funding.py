"""Which funding was settled, when, and where is the rate unknown?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from bitnerve.adapters.recordings.exact import decimal_of
from bitnerve.adapters.recordings.parquet import Schema
from bitnerve.adapters.recordings.rows import Rows, check_times, refuse_first
from bitnerve.domain.errors import Refusal
from bitnerve.domain.market.recording import FundingSchedule, no_funding
from bitnerve.domain.units import rate_units

FUNDING_SCHEMA = Schema(numbers=("funding_rate",))


class AbsurdRate(Refusal):
    """A funding rate above 100 % of the notional, or infinite."""

    code = "ABSURD_RATE"


def check_funding(rows: Rows) -> Rows:
    """Return the settlements of one symbol, or raise for the first one that breaks a rule."""
    check_times(rows)
    rate = rows.numbers("funding_rate")
    refuse_first(AbsurdRate, np.abs(rate) > 1, rows, "funding_rate", "must lie in [-1, 1] or be missing")
    return rows


def make_funding(settlements: Mapping[int, Rows]) -> FundingSchedule:
    """Return the settlements, which map columns to rows, in order of time, then symbol.

    A rate finer than 10⁻⁸ is rounded half-even, once; a missing one is unknown, never zero.
    """
    if not settlements:
        return no_funding()
    at = np.concatenate([rows.at for rows in settlements.values()])
    symbol = np.repeat(list(settlements), [len(rows.at) for rows in settlements.values()])
    recorded = np.concatenate([rows.numbers("funding_rate") for rows in settlements.values()])
    known = ~np.isnan(recorded)
    rate = np.zeros(len(at), dtype=np.int64)
    for index in np.flatnonzero(known):
        rate[index] = rate_units(decimal_of(recorded[index], field="funding_rate"), field="funding_rate")
    order = np.lexsort((symbol, at))
    return FundingSchedule(at=at[order], symbol=symbol[order], rate=rate[order], known=known[order])
