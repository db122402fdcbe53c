"""Do signals come out to the last bit the same, compiled or not, on every machine?"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

import numpy as np

from bitnerve.domain.signals.beta import scan_bars
from bitnerve.domain.signals.momentum import momentum
from bitnerve.domain.signals.regime import regimes
from tests.domain.signals.test_beta import RULES as SCAN_RULES
from tests.domain.signals.test_indicators import all_indicators
from tests.domain.signals.test_momentum import SMALL
from tests.domain.signals.test_regime import SMALL_REGIME


def exact_market(bars: int = 400, symbols: int = 8) -> tuple[np.ndarray, np.ndarray]:
    """Return (close, turnover) made of whole numbers and halves of them, so that no machine rounds them otherwise."""
    generator = np.random.default_rng(11)
    close = 4096.0 + np.cumsum(generator.integers(-64, 65, (bars, symbols)) / 16.0, axis=0)
    turnover = generator.integers(1, 10**6, (bars, symbols)).astype(np.float64)
    gone = generator.integers(0, 50, (bars, symbols)) == 0
    return np.where(gone, np.nan, close), np.where(gone, np.nan, turnover)


def digest(columns: Iterable[np.ndarray]) -> str:
    """Return a hash of the bits, one NaN and one zero for all."""
    sha = hashlib.sha256()
    for column in columns:
        values = np.asarray(column, dtype=np.float64)
        sha.update(np.where(np.isnan(values), np.nan, values + 0.0).astype("<f8").tobytes())
    return sha.hexdigest()[:16]


def test_signals_have_the_bits_they_had_when_this_was_written() -> None:
    close, turnover = exact_market()
    bitcoin, alts = close[:, 0], close[:, 1:]
    reading = momentum(close=bitcoin, turnover=turnover[:, 0], alt_close=alts, rules=SMALL)
    moods = regimes(close=bitcoin, momentum=reading, first_bar=77, rules=SMALL_REGIME)
    scan = scan_bars(close=close, turnover=turnover, bitcoin=0, first_bar=77, rules=SCAN_RULES)
    assert {
        "indicators": digest(all_indicators(close, minimum=10).values()),
        "momentum": digest(reading),
        "regimes": digest(moods),
        "scan": digest(scan),
    } == {
        "indicators": "506fb7fee0fff554",
        "momentum": "ea963467b391a135",
        "regimes": "4ff45495146ef11b",
        "scan": "21b464385866c7c3",
    }
