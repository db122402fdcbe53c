"""What do the returns and the co-movement of a market look like, in the figures that are quoted for them?

The functions take plain float arrays and name no source: recorded and simulated markets are measured alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

JUMP_SIGMAS = 5.0
"""A return is a jump from this many local standard deviations on."""
TAIL_SHARE = 0.01
"""The part of the largest moves that the tail index is read from."""


@dataclass(frozen=True, slots=True)
class ReturnFacts:
    """The figures of one series of returns, in the unit of the returns."""

    sd: float
    kurtosis: float
    """In excess of the normal distribution's."""
    quantile_999: float
    """Of the absolute returns."""
    largest: float
    return_autocorrelation: float
    """At lag 1."""
    clustering: tuple[float, ...]
    """Autocorrelation of the absolute returns at each lag asked for."""
    jumps_per_day: float
    jump_share: float
    """Of the variance."""
    tail_index: float


@dataclass(frozen=True, slots=True)
class Regression:
    """One asset against the market: asset = beta × market + rest."""

    beta: float
    r2: float
    residual_sd: float


@dataclass(frozen=True, slots=True)
class CoMovement:
    """How much of a set of assets moves as one."""

    mean_correlation: float
    component_shares: tuple[float, ...]
    """Shares of the variance of the standardized returns, largest first."""


def autocorrelation(values: Floats, lag: int) -> float:
    """Return the sample autocorrelation at a lag of at least 1."""
    centered = values - values.mean()
    return float((centered[lag:] * centered[:-lag]).mean() / (centered * centered).mean())


def excess_kurtosis(values: Floats) -> float:
    """Return the fourth standardized moment less 3."""
    centered = values - values.mean()
    return float((centered**4).mean() / (centered * centered).mean() ** 2 - 3.0)


def tail_index(magnitudes: Floats, share: float = TAIL_SHARE) -> float:
    """Return Hill's estimate from the largest `share` of the magnitudes.

    Source: B. M. Hill, "A simple general approach to inference about the tail of a distribution" (1975).
    """
    ranked = np.sort(magnitudes)[::-1]
    count = int(len(ranked) * share)
    return float(1.0 / np.log(ranked[:count] / ranked[count]).mean())


def find_jumps(returns: Floats, window: int) -> npt.NDArray[np.bool_]:
    """Return which returns, from the `window`-th on, exceed `JUMP_SIGMAS` local sigmas.

    The local variance is the mean bipower variation of the `window` returns before, which one jump hardly
    moves.
    Source: Barndorff-Nielsen and Shephard, "Power and bipower variation" (2004).
    """
    sizes = np.abs(returns)
    bipower = np.concatenate([[0.0], np.cumsum(np.pi / 2.0 * sizes[1:] * sizes[:-1])])
    at = np.arange(window, len(returns))
    local_variance = (bipower[at - 1] - bipower[at - window]) / (window - 1)
    return np.asarray(sizes[window:] > JUMP_SIGMAS * np.sqrt(local_variance))


def describe_returns(returns: Floats, *, lags: tuple[int, ...], bars_per_day: int) -> ReturnFacts:
    """Return the figures of a series; the local sigma of a jump is that of the day before it."""
    sizes = np.abs(returns)
    jumps, tested = find_jumps(returns, bars_per_day), returns[bars_per_day:]
    return ReturnFacts(
        sd=float(returns.std()),
        kurtosis=excess_kurtosis(returns),
        quantile_999=float(np.quantile(sizes, 0.999)),
        largest=float(sizes.max()),
        return_autocorrelation=autocorrelation(returns, 1),
        clustering=tuple(autocorrelation(sizes, lag) for lag in lags),
        jumps_per_day=float(jumps.sum() / (len(tested) / bars_per_day)),
        jump_share=float((tested[jumps] ** 2).sum() / (tested**2).sum()),
        tail_index=tail_index(sizes),
    )


def regress(market: Floats, asset: Floats) -> Regression:
    """Return the least-squares line of an asset on the market, both of equal length."""
    x, y = market - market.mean(), asset - asset.mean()
    beta = float((x * y).mean() / (x * x).mean())
    r2 = beta * float((x * y).mean()) / float((y * y).mean())
    return Regression(beta=beta, r2=r2, residual_sd=float((y - beta * x).std()))


def describe_co_movement(returns: Floats) -> CoMovement:
    """Return the mean pairwise correlation and the principal components of returns `[bar, asset]`."""
    correlations = np.asarray(np.corrcoef(returns.T))
    pairs = np.triu_indices(len(correlations), 1)
    shares = np.linalg.eigvalsh(correlations)[::-1] / len(correlations)
    mean = float(correlations[pairs].mean())
    return CoMovement(mean_correlation=mean, component_shares=tuple(shares.tolist()))


def seasonal_means(values: Floats, labels: npt.NDArray[np.int64], count: int) -> Floats:
    """Return the mean of the values of each label 0..count-1, relative to the mean of all."""
    sums = np.bincount(labels, weights=values, minlength=count)
    return np.asarray(sums / np.bincount(labels, minlength=count) / values.mean())
