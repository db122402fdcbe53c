"""How large is the next innovation of one driver, and which way does it go?

A driver is a factor that symbols share, or one symbol's own news. An innovation is normal with a variance
that is settled without looking at its sign. So, given all that went before, up and down stay equally likely
whatever the volatility has done: there is nothing to predict but the size.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bitnerve.adapters.simulated.compiled import compiled
from bitnerve.adapters.simulated.noise import exponential, logarithm, normal, philox, uniform

Floats = npt.NDArray[np.float64]

# Purposes of random words. LEVELS takes one per four components, START one per component.
_NOISE, _LEVELS, _START = 0, 1, 100

VARIANCE_MAX = 0.15**2
"""No sigma of a bar of five minutes passes 15 %; the majors' largest recorded move in one is 8.4 %."""
DAY_BARS = 288
_LN2 = 0.6931471805599453


class Figures(NamedTuple):
    """The volatility of a driver: log-sigma is a sum of components, each of which returns to its mean."""

    scale: float
    """Sigma of an ordinary bar: components at their mean, mean season, no jump."""
    half_lives: tuple[float, ...]
    """Of the components, in bars of five minutes."""
    amplitudes: tuple[float, ...]
    """Their standard deviations."""
    flicker: float
    """Standard deviation of what each bar adds for itself."""
    jumps_per_day: float
    jump_sigmas: float
    """Sigma of a median jump, in sigmas of its bar."""
    jump_spread: float
    """Standard deviation of the logarithm of that."""
    aftershock: float
    """How much of that logarithm a jump leaves in the second component."""


class Shape(NamedTuple):
    """The same as the loops read it: per bar, and in logarithms."""

    scale: float
    persistence: Floats
    amplitude: Floats
    flicker: float
    jump_probability: float
    log_jump: float
    jump_spread: float
    aftershock: float


def make_shape(figures: Figures) -> Shape:
    """Return the shape that the figures describe."""
    return Shape(
        scale=figures.scale,
        persistence=np.array([exponential(-_LN2 / half_life) for half_life in figures.half_lives]),
        amplitude=np.array(figures.amplitudes),
        flicker=figures.flicker,
        jump_probability=figures.jumps_per_day / DAY_BARS,
        log_jump=logarithm(figures.jump_sigmas),
        jump_spread=figures.jump_spread,
        aftershock=figures.aftershock,
    )


@compiled
def start_levels(seed: int, stream: int, at: int, amplitude: Floats) -> Floats:
    """Return the components before bar `at`, as their stationary distribution has them."""
    levels = np.empty(len(amplitude))
    for index in range(len(amplitude)):
        levels[index] = amplitude[index] * normal(philox(seed, stream, _START + index, at)[0])
    return levels


@compiled
def drive(
    seed: int, stream: int, at: int, background: Floats, levels: Floats, shape: Shape
) -> tuple[Floats, Floats, Floats]:
    """Return innovations, their variances and log-sigmas (in units of `scale`) of bars `at`, `at` + 1, ...

    `background`, one value per bar, is log-sigma that comes from outside: the season, other drivers. `levels`
    are the components before the first bar and are moved on to the last.
    """
    count = len(background)
    innovation, variance, log_sigma = np.empty(count), np.empty(count), np.empty(count)
    shock = np.sqrt(1.0 - shape.persistence * shape.persistence) * shape.amplitude
    for bar in range(count):
        total = background[bar]
        words = philox(seed, stream, _LEVELS, at + bar)
        for index in range(len(levels)):
            if index > 0 and index % 4 == 0:
                words = philox(seed, stream, _LEVELS + index // 4, at + bar)
            levels[index] = shape.persistence[index] * levels[index] + shock[index] * normal(words[index % 4])
            total += levels[index]
        sign, flicker, jump, size = philox(seed, stream, _NOISE, at + bar)
        total += shape.flicker * normal(flicker)
        if uniform(jump) < shape.jump_probability:
            log_jump = shape.log_jump + shape.jump_spread * normal(size)
            total += log_jump
            levels[1] += shape.aftershock * log_jump
        log_sigma[bar] = total
        variance[bar] = min(shape.scale * shape.scale * exponential(2.0 * total), VARIANCE_MAX)
        innovation[bar] = math.sqrt(variance[bar]) * normal(sign)
    return innovation, variance, log_sigma
