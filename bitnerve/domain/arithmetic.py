"""What is the exact result of a product, a quotient or a root that does not fit into 64 bits?

Money times a rate, a price times a quantity and their sums leave `int64` quickly. Everything here keeps 128 bits in
between. A `wide` number is a pair (high: signed, low: unsigned 64 bits) when compiled and a plain integer
otherwise; only the functions of this file look inside one. A result that does not fit raises `OverflowError`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from bitnerve.domain.kernel import COMPILED, INT64_MAX, kernel

DOWN = 0
"""Round toward minus infinity."""
UP = 1
"""Round toward plus infinity."""
HALF_EVEN = 2
"""Round to the nearest, ties to the even neighbor."""

if COMPILED:
    from llvmlite import ir
    from numba import types
    from numba.extending import intrinsic

    _U0 = np.uint64(0)
    _U1 = np.uint64(1)
    _U32 = np.uint64(32)
    _U63 = np.uint64(63)
    _LOW32 = np.uint64(0xFFFFFFFF)
    _SIGN = np.uint64(1 << 63)
    _FLOAT_EXACT = np.uint64(1 << 52)
    _FLOAT_EXACT_SIGNED = np.int64(1 << 52)
    _FLOAT_SAFE = float(1 << 50)
    _INT_SAFE = float(1 << 62)

    @intrinsic  # type: ignore[untyped-decorator]
    def _multiply_high(typing_context: Any, a: Any, b: Any) -> Any:
        """Return the upper 64 bits of the product of two unsigned 64-bit integers: one machine instruction."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            wide = ir.IntType(128)
            product = builder.mul(builder.zext(arguments[0], wide), builder.zext(arguments[1], wide))
            return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

        return types.uint64(types.uint64, types.uint64), generate

    @intrinsic  # type: ignore[untyped-decorator]
    def _leading_zeros(typing_context: Any, a: Any) -> Any:
        """Return the number of zero bits above the highest set bit of an unsigned 64-bit integer."""

        def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

        return types.uint64(types.uint64), generate

    @kernel
    def _magnitude(a: Any) -> Any:
        # Unsigned negation wraps, so the smallest int64 gets its right magnitude too.
        return np.uint64(a) if a >= 0 else _U0 - np.uint64(a)

    @kernel
    def _divide_128(high: Any, low: Any, divisor: Any) -> Any:
        """Return (quotient, remainder) of an unsigned 128-bit number whose high half is below the divisor.

        Source: Knuth, The Art of Computer Programming 2, 4.3.1, algorithm D with 32-bit digits.
        """
        shift = _leading_zeros(divisor)
        divisor <<= shift
        if shift > _U0:
            high = (high << shift) | (low >> (np.uint64(64) - shift))
        low <<= shift
        divisor_1 = divisor >> _U32
        divisor_0 = divisor & _LOW32
        digit_1 = high // divisor_1
        rest = high - digit_1 * divisor_1
        while digit_1 > _LOW32 or digit_1 * divisor_0 > ((rest << _U32) | (low >> _U32)):
            digit_1 -= _U1
            rest += divisor_1
            if rest > _LOW32:
                break
        middle = (high << _U32) + (low >> _U32) - digit_1 * divisor
        digit_0 = middle // divisor_1
        rest = middle - digit_0 * divisor_1
        while digit_0 > _LOW32 or digit_0 * divisor_0 > ((rest << _U32) | (low & _LOW32)):
            digit_0 -= _U1
            rest += divisor_1
            if rest > _LOW32:
                break
        remainder = ((middle << _U32) + (low & _LOW32) - digit_0 * divisor) >> shift
        return (digit_1 << _U32) + digit_0, remainder

    @kernel
    def _divide_64(low: Any, divisor: Any) -> Any:
        """Return (quotient, remainder) of two unsigned 64-bit integers.

        The hardware divides floats several times faster than integers. Below 2^52 the float quotient is off by two
        at the very most, which the exact remainder shows and mends; above, the hardware divides the integers.
        """
        if low < _SIGN and divisor < _FLOAT_EXACT:
            signed = np.int64(divisor)
            quotient = np.int64(float(np.int64(low)) / float(signed))
            if quotient < _FLOAT_EXACT_SIGNED:
                remainder = np.int64(low) - quotient * signed
                while remainder < 0:
                    quotient -= 1
                    remainder += signed
                while remainder >= signed:
                    quotient += 1
                    remainder -= signed
                return np.uint64(quotient), np.uint64(remainder)
        whole = low // divisor
        return whole, low - whole * divisor

    @kernel
    def _rounded(quotient: Any, remainder: Any, divisor: Any, negative: bool, rounding: int) -> int:
        """Return the signed, rounded quotient of magnitudes, or raise when it leaves int64."""
        if remainder != _U0:
            if rounding == HALF_EVEN:
                # remainder ? divisor - remainder, rather than twice the remainder, which could wrap.
                rest = divisor - remainder
                if remainder > rest or (remainder == rest and (quotient & _U1) == _U1):
                    quotient += _U1
            elif (rounding == UP) != negative:
                quotient += _U1
        if quotient >= _SIGN:
            raise OverflowError("a product or quotient leaves the range of int64")
        return int(-np.int64(quotient)) if negative else int(np.int64(quotient))

    @kernel
    def mul_div(a: int, b: int, c: int, rounding: int) -> int:
        """Return a × b ÷ c, exact to the last bit before it is rounded once; c must be positive."""
        magnitude_a = _magnitude(a)
        magnitude_b = _magnitude(b)
        divisor = np.uint64(c)
        negative = (a < 0) != (b < 0)
        high = _multiply_high(magnitude_a, magnitude_b)
        low = magnitude_a * magnitude_b
        if high == _U0:
            quotient, remainder = _divide_64(low, divisor)
        elif high >= divisor:
            raise OverflowError("a product or quotient leaves the range of int64")
        else:
            quotient, remainder = _divide_128(high, low, divisor)
        return _rounded(quotient, remainder, divisor, negative, rounding)

    @kernel
    def mul_div_down(a: int, b: int, c: int) -> int:
        """Return what `mul_div` rounds down, about three times as fast where quotient and divisor are below 2^50.

        Five float roundings leave such a quotient wrong by less than one; the exact remainder shows and mends it.
        Signs, of which a processor guesses every second wrong, are never asked.
        """
        product = float(a) * float(b)
        estimate = product / float(c)
        if abs(estimate) < _FLOAT_SAFE and abs(product) < _INT_SAFE and c < _FLOAT_EXACT_SIGNED:
            quotient = math.floor(estimate)
            remainder = a * b - quotient * c
            if remainder < 0:
                return quotient - 1
            if remainder >= c:
                return quotient + 1
            return quotient
        return mul_div(a, b, c, DOWN)

    @kernel
    def checked_add(a: int, b: int) -> int:
        """Return a + b of two integers, or raise when the sum leaves int64."""
        total = a + b
        # A wrapped sum has the sign that neither term has; asked in one go, because signs are hard to predict.
        if ((a ^ total) & (b ^ total)) < 0:
            raise OverflowError("a sum leaves the range of int64")
        return total

    @kernel
    def wide(a: int) -> Any:
        """Return an integer as a wide number."""
        return np.int64(-1) if a < 0 else np.int64(0), np.uint64(a)

    @kernel
    def wide_negate(a: Any) -> Any:
        """Return -a."""
        low = _U0 - a[1]
        high = np.uint64(0) - np.uint64(a[0])
        if a[1] != _U0:
            high -= _U1
        return np.int64(high), low

    @kernel
    def wide_product(a: int, b: int) -> Any:
        """Return a × b of two integers as a wide number."""
        magnitude_a = _magnitude(a)
        magnitude_b = _magnitude(b)
        product = np.int64(_multiply_high(magnitude_a, magnitude_b)), magnitude_a * magnitude_b
        return wide_negate(product) if (a < 0) != (b < 0) else product

    @kernel
    def wide_scale(a: Any, b: int) -> Any:
        """Return a × b of a wide number and an integer."""
        negative = (a[0] < 0) != (b < 0)
        if a[0] < 0:
            a = wide_negate(a)
        magnitude = _magnitude(b)
        high = _multiply_high(a[1], magnitude) + np.uint64(a[0]) * magnitude
        if high >= _SIGN or _multiply_high(np.uint64(a[0]), magnitude) != _U0:
            raise OverflowError("a wide product leaves the range of 128 bits")
        product = np.int64(high), a[1] * magnitude
        return wide_negate(product) if negative else product

    @kernel
    def wide_add(a: Any, b: Any) -> Any:
        """Return a + b."""
        low = a[1] + b[1]
        high = np.uint64(a[0]) + np.uint64(b[0])
        if low < b[1]:
            high += _U1
        total = np.int64(high)
        if (a[0] < 0) == (b[0] < 0) and (total < 0) != (a[0] < 0):
            raise OverflowError("a wide sum leaves the range of 128 bits")
        return total, low

    @kernel
    def wide_less(a: Any, b: Any) -> bool:
        """Return whether a < b."""
        return bool(a[0] < b[0] or (a[0] == b[0] and a[1] < b[1]))

    @kernel
    def wide_divide(a: Any, c: int, rounding: int) -> int:
        """Return a ÷ c of a wide number and a positive integer, rounded once."""
        negative = bool(a[0] < 0)
        if negative:
            a = wide_negate(a)
        divisor = np.uint64(c)
        high = np.uint64(a[0])
        if high >= divisor:
            raise OverflowError("a product or quotient leaves the range of int64")
        if high == _U0:
            quotient, remainder = _divide_64(a[1], divisor)
        else:
            quotient, remainder = _divide_128(high, a[1], divisor)
        return _rounded(quotient, remainder, divisor, negative, rounding)

    @kernel
    def sqrt_mul_div_up(a: int, b: int, c: int) -> int:
        """Return the smallest integer whose square is at least a × b ÷ c; a, b ≥ 0 and c > 0."""
        divisor = np.uint64(c)
        high = _multiply_high(np.uint64(a), np.uint64(b))
        low = np.uint64(a) * np.uint64(b)
        quotient_high = high // divisor
        quotient, remainder = _divide_128(high - quotient_high * divisor, low, divisor)
        if remainder != _U0:
            quotient += _U1
            if quotient == _U0:
                quotient_high += _U1
        # The float root is right to 52 bits; the two loops below make it exact.
        root = np.uint64(math.sqrt(float(quotient_high) * 18446744073709551616.0 + float(quotient)))
        while root > _U0:
            smaller = root - _U1
            square_high = _multiply_high(smaller, smaller)
            if square_high < quotient_high or (square_high == quotient_high and smaller * smaller < quotient):
                break
            root = smaller
        while True:
            square_high = _multiply_high(root, root)
            if square_high > quotient_high or (square_high == quotient_high and root * root >= quotient):
                break
            root += _U1
        if root >= _SIGN:
            raise OverflowError("a square root leaves the range of int64")
        return int(np.int64(root))

