"""What do the symbols of a season cost now, and a day ago?"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from django.db import connection

from apps.arenas.models import Season
from apps.leaderboard.selectors.seasons import Moment

QUOTES_MAX = 12


@dataclass(frozen=True, slots=True)
class Quote:
    """A symbol's newest mark, and its change over the 24 hours before, per one."""

    symbol: str
    tick_size: Decimal
    price: Decimal
    change: float | None


def list_quotes(*, season: Season, moment: Moment, limit: int = QUOTES_MAX) -> list[Quote]:
    """Return the newest marks up to the season's newest tick, Bitcoin first, then by name."""
    until = moment.tick.at if moment.tick else season.starts_at
    with connection.cursor() as cursor:
        cursor.execute(
            """SELECT i.symbol, i.tick_size::numeric, now.price::numeric, (now.price / past.price - 1)::float8
               FROM market_instrument i
               JOIN LATERAL (SELECT price, at FROM market_mark WHERE instrument_id = i.id AND at <= %s
                             AND at > %s - interval '1 hour' ORDER BY at DESC LIMIT 1) now ON true
               LEFT JOIN LATERAL (SELECT price FROM market_mark WHERE instrument_id = i.id
                                  AND at >= now.at - interval '24 hours' AND at <= now.at - interval '23 hours'
                                  ORDER BY at LIMIT 1) past ON true
               WHERE i.market_id = %s ORDER BY i.symbol NOT LIKE 'BTC%%', i.symbol LIMIT %s""",
            [until, until, season.market_id, limit],
        )
        return [Quote(*row) for row in cursor.fetchall()]
