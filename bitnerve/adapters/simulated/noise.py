"""Which random number belongs to (seed, stream, purpose, bar), on every machine and in any order?

Random numbers are looked up, not drawn: Philox is a function from a key and a counter to 128 bits, so any bar
of any symbol can be made alone. Logarithm and exponential are written out in additions, multiplications and
divisions, which IEEE 754 rounds alike everywhere; the platforms' own differ in the last bit.
"""

from __future__ import annotations

import math

import numpy as np

from bitnerve.adapters.simulated.compiled import compiled

Word = np.int64
"""A random integer of 32 bits, 0 to 2^32 - 1."""

_MASK = np.uint64(0xFFFFFFFF)
_HALF = np.uint64(32)
_MULTIPLIER_0 = np.uint64(0xD2511F53)
_MULTIPLIER_1 = np.uint64(0xCD9E8D57)
_WEYL_0 = np.uint64(0x9E3779B9)
_WEYL_1 = np.uint64(0xBB67AE85)

# ln 2 in two parts, so that whole multiples of the first are exact.
_LN2_HIGH = 6.93147180369123816490e-01
_LN2_LOW = 1.90821492927058770002e-10
_LOG2_E = 1.4426950408889634
_ROOT_HALF = 0.7071067811865476
_POWER_MAX = 1022
_POWERS = np.ldexp(1.0, np.arange(-_POWER_MAX, _POWER_MAX + 1))
_TAYLOR = np.array([1.0 / math.factorial(order) for order in range(13, -1, -1)])
_ODD = np.array([1.0 / order for order in range(21, 0, -2)])


@compiled
def philox(seed: int, stream: int, purpose: int, at: int) -> tuple[Word, Word, Word, Word]:
    """Return four independent words: Philox4x32-10 of the key `seed` and the counter (at, stream, purpose).

    `at`, a time or the number of a bar, has 64 bits, `stream` and `purpose` 32 each. No two counters share
    words.
    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3" (2011), and Random123's test vectors.
    """
    key_0, key_1 = np.uint64(seed) & _MASK, np.uint64(seed) >> _HALF
    word_0, word_1 = np.uint64(at) & _MASK, np.uint64(at) >> _HALF
    word_2, word_3 = np.uint64(stream) & _MASK, np.uint64(purpose) & _MASK
    for _ in range(10):
        product_0, product_1 = _MULTIPLIER_0 * word_0, _MULTIPLIER_1 * word_2
        word_0, word_2 = (product_1 >> _HALF) ^ word_1 ^ key_0, (product_0 >> _HALF) ^ word_3 ^ key_1
        word_1, word_3 = product_1 & _MASK, product_0 & _MASK
        key_0, key_1 = (key_0 + _WEYL_0) & _MASK, (key_1 + _WEYL_1) & _MASK
    return np.int64(word_0), np.int64(word_1), np.int64(word_2), np.int64(word_3)


@compiled
def uniform(word: Word) -> float:
    """Return the number in (0, 1) that a word stands for, never 0 or 1."""
    return (float(word) + 0.5) / 4294967296.0


@compiled
def exponential(x: float) -> float:
    """Return e to the power of x, for |x| below 700, within 2 units in the last place."""
    whole = math.floor(x * _LOG2_E + 0.5)
    rest = (x - whole * _LN2_HIGH) - whole * _LN2_LOW
    total = 0.0
    for coefficient in _TAYLOR:
        total = total * rest + coefficient
    return float(total * _POWERS[whole + _POWER_MAX])


@compiled
def logarithm(x: float) -> float:
    """Return the natural logarithm of a normal x above zero, within a few units in the last place."""
    mantissa, exponent = math.frexp(x)
    if mantissa < _ROOT_HALF:
        mantissa, exponent = mantissa * 2.0, exponent - 1
    ratio = (mantissa - 1.0) / (mantissa + 1.0)
    square = ratio * ratio
    total = 0.0
    for coefficient in _ODD:
        total = total * square + coefficient
    return exponent * _LN2_HIGH + (2.0 * ratio * total + exponent * _LN2_LOW)


@compiled
def normal(word: Word) -> float:
    """Return the standard normal quantile of a word: symmetric, at most 6.3, relative error 1.2e-9.

    Source: P. J. Acklam, "An algorithm for computing the inverse normal cumulative distribution
    function" (2003).
    """
    p = uniform(word)
    tail = min(p, 1.0 - p)
    if tail < 0.02425:
        q = math.sqrt(-2.0 * logarithm(tail))
        top = -7.784894002430293e-03 * q - 3.223964580411365e-01
        top = (top * q - 2.400758277161838e00) * q - 2.549732539343734e00
        top = (top * q + 4.374664141464968e00) * q + 2.938163982698783e00
        bottom = 7.784695709041462e-03 * q + 3.224671290700398e-01
        bottom = ((bottom * q + 2.445134137142996e00) * q + 3.754408661907416e00) * q + 1.0
        return top / bottom if p < 0.5 else -top / bottom
    q = p - 0.5
    r = q * q
    top = -3.969683028665376e01 * r + 2.209460984245205e02
    top = (top * r - 2.759285104469687e02) * r + 1.383577518672690e02
    top = (top * r - 3.066479806614716e01) * r + 2.506628277459239e00
    bottom = -5.447609879822406e01 * r + 1.615858368580409e02
    bottom = (bottom * r - 1.556989798598866e02) * r + 6.680131188771972e01
    bottom = (bottom * r - 1.328068155288572e01) * r + 1.0
    return top * q / bottom