else:

    def _checked(value: int) -> int:
        if not -INT64_MAX <= value <= INT64_MAX:
            raise OverflowError("a product or quotient leaves the range of int64")
        return value

    def _divide(a: int, c: int, rounding: int) -> int:
        quotient, remainder = divmod(a, c)
        if (rounding == UP and remainder) or (
            rounding == HALF_EVEN and (2 * remainder > c or (2 * remainder == c and quotient % 2))
        ):
            quotient += 1
        return _checked(quotient)

    def mul_div(a: int, b: int, c: int, rounding: int) -> int:
        return _divide(a * b, c, rounding)

    def mul_div_down(a: int, b: int, c: int) -> int:
        return _divide(a * b, c, DOWN)

    def checked_add(a: int, b: int) -> int:
        return _checked(a + b)

    def wide(a: int) -> Any:
        return a

    def wide_negate(a: Any) -> Any:
        return -a

    def wide_product(a: int, b: int) -> Any:
        return a * b

    def wide_scale(a: Any, b: int) -> Any:
        return a * b

    def wide_add(a: Any, b: Any) -> Any:
        return a + b

    def wide_less(a: Any, b: Any) -> bool:
        return bool(a < b)

    def wide_divide(a: Any, c: int, rounding: int) -> int:
        return _divide(a, c, rounding)

    def sqrt_mul_div_up(a: int, b: int, c: int) -> int:
        quotient = -(-(a * b) // c)
        root = math.isqrt(quotient)
        return _checked(root if root * root == quotient else root + 1)
