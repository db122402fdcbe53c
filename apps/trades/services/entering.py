"""Let an agent enter a season: an account, its first posting, its first equity point."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import numpy as np
from django.db import connection, transaction

from apps.accounts.models import Account
from apps.accounts.services import journal
from apps.agents.models import AgentVersion
from apps.arenas.models import Entry, Season
from apps.arenas.selectors import capital_of
from apps.market.services import at_ms
from apps.trades.models import EquityPoint
from apps.trades.services.desks import make_months
from bitnerve.domain.errors import Refusal
from bitnerve.domain.ledger import chain, ids, postings
from bitnerve.domain.units import decimal_text

_MILLISECOND = timedelta(milliseconds=1)


class AlreadyStarted(Refusal):
    """A season whose first tick has been played takes no more entries."""

    code = "SEASON_STARTED"


@transaction.atomic
def enter_season(*, season: Season, versions: list[AgentVersion]) -> list[Entry]:
    """Let agents enter a season before its first tick, each with an account that holds the season's capital."""
    if season.ticks.exists():
        raise AlreadyStarted(f"{season.slug}: its first tick has been played", season=season.slug)
    capital, start_ms = capital_of(season), at_ms(season.starts_at)
    bar = (start_ms - at_ms(season.market.starts_at)) // season.market.interval_ms
    entries = []
    for version in versions:
        name = version.agent.name
        money = Decimal(decimal_text(capital))
        first = chain.begin_chain(season=season.slug, entry=name, version_sha256=version.sha256, capital=capital)
        marked = chain.link_equity(first, at_ms=start_ms, figures=[capital, 0, capital, 0, 0])
        account = Account.objects.create(
            kind=Account.Kind.PAPER,
            book=season.slug,
            name=name,
            capital=money,
            cash=money,
            tick=bar,
            # The quotes and bars before the start belong to nobody.
            played_until=season.starts_at - _MILLISECOND,
            equity=money,
            equity_peak=money,
            equity_at_midnight=money,
            chain_sha256=marked,
        )
        entries.append(Entry.objects.create(season=season, version=version, account=account, name=name))
        with connection.cursor() as cursor:
            make_months(cursor, "trades_equitypoint", [season.starts_at.date()])
        EquityPoint.objects.create(
            account=account,
            at=season.starts_at,
            cash=money,
            unrealized_pnl=0,
            equity=money,
            margin_used=0,
            maintenance_margin=0,
            chain_sha256=marked,
        )
    _post_starts(season, entries, capital, start_ms)
    return entries


def _post_starts(season: Season, entries: list[Entry], capital: int, start_ms: int) -> None:
    nothing = np.zeros(0, dtype=np.int64)
    lines = postings.make_lines(
        capital=capital,
        agent_count=len(entries),
        started_at=start_ms,
        fills=postings.Fills(nothing, nothing, nothing, nothing, nothing),
        funding=postings.Settlements(nothing, nothing, nothing, nothing),
        transfers=postings.Transfers(nothing, nothing, nothing, nothing, nothing, nothing),
    )
    with connection.cursor() as cursor:
        journal.write_lines(
            cursor,
            book=season.slug,
            seed=season.seed,
            names=[entry.name for entry in entries],
            account_ids=[entry.account_id for entry in entries],
            lines=lines,
            sources=[ids.start_source(agent=entries[a].name, at_ms=start_ms) for a in lines.agent.tolist()],
        )
