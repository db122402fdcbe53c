"""How is a figure taken, and what does it say?"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any


def fastest(work: Callable[[], object], *, times: int) -> float:
    """Return the seconds of wall time that the fastest of several runs took: what the machine can do undisturbed."""
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return min(seconds)


def figure(
    *, work: str, value: float | None, unit: str, aim: str = "", met: bool | None = None, peer: str = ""
) -> dict[str, Any]:
    """Return one row of the table; `met` is None where no aim was set or nothing could be measured."""
    return {"work": work, "value": value, "unit": unit, "aim": aim, "met": met, "peer": peer}
