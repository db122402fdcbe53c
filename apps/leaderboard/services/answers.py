"""In which words do the commands that check a season answer?"""

from __future__ import annotations

from typing import Any

from bitnerve.domain.errors import Refusal
from bitnerve.domain.ledger.difference import BrokenBooks
from bitnerve.engine.verify import Verified

CLEAN, BROKEN, REFUSED = 0, 1, 2
"""Exit codes."""


def verified_answer(verified: Verified) -> dict[str, Any]:
    """Return what was found the same, as JSON knows it."""
    return {
        "rows": dict(verified.report.rows),
        "replayed": verified.decisions,
        "ticks": verified.ticks,
        "roots": verified.roots,
    }


def broken_answer(broken: BrokenBooks) -> dict[str, Any]:
    """Return the first difference, as JSON knows it."""
    return {
        "status": "broken",
        "file": broken.file,
        **broken.where,
        "field": broken.field,
        "stored": broken.stored,
        "recomputed": broken.recomputed,
        "message": str(broken),
    }


def refused_answer(refusal: Refusal) -> dict[str, Any]:
    """Return why there is nothing to check, as JSON knows it."""
    return {"status": "refused", "code": refusal.code, "message": str(refusal)}
