"""Random words and elementary functions, against published vectors and the platform's own."""

import math

import numpy as np
import pytest

from bitnerve.adapters.simulated.noise import exponential, logarithm, normal, philox, uniform


# Random123, kat_vectors, philox4x32 with 10 rounds: counter (four words), key (two words), result.
@pytest.mark.parametrize(
    ("counter", "key", "expected"),
    [
        ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((0xFFFFFFFF,) * 4, (0xFFFFFFFF,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_gives_the_published_words(counter, key, expected):
    seed, at = np.uint64(key[0] | key[1] << 32), np.uint64(counter[0] | counter[1] << 32)
    assert philox(seed, counter[2], counter[3], at) == expected


def test_exponential_agrees_with_the_platform():
    for x in np.random.default_rng(1).uniform(-40, 40, 5_000):
        assert exponential(x) == pytest.approx(math.exp(x), rel=5e-16)


def test_logarithm_agrees_with_the_platform():
    for x in np.random.default_rng(2).uniform(-40, 40, 5_000):
        assert logarithm(math.exp(x)) == pytest.approx(math.log(math.exp(x)), rel=1e-15, abs=1e-15)


def test_normal_is_the_quantile_of_its_word():
    for word in np.random.default_rng(3).integers(0, 2**32, 5_000).tolist():
        probability = 0.5 * math.erfc(-normal(word) / math.sqrt(2.0))
        assert probability == pytest.approx(uniform(word), rel=2e-8)


def test_normal_is_symmetric_and_bounded():
    for word in (0, 1, 17, 10**6, 2**31 - 1):
        assert normal(word) == pytest.approx(-normal(2**32 - 1 - word), rel=1e-12)
    assert -6.4 < normal(0) < -6.2


def test_words_of_neighbors_are_uncorrelated():
    words = [np.array([philox(5, stream, 0, at) for at in range(4_000)]) for stream in range(4)]
    series = np.hstack(words).T
    correlations = np.corrcoef(series)[np.triu_indices(16, 1)]
    assert np.abs(correlations).max() < 4.5 / math.sqrt(4_000)
