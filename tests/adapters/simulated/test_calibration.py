"""The acceptance test: the simulated market against every table of CALIBRATION."""

import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.adapters.simulated import sample
from tests.adapters.simulated.table import ROWS

SEEDS = (1, 2, 3)
"""The figures are medians over these: maxima and kurtoses of one history scatter, the recorded ones too."""


@pytest.fixture(scope="module")
def histories():
    """The figures of each seed."""
    parts = (sample.year, sample.broad, sample.majors, sample.many)
    jobs = [(part, seed) for part in parts for seed in SEEDS]
    # The loops release the interpreter's lock, so two threads keep two cores busy.
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda job: job[0](job[1]), jobs))
    by_seed = {seed: {} for seed in SEEDS}
    for (_, seed), figures in zip(jobs, found, strict=True):
        by_seed[seed] |= figures
    return list(by_seed.values())


def test_simulated_market_reproduces_calibration(histories, capsys):
    lines, missed = [], []
    for row in ROWS:
        values = [figures[row.key] for figures in histories]
        value = float(np.median(values))
        alone = sum(row.rule.accepts(row.target, one) for one in values)
        passes = row.rule.accepts(row.target, value)
        verdict = "pass" if passes else "MISS"
        lines.append(
            f"{row.key:24} measured {row.target:12.5g}  simulated {value:12.5g}  {verdict}"
            f"  {alone}/{len(SEEDS)} seeds alone  ({row.rule.name})"
        )
        if not passes:
            missed.append(lines[-1])
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(lines) + "\n")
    assert not missed, "\n".join(missed)
