"""What do all symbols share: Bitcoin's moves, the tide of the alts, the mood, the season and the halts?"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bitnerve.adapters.simulated import seasons
from bitnerve.adapters.simulated.compiled import compiled
from bitnerve.adapters.simulated.noise import exponential, normal, philox, uniform
from bitnerve.adapters.simulated.volatility import DAY_BARS, Figures, drive, make_shape, start_levels

Floats = npt.NDArray[np.float64]

BAR_MS = 300_000
"""The market is made in bars of five minutes; longer ones are put together from these."""

# Streams of random words; symbols have those from FIRST_SYMBOL on. Purposes of the stream EXCHANGE.
MARKET, TIDE, EXCHANGE, FIRST_SYMBOL = 0, 1, 2, 16
_CROWD, _HALTS = 0, 1

# CALIBRATION, "Single-asset, 5m perp", row BTC: sd, kurtosis, clustering, jumps and tail index.
MARKET_FIGURES = Figures(
    scale=8.5e-4,
    half_lives=(2.5, 18.0, 144.0, 1000.0, 6000.0),
    amplitudes=(0.40, 0.23, 0.21, 0.42, 0.18),
    flicker=0.12,
    jumps_per_day=0.35,
    jump_sigmas=4.2,
    jump_spread=0.3,
    aftershock=0.0,
)

# CALIBRATION, "Mean pairwise 1h correlation .62": Bitcoin alone would give .39, the median R². The tide is
# what alts share beyond it.
TIDE_FIGURES = Figures(
    scale=7.8e-4,
    half_lives=(3.0, 24.0, 200.0, 1500.0),
    amplitudes=(0.25, 0.26, 0.12, 0.18),
    flicker=0.10,
    jumps_per_day=0.2,
    jump_sigmas=5.5,
    jump_spread=0.4,
    aftershock=0.0,
)
TIDE_HOUR, TIDE_WEEKDAY = 0.7, 0.3
"""How far the tide follows Bitcoin's hours and weekdays: alts trade through the weekend."""
TIDE_MOOD = 0.95
"""How far the tide's log-sigma follows Bitcoin's, jumps included: crashes are shared."""

# CALIBRATION, "Alts against BTC", row bull: betas are lower when Bitcoin has risen 3 % in 24 hours.
RALLY_RETURN, RALLY_WIDTH = 0.022, 0.006

CROWD_PERSISTENCE = 0.990
"""Per bar, of the trading that all symbols share beyond what their ranges explain: half-life six hours."""

# CALIBRATION, "Events": two exchange halts in nine months, of two and three bars.
HALTS_PER_DAY = 2.0 / 273.0
HALT_BARS_MAX = 3


class Factors(NamedTuple):
    """What is shared, one value per bar."""

    market: Floats
    """Bitcoin's innovation."""
    market_variance: Floats
    tide: Floats
    tide_variance: Floats
    mood: Floats
    """Bitcoin's log-sigma without its season."""
    tide_mood: Floats
    """The tide's log-sigma without season and mood."""
    sigma_hour: Floats
    sigma_weekday: Floats
    volume_hour: Floats
    volume_weekday: Floats
    """Seasons of log-sigma and of log-volume."""
    crowd: Floats
    """Trading that all symbols share, standard deviation 1."""
    rally: Floats
    """From 0 to 1: whether Bitcoin's past 24 hours, up to the open of the bar, are a rally."""
    halted: Floats
    """1 while the exchange stands still, else 0."""


def make_factors(*, seed: int, first_bar: int, count: int, with_halts: bool) -> Factors:
    """Return the factors of `count` bars from number `first_bar` on, which opens at first_bar × BAR_MS.

    They begin a day earlier, so that the first bar already has a past of 24 hours.
    """
    begin = first_bar - DAY_BARS
    at = (np.arange(count + DAY_BARS, dtype=np.int64) + begin) * BAR_MS
    sigma_hour = seasons.hours(at, seasons.SIGMA_BY_HOUR)
    sigma_weekday = seasons.weekdays(at, seasons.SIGMA_BY_WEEKDAY)
    background = sigma_hour + sigma_weekday
    market, market_variance, log_sigma = _run(seed, MARKET, begin, background, MARKET_FIGURES)
    mood = log_sigma - background
    background = TIDE_HOUR * sigma_hour + TIDE_WEEKDAY * sigma_weekday + TIDE_MOOD * mood
    tide, tide_variance, log_sigma = _run(seed, TIDE, begin, background, TIDE_FIGURES)
    series = Factors(
        market=market,
        market_variance=market_variance,
        tide=tide,
        tide_variance=tide_variance,
        mood=mood,
        tide_mood=log_sigma - background,
        sigma_hour=sigma_hour,
        sigma_weekday=sigma_weekday,
        volume_hour=seasons.hours(at, seasons.VOLUME_BY_HOUR),
        volume_weekday=seasons.weekdays(at, seasons.VOLUME_BY_WEEKDAY),
        crowd=wander(seed, EXCHANGE, _CROWD, begin, len(at), CROWD_PERSISTENCE),
        rally=_find_rallies(market - 0.5 * market_variance),
        halted=_choose_halts(seed, begin, len(at)) if with_halts else np.zeros(len(at)),
    )
    return Factors(*(values[DAY_BARS:] for values in series))


def _run(seed: int, stream: int, at: int, season: Floats, figures: Figures) -> tuple[Floats, Floats, Floats]:
    shape = make_shape(figures)
    return drive(seed, stream, at, season, start_levels(seed, stream, at, shape.amplitude), shape)


@compiled
def wander(seed: int, stream: int, purpose: int, at: int, count: int, persistence: float) -> Floats:
    """Return a series of standard deviation 1 that forgets, one value for each number from `at` on."""
    series = np.empty(count)
    level = normal(philox(seed, stream, purpose, at)[1])
    for index in range(count):
        shock = normal(philox(seed, stream, purpose, at + index)[0])
        level = persistence * level + math.sqrt(1.0 - persistence * persistence) * shock
        series[index] = level
    return series


@compiled
def _find_rallies(returns: Floats) -> Floats:
    rally = np.zeros(len(returns))
    past = 0.0
    for bar in range(len(returns)):
        # Only what lies before the bar's open counts: a beta that knew its own bar's return would be a drift.
        rally[bar] = 1.0 / (1.0 + exponential((RALLY_RETURN - past) / RALLY_WIDTH))
        past += returns[bar]
        if bar >= DAY_BARS:
            past -= returns[bar - DAY_BARS]
    return rally


@compiled
def _choose_halts(seed: int, begin: int, count: int) -> Floats:
    halted = np.zeros(count)
    for bar in range(count):
        for back in range(HALT_BARS_MAX):
            starts, length, _, _ = philox(seed, EXCHANGE, _HALTS, begin + bar - back)
            lasts = uniform(length) * HALT_BARS_MAX > back
            if uniform(starts) * DAY_BARS < HALTS_PER_DAY and lasts:
                halted[bar] = 1.0
    return halted
