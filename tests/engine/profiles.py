"""How long do the random tests search: `HYPOTHESIS_PROFILE=night` looks far longer than the default, `ci`."""

import os

from hypothesis import HealthCheck, settings

NIGHT = os.environ.get("HYPOTHESIS_PROFILE", "ci") == "night"

_COMMON = {"deadline": None, "print_blob": True, "suppress_health_check": [HealthCheck.too_slow]}

PROPERTY = settings(max_examples=20_000 if NIGHT else 200, **_COMMON)
STATEFUL = settings(
    max_examples=2_000 if NIGHT else 50,
    stateful_step_count=200 if NIGHT else 50,
    **(_COMMON | {"suppress_health_check": list(HealthCheck)}),
)
