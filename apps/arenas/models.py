"""Competitions: their rules, their seasons, who entered, and every turn of the loop."""

from typing import ClassVar

from django.db import models

from apps.accounts.models import Account
from apps.agents.models import AgentVersion
from apps.market.models import Market, Snapshot


class Arena(models.Model):
    """A competition that is run in seasons."""

    slug = models.SlugField(max_length=48, unique=True)
    name = models.CharField(max_length=64)
    summary = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return self.name


class Season(models.Model):
    """One dated run of an arena, by rules that are frozen when it starts."""

    class Mode(models.TextChoices):
        PAPER = "PAPER"
        REPLAY = "REPLAY"
        LIVE = "LIVE"

    class State(models.TextChoices):
        WARM_UP = "WARM_UP"
        LIVE = "LIVE"
        FINAL = "FINAL"

    arena = models.ForeignKey(Arena, models.PROTECT, related_name="seasons")
    number = models.PositiveIntegerField()
    slug = models.SlugField(max_length=64, unique=True)
    market = models.ForeignKey(Market, models.PROTECT)
    mode = models.CharField(max_length=8, choices=Mode.choices)
    state = models.CharField(max_length=8, choices=State.choices)
    rules = models.JSONField()
    """Capital, tick, rates, limits: decimals as text; the schema of `season.json`."""
    tick_ms = models.PositiveIntegerField()
    with_quotes = models.BooleanField()
    """Whether accounts meet every quote between ticks, or only the bars."""
    seed = models.BigIntegerField()
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    # The season's clock: market time runs `speed` times as fast as the database's clock since the anchor.
    speed = models.FloatField(default=1.0)
    clock_at = models.DateTimeField()
    """The market's time at the anchor, and while nobody drives the season."""
    anchored_at = models.DateTimeField(null=True)
    """The database's time at the anchor; null while the clock stands still."""
    # Who drives it: one dispatcher at a time.
    lease_holder = models.CharField(max_length=64, blank=True, default="")
    lease_until = models.DateTimeField(null=True)
    lease_epoch = models.BigIntegerField(default=0)
    frame = models.BigIntegerField(default=0)
    """The number of the last frame that was broadcast."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["arena", "number"], name="one_season_a_number")]

    def __str__(self) -> str:
        return self.slug


class Entry(models.Model):
    """One agent version in one season, with one account."""

    class State(models.TextChoices):
        ACTIVE = "ACTIVE"
        HALTED = "HALTED"
        WITHDRAWN = "WITHDRAWN"

    season = models.ForeignKey(Season, models.PROTECT, related_name="entries")
    version = models.ForeignKey(AgentVersion, models.PROTECT, related_name="entries")
    account = models.OneToOneField(Account, models.PROTECT, related_name="entry")
    name = models.CharField(max_length=64)
    """The agent's name, by which books and board know the entry."""
    state = models.CharField(max_length=16, choices=State.choices, default=State.ACTIVE)
    halted_because = models.CharField(max_length=200, blank=True, default="")
    entered_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["season", "name"], name="one_entry_a_name")]

    def __str__(self) -> str:
        return self.name


class Tick(models.Model):
    """One turn of a season's loop."""

    class State(models.TextChoices):
        OPEN = "OPEN"
        CLOSED = "CLOSED"
        SKIPPED = "SKIPPED"
        MISSED = "MISSED"

    season = models.ForeignKey(Season, models.PROTECT, related_name="ticks")
    number = models.PositiveIntegerField()
    at = models.DateTimeField()
    """In the market's time."""
    deadline_at = models.DateTimeField()
    """In the market's time: who has not decided by then is missed."""
    state = models.CharField(max_length=8, choices=State.choices)
    reason = models.CharField(max_length=200, blank=True, default="")
    snapshot = models.ForeignKey(Snapshot, models.PROTECT, null=True)
    epoch = models.BigIntegerField()
    """Of the lease under which it was claimed."""
    claimed_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)
    """Both by the database's clock."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["season", "number"], name="one_tick_a_number")]
