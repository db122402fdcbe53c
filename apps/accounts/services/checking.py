"""Check the journal of trading accounts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from bitnerve.adapters.exports import read_books
from bitnerve.domain.ledger.checker import Report, check_books
from bitnerve.engine.leaderboard import check_leaderboard


def check_export(*, folder: Path, report: Callable[[str], None] = lambda _: None) -> Report:
    """Recompute everything in an exported season from its files alone and return what was checked.

    Raises `BrokenBooks` for the first difference and a `Refusal` for files that are no export; `report` is told each
    step.
    """
    books = read_books(folder, report=lambda name: report(f"reading {name}"))
    checked = check_books(books, report=report)
    check_leaderboard(books)
    return checked
