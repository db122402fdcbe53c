"""How busy is a bar by the hour of the day and the day of the week, before anything happens?

Tables of CALIBRATION, "Volume" (BTCUSDT, 5 minutes, 2025-01 to 09), as natural logarithms about their mean.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from bitnerve.domain.timeframe import DAY_MS, HOUR_MS

Floats = npt.NDArray[np.float64]

# fmt: off
SIGMA_BY_HOUR = np.array([
    .06, .07, -.05, -.24, -.27, -.31, -.26, -.21, -.21, -.24, -.26, -.26,
    -.06, .26, .47, .35, .21, .21, .13, .10, .08, .04, -.02, -.14,
])
"""Of absolute returns, UTC."""
VOLUME_BY_HOUR = np.array([
    .02, -.05, -.14, -.26, -.31, -.33, -.26, -.13, -.06, -.12, -.16, -.15,
    .10, .49, .77, .60, .42, .26, .10, .05, -.05, -.30, -.24, -.26,
])
"""Of the traded value, UTC."""
SIGMA_BY_WEEKDAY = np.array([.22, .12, .09, .06, .09, -.51, -.25])
VOLUME_BY_WEEKDAY = np.array([.25, .13, .11, .10, .15, -.76, -.36])
"""Both with Monday first."""
# fmt: on

_EPOCH_WEEKDAY = 3
"""1970-01-01 was a Thursday."""


def hours(at: npt.NDArray[np.int64], table: Floats) -> Floats:
    """Return a table's value for the hour of each instant, given in milliseconds."""
    return np.asarray(table[at // HOUR_MS % 24])


def weekdays(at: npt.NDArray[np.int64], table: Floats) -> Floats:
    """Return a table's value for the weekday of each instant, given in milliseconds."""
    return np.asarray(table[(at // DAY_MS + _EPOCH_WEEKDAY) % 7])
