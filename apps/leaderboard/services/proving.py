"""Prove a season: check it where it is stored, write it into one file, and verify such a file without a database."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connection, transaction

from apps.arenas.models import Season
from apps.common import exact
from apps.leaderboard.selectors import stored
from bitnerve.adapters.exports import archive
from bitnerve.adapters.feeds.simulated import SimulatedFeed
from bitnerve.domain.errors import Refusal
from bitnerve.domain.ledger.difference import BrokenBooks
from bitnerve.domain.ledger.season import ForeignSeason
from bitnerve.domain.ledger.tables import row_count
from bitnerve.domain.timeframe import parse_instant
from bitnerve.domain.units import decimal_text
from bitnerve.engine.verify import Verified, check_format, verify

Say = Callable[[str], None]

_STORED_IN = {
    "orders": "trades_order",
    "terms": "trades_order",
    "fills": "trades_fill",
    "funding": "trades_fundingpayment",
    "positions": "trades_positionpoint",
    "equity": "trades_equitypoint",
    "links": "trades_equitypoint",
    "postings": "accounts_posting",
    "decisions": "trades_decision",
    "arrivals": "trades_decision",
    "accounts": "accounts_account",
    "holdings": "trades_position",
    "ticks": "arenas_tick",
    "snapshots": "market_snapshot",
    "roots": "leaderboard_dayroot",
    "candles": "market_candle",
    "marks": "market_mark",
    "rates": "market_fundingrate",
}
_DOCUMENTS = {"season.json": "arenas_season", "leaderboard.json": "leaderboard_standing"}


class UnknownSeason(Refusal):
    """A slug that no season has."""

    code = "UNKNOWN_SEASON"


class NobodyEntered(Refusal):
    """A season without entries, of which there is nothing to write."""

    code = "NOBODY_ENTERED"


@dataclass(frozen=True, slots=True)
class Checked:
    """A season that was checked and found clean."""

    slug: str
    verified: Verified


def check_database(*, slug: str | None = None, report: Say = lambda _: None) -> list[Checked]:
    """Check every season that is stored, or one, and return what was checked.

    Each is read as of one moment, so a season may go on meanwhile. Raises `BrokenBooks` for the first difference; its
    file is the table.
    """
    checked = []
    for season in [_find(slug)] if slug else list(Season.objects.order_by("slug")):
        if season.entries.exists():
            try:
                checked.append(Checked(season.slug, _check(season, report)))
            except BrokenBooks as broken:
                raise _in_database(broken, season.slug) from None
    return checked


def _check(season: Season, report: Say) -> Verified:
    report(f"{season.slug}: reading")
    books = stored.read_season(season)
    verified = verify(
        books=books, feed_of=regenerate, report=lambda step: report(f"{season.slug}: {step}"), with_hash=False
    )
    _check_standings(season)
    return verified


def _check_standings(season: Season) -> None:
    """What the board shows as worth is the equity point that it says it is."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            f"""SELECT n.name, {exact.units("s.equity")}, {exact.units("e.equity")} FROM leaderboard_standing s
                JOIN arenas_entry n ON n.id = s.entry_id
                LEFT JOIN trades_equitypoint e ON e.account_id = n.account_id AND e.at = s.as_of
                WHERE n.season_id = %s AND s.equity IS DISTINCT FROM e.equity ORDER BY n.name LIMIT 1""",
            [season.pk],
        )
        for name, shown, worth in cursor.fetchall():
            raise BrokenBooks(
                file="leaderboard.json",
                where={"agent": name},
                field="equity",
                stored=decimal_text(shown),
                recomputed="no equity point" if worth is None else decimal_text(worth),
            )


def _in_database(broken: BrokenBooks, slug: str) -> BrokenBooks:
    table = _STORED_IN.get(broken.file.removesuffix(".parquet"), _DOCUMENTS.get(broken.file, broken.file))
    return BrokenBooks(
        file=table,
        where={"season": slug, **broken.where},
        field=broken.field,
        stored=broken.stored,
        recomputed=broken.recomputed,
    )


def _find(slug: str) -> Season:
    season = Season.objects.filter(slug=slug).first()
    if season is None:
        known = ", ".join(Season.objects.order_by("slug").values_list("slug", flat=True)[:20])
        raise UnknownSeason(f"season: {slug!r} is not one of {known or 'none: no season has been opened'}", season=slug)
    return season


def export_season(*, slug: str, file: Path, report: Say = lambda _: None) -> dict[str, int]:
    """Write a season as it is now into one file and return the number of rows of each table.

    Raises a `Refusal` for an unknown season and for a file that is there already or cannot be written.
    """
    season = _find(slug)
    archive.check_file(file)
    if not season.entries.exists():
        raise NobodyEntered(f"season: nobody has entered {slug!r}, so there is nothing to write", season=slug)
    report("reading")
    books = stored.read_season(season)
    archive.write_season(books=books, file=file, report=lambda name: report(f"writing {name}"))
    return {name: row_count(table) for name, table in books.tables.items()}


def verify_file(*, file: Path, report: Say = lambda _: None) -> Verified:
    """Make everything in a season's file once more, without a database, and return what was compared.

    Raises `BrokenBooks` for the first difference, a `Refusal` for what is no season's file.
    """
    books = archive.read_season(file, check=check_format, report=lambda name: report(f"reading {name}"))
    return verify(books=books, feed_of=regenerate, report=report)


def regenerate(market: dict[str, Any]) -> SimulatedFeed | None:
    """Return the feed of a market as `season.json` describes it; None for one that cannot be made again."""
    if market.get("source") != "SIMULATED":
        return None
    seed, count = market.get("seed"), market.get("symbol_count")
    if not isinstance(seed, int) or not isinstance(count, int):
        raise ForeignSeason("season.json: market: a simulated market needs a seed and a symbol_count")
    start_at = parse_instant(str(market.get("starts_at")), field="season.json: market.starts_at")
    return SimulatedFeed(seed=seed, start_at=start_at, symbol_count=count)
