"""Let the quotes between two ticks meet the accounts of a season, from desks that stay in memory."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from apps.accounts.models import Account
from apps.arenas.models import Entry, Season
from apps.arenas.selectors import latest_tick, market_now, tick_at
from apps.market.selectors import MarketIncomplete
from apps.market.services import at_ms, bars_until
from apps.trades.services.acting import NOBODYS_FAULT, Sitting, by_bar, sit, store
from apps.trades.services.desks import Superseded

logger = logging.getLogger(__name__)

DESK = 200
"""Entries on one desk: what must be read again when somebody moves one of their accounts. A task moves as many."""


class Worth(NamedTuple):
    """What an entry is worth now, in money units: equity, and the notional of its positions."""

    equity: int
    gross: int
    net: int


@dataclass(frozen=True, slots=True)
class _Seated:
    """Some accounts on a desk in memory."""

    sitting: Sitting
    revisions: Mapping[int, int]
    """By account: what it was when it was read."""


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
        self._entries: list[Entry] = []
        self._desks: list[_Seated] = []
        self._broken: dict[int, int] = {}
        """By account: the revision at which it broke; it is left out until somebody has moved it."""

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
            # What was half played is read again.
            self._desks = []
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
                self._broken[entry.account_id] = entry.account.revision
                errors.append(error)
        if len(errors) == len(entries):
            raise errors[0]

    def _turn(self) -> bool:
        season = Season.objects.select_related("market").get(pk=self.season_id)
        self.season = season
        if not season.with_quotes or season.state != Season.State.LIVE:
            return False
        until = _play_until(season)
        self._seat(season)
        worth: dict[str, Worth] = {}
        kept = []
        for seated in self._desks:
            sitting = seated.sitting
            sitting.desk.play_until(at_ms(until))
            worth |= _appraise(sitting)
            if sitting.desk.has_changed:
                # Stored or superseded, the accounts are read again.
                store(sitting, None, 0, {})
            else:
                kept.append(seated)
            self.prices = sitting.desk.marks_now()
        self._desks = kept
        self.at, self.worth = until, worth
        return bool(worth)

    def settle(self) -> None:
        """Read again what the last turn stored: between turns there is time, in the next one somebody waits."""
        if self.season is not None:
            # Whatever breaks here breaks again in the turn, which finds out who it was.
            with contextlib.suppress(Exception):
                self._seat(self.season)

    def _seat(self, season: Season) -> None:
        """Have everybody on a desk; those in memory stay where nothing moved meanwhile."""
        accounts = Account.objects.filter(entry__season=season)
        read = accounts.values_list("pk", "revision")
        now = {account: revision for account, revision in read if self._broken.get(account) != revision}
        bars = bars_until(season.market, season.market.collected_until)
        self._desks = [
            seated
            for seated in self._desks
            if seated.sitting.tables.recording.bar_count == bars and seated.revisions.items() <= now.items()
        ]
        sitting = {account for seated in self._desks for account in seated.revisions}
        standing = self._list_entries(season, now.keys() - sitting)
        for group in by_bar(season, standing):
            for begin in range(0, len(group), DESK):
                # Somebody moves them right now, or the season has not stored its first bars; the next turn looks again.
                with contextlib.suppress(Superseded, MarketIncomplete):
                    self._desks.append(_sit_down(season, group[begin : begin + DESK]))

    def _list_entries(self, season: Season, account_ids: Set[int]) -> list[Entry]:
        """Return the entries of some accounts by name, with the times up to which those have been played by now."""
        if not account_ids:
            return []
        if not account_ids <= {entry.account_id for entry in self._entries}:
            everybody = Entry.objects.filter(season=season).select_related("version", "account")
            self._entries = list(everybody.order_by("name"))
        played = dict(Account.objects.filter(pk__in=account_ids).values_list("pk", "played_until"))
        found = [entry for entry in self._entries if entry.account_id in played]
        for entry in found:
            entry.account.played_until = played[entry.account_id]
        return found


def _sit_down(season: Season, entries: list[Entry]) -> _Seated:
    sitting = sit(season, entries)
    taken = sitting.taken
    ids = [entry.account_id for entry in taken.entries]
    return _Seated(sitting, dict(zip(ids, taken.revisions, strict=True)))


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
