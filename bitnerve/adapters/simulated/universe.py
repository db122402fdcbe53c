"""What is a symbol of the simulated market, complete?

That depends on the seed and the symbol's rank alone, never on which others are listed beside it.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from bitnerve.adapters.simulated.contracts import make_contract
from bitnerve.adapters.simulated.factors import FIRST_SYMBOL, MARKET_FIGURES, TIDE_FIGURES
from bitnerve.adapters.simulated.names import SYMBOLS
from bitnerve.adapters.simulated.noise import exponential, logarithm, normal, philox
from bitnerve.adapters.simulated.paths import Character
from bitnerve.adapters.simulated.traits import MAJORS, Traits, draw_traits, size_weight
from bitnerve.adapters.simulated.volatility import Figures, Shape, make_shape
from bitnerve.domain.market.instrument import Instrument
from bitnerve.domain.units import SCALE

_PROFILE = 11
"""The purpose of the words that a symbol is made from."""
_PRICE_SPREAD = 0.15
"""Of the first price, between seeds."""

# CALIBRATION, row "bull" against "calm": beta outside rallies, relative to that of all hours.
_CALM_BETA = 1.05

# A symbol's own news. Their log-sigma follows the market's and, relative to that, the tide's, jumps included.
_OWN_MOOD, OWN_TIDE_MOOD = 0.55, 0.6
OWN_HOUR, OWN_WEEKDAY = 0.5, 0.2
_OWN_HALF_LIVES = (3.0, 30.0, 300.0, 3000.0)
_OWN_AMPLITUDES = (0.26, 0.30, 0.16, 0.15)
_MOOD_VARIANCE, _REST_VARIANCE = 0.53, 0.03
"""Of the log-sigmas that own news follow; of season, flicker and affairs."""

# CALIBRATION, "Volume": BTC and DOGE; by the days, and beyond what hours and weekdays of the ranges explain.
_BITCOIN_INTEREST, _ALT_INTEREST = 0.22, 0.38
_ALT_HOUR, _ALT_WEEKDAY = 0.8, 0.3

# CALIBRATION, "Funding": 77 of 283 symbols settle every 8 hours, the majors among them.
_EIGHT_HOUR_RANKS = (3, 6, 9)
"""Modulo 11."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One symbol of the market."""

    rank: int
    stream: int
    """Of its random words."""
    instrument: Instrument
    start_ticks: int
    """The price before the first bar."""
    character: Character
    own: Shape
    own_mood: float
    funding_interval_hours: int
    funding_shift: float
    funding_spread: float


def make_listing(*, seed: int, rank: int) -> Listing:
    """Return what the symbol of a rank is like in the market of a seed."""
    stream = FIRST_SYMBOL + rank
    words = [word for number in range(4) for word in philox(seed, stream, _PROFILE, number)]
    is_major = rank < len(MAJORS)
    traits = MAJORS[rank] if is_major else draw_traits(rank, words)
    instrument = make_contract(
        symbol=SYMBOLS[rank], rank=rank, tick_size=Decimal(traits.tick), lot_size=Decimal(traits.lot)
    )
    price = traits.price * exponential(_PRICE_SPREAD * normal(words[12]))
    own_mood = _OWN_MOOD * traits.excitement
    own = make_shape(_describe_own(traits, own_mood, size_weight(rank)))
    return Listing(
        rank=rank,
        stream=stream,
        instrument=instrument,
        start_ticks=max(1, int(price * SCALE / instrument.tick_size)),
        character=_make_character(rank, traits, own, instrument),
        own=own,
        own_mood=own_mood,
        funding_interval_hours=8 if is_major or rank % 11 in _EIGHT_HOUR_RANKS else 4,
        funding_shift=traits.funding_shift,
        funding_spread=traits.funding_spread,
    )


def _describe_own(traits: Traits, own_mood: float, weight: float) -> Figures:
    """Return the volatility of a symbol's own news; small symbols' affairs are larger and last longer."""
    fast, *lasting = (traits.excitement * amplitude for amplitude in _OWN_AMPLITUDES)
    amplitudes = (fast, *(traits.memory * amplitude for amplitude in lasting))
    # The variance of a log-normal sigma is larger than that of its median by e to the power of this.
    spread = sum(amplitude**2 for amplitude in amplitudes) + own_mood**2 * _MOOD_VARIANCE + _REST_VARIANCE
    return Figures(
        scale=traits.own_bps * 1e-4 * exponential(-spread),
        half_lives=_OWN_HALF_LIVES,
        amplitudes=amplitudes,
        flicker=0.10,
        jumps_per_day=(0.03 - 0.01 * weight) * traits.affairs,
        jump_sigmas=10.0,
        jump_spread=0.5 + 0.5 * weight,
        aftershock=0.7 + 0.3 * weight,
    )


def _make_character(rank: int, traits: Traits, own: Shape, instrument: Instrument) -> Character:
    is_bitcoin = rank == 0
    drivers = (traits.beta * MARKET_FIGURES.scale, traits.tide * TIDE_FIGURES.scale, own.scale)
    return Character(
        beta=traits.beta if is_bitcoin else traits.beta * _CALM_BETA,
        rally_loss=0.0 if is_bitcoin else traits.rally_loss,
        tide=traits.tide,
        log_sigma=0.5 * logarithm(sum(sigma * sigma for sigma in drivers)),
        log_usd=logarithm(traits.usd),
        volume_hour=1.0 if is_bitcoin else _ALT_HOUR,
        volume_weekday=1.0 if is_bitcoin else _ALT_WEEKDAY,
        interest=_BITCOIN_INTEREST if is_bitcoin else _ALT_INTEREST,
        basis=traits.basis_bps * 1e-4,
        basis_sd=traits.basis_sd_bps * 1e-4,
        tick_units=instrument.tick_size,
        lot_tick_units=instrument.tick_size * instrument.lot_numerator // instrument.lot_denominator,
    )
