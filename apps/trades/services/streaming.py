"""Let the quotes between two ticks meet the accounts of a season, from desks that stay in memory."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from apps.arenas.models import Entry, Season
from apps.arenas.selectors import latest_tick, market_now, tick_at
from apps.market.selectors import MarketIncomplete
from apps.market.services import at_ms, bars_until
from apps.trades.services.acting import NOBODYS_FAULT, Sitting, by_bar, sit, store
from apps.trades.services.desks import Superseded

logger = logging.getLogger(__name__)

DESK = 100
"""Entries on one desk: what must be read again when somebody moves one of their accounts."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What an entry is worth now, in money units: equity, and the notional of its positions."""

    equity: int
    gross: int
    net: int


class Stream:
    """The accounts of one season, on desks."""

    def __init__(self, season_id: int) -> None:
        self.season_id = season_id
        self.epoch = 0
        self.season: Season | None = None
        self.at: datetime | None = None
        """The market's time of the values below."""
        self.worth: Mapping[str, Worth] = {}
        """By entry."""
        self.prices: Mapping[str, int] = {}
        """The marks by symbol, in price units."""
        self._desks: dict[int, tuple[Sitting, dict[int, int]]] = {}
        """By the first entry's account: a desk, and the revision of each account on it."""
        self._broken: dict[int, int] = {}
        """By entry: the revision at which its account broke; it is left out until somebody has moved it."""

    def turn(self) -> bool:
        """Play what has come since the last turn; return whether there is anything new to show.

        Who alone breaks is left out, and halted at the next tick; what breaks everybody is raised.
        """
        try:
            return self._turn()
        except NOBODYS_FAULT:
            raise
        except Exception:
            logger.exception("%s: an account broke between ticks", self.season)
            self._find_broken()
            return self._turn()

    def _find_broken(self) -> None:
        """Play everybody alone and remember who breaks; raise what breaks all of them."""
        assert self.season is not None
        season, until = self.season, at_ms(_play_until(self.season))
        entries = list(Entry.objects.filter(season=season).select_related("version", "account"))
        errors = []
        for entry in entries:
            try:
                sit(season, [entry]).desk.play_until(until)
            except (Superseded, *NOBODYS_FAULT):
                continue
            except Exception as error:
                self._broken[entry.pk] = entry.account.revision
                errors.append(error)
        if len(errors) == len(entries):
            raise errors[0]

    def _turn(self) -> bool:
        season = Season.objects.select_related("market").get(pk=self.season_id)
        self.season = season
        if not season.with_quotes or season.state != Season.State.LIVE:
            return False
        until = _play_until(season)
        everybody = Entry.objects.filter(season=season).select_related("version", "account").order_by("name")
        entries = [entry for entry in everybody if self._broken.get(entry.pk) != entry.account.revision]
        worth: dict[str, Worth] = {}
        kept = {}
        for group in by_bar(season, entries):
            for begin in range(0, len(group), DESK):
                part = group[begin : begin + DESK]
                try:
                    sitting = self._sitting(season, part)
                except (Superseded, MarketIncomplete):
                    # Somebody moves them right now, or the season has not stored its first bars; the next turn looks
                    # again.
                    continue
                sitting.desk.play_until(at_ms(until))
                worth |= _appraise(sitting)
                if sitting.desk.has_changed:
                    # Stored or superseded, the accounts are read again at the next turn.
                    store(sitting, None, 0, {})
                else:
                    revisions = {entry.account_id: entry.account.revision for entry in part}
                    kept[part[0].account_id] = (sitting, revisions)
                self.prices = sitting.desk.marks_now()
        self._desks = kept
        self.at, self.worth = until, worth
        return bool(worth)

    def _sitting(self, season: Season, part: list[Entry]) -> Sitting:
        """Return the desk of some entries: the one in memory where nothing moved meanwhile, else a new one."""
        sitting, revisions = self._desks.get(part[0].account_id, (None, {}))
        now = {entry.account_id: entry.account.revision for entry in part}
        bars = bars_until(season.market, season.market.collected_until)
        if sitting is not None and revisions == now and sitting.tables.recording.bar_count == bars:
            return sitting
        return sit(season, part)


def _play_until(season: Season) -> datetime:
    """Return up to when quotes may be played: now, but not into a tick that has not been opened.

    A tick's marks belong to whoever opens it; until then time stands still just before it.
    """
    last = latest_tick(season)
    following = tick_at(season, last.number + 1 if last else 0)
    return min(market_now(season), following - timedelta(milliseconds=2))


def _appraise(sitting: Sitting) -> dict[str, Worth]:
    values = sitting.desk.appraise()
    return {entry.name: Worth(*row) for entry, row in zip(sitting.taken.entries, values, strict=True)}
