"""Where everybody stands, and the roots that prove it."""

from typing import ClassVar

from django.db import models

from apps.arenas.models import Entry, Season
from apps.common.fields import MoneyField


class Standing(models.Model):
    """Where an entry stands as of a tick; ratios are floats, for they are statistics and flow back into nothing."""

    entry = models.OneToOneField(Entry, models.CASCADE, related_name="standing")
    season = models.ForeignKey(Season, models.CASCADE, related_name="standings")
    as_of = models.DateTimeField()
    rank = models.PositiveIntegerField()
    equity = MoneyField()
    total_return = models.FloatField()
    excess_return = models.FloatField(null=True)
    drawdown_max = models.FloatField()
    drawdown_now = models.FloatField()
    sharpe = models.FloatField(null=True)
    trades = models.PositiveIntegerField()
    win_rate = models.FloatField(null=True)
    profit_factor = models.FloatField(null=True)
    exposure_gross = models.FloatField()
    """Sum of |notional| ÷ equity."""
    exposure_net = models.FloatField()
    fees = MoneyField()
    funding = MoneyField()
    realized_pnl = MoneyField()
    liquidations = models.PositiveIntegerField()
    holding_ms_median = models.BigIntegerField(null=True)
    sparkline = models.JSONField(default=list)
    """At most 48 equity values of the last seven days, oldest first, as floats."""
    last_action = models.CharField(max_length=32, blank=True, default="")
    last_action_at = models.DateTimeField(null=True)

    class Meta:
        ordering: ClassVar = ["rank"]


class DayRoot(models.Model):
    """One hash over the chains of all entries at the end of a day: whoever keeps it can prove a later change."""

    append_only = True

    season = models.ForeignKey(Season, models.PROTECT, related_name="day_roots")
    day = models.DateField()
    at = models.DateTimeField()
    """The tick whose equity points it takes in."""
    entry_count = models.PositiveIntegerField()
    root_sha256 = models.CharField(max_length=64)
    previous_sha256 = models.CharField(max_length=64)

    class Meta:
        ordering: ClassVar = ["day"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["season", "day"], name="one_root_a_day")]
