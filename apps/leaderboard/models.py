"""What everything public is computed from: equity over time, and where everybody stands."""

from typing import ClassVar

from django.db import models

from apps.accounts.models import Account
from apps.arenas.models import Entry, Season
from apps.common.fields import MoneyField, PriceField, QuantityField
from apps.market.models import Instrument


class EquityPoint(models.Model):
    """What an account was worth at a tick; kept by months."""

    append_only = True

    pk = models.CompositePrimaryKey("account_id", "at")
    account = models.ForeignKey(Account, models.DO_NOTHING, db_constraint=False)
    at = models.DateTimeField()
    cash = MoneyField()
    unrealized_pnl = MoneyField()
    equity = MoneyField()
    margin_used = MoneyField()
    maintenance_margin = MoneyField()
    chain_sha256 = models.CharField(max_length=64)
    """The link that takes in this point, the decision before it, and the link before that."""


class PositionPoint(models.Model):
    """An open position at an equity point; kept by months."""

    append_only = True

    pk = models.CompositePrimaryKey("account_id", "at", "instrument_id")
    account = models.ForeignKey(Account, models.DO_NOTHING, db_constraint=False)
    at = models.DateTimeField()
    instrument = models.ForeignKey(Instrument, models.DO_NOTHING, db_constraint=False)
    quantity = QuantityField()
    cost_basis = MoneyField()
    mark_price = PriceField()
    unrealized_pnl = MoneyField()
    leverage = models.PositiveIntegerField()
    margin_mode = models.CharField(max_length=8)
    margin = MoneyField()
    maintenance_margin = MoneyField()


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
