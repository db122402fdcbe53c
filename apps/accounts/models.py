"""Accounts, and the journal that every change of their money stands in."""

from typing import ClassVar

from django.db import models

from apps.common.fields import MoneyField


class Account(models.Model):
    """The money of one entry, and how far its time has been played."""

    class Kind(models.TextChoices):
        PAPER = "PAPER"
        LIVE = "LIVE"

    kind = models.CharField(max_length=8, choices=Kind.choices)
    book = models.CharField(max_length=64)
    """Whose books it stands in: the slug of a season."""
    name = models.CharField(max_length=64)
    capital = MoneyField()
    cash = MoneyField()
    """Wallet balance, locked margin included; always what the journal says."""
    locked = MoneyField(default=0)
    sequence = models.BigIntegerField(default=1)
    """The next number of the account's one counter; 0 is the posting that starts it."""
    tick = models.BigIntegerField(default=0)
    ordinal = models.BigIntegerField(default=0)
    """The next order number since that tick (a number of bars since the market's start)."""
    played_until = models.DateTimeField()
    """Market events up to this instant have met the account."""
    equity = MoneyField()
    """At the last tick, as are the peak and the value at midnight."""
    equity_peak = MoneyField()
    equity_at_midnight = MoneyField()
    revision = models.BigIntegerField(default=0)
    """Raised by every writer; whoever has read an older one writes nothing."""
    chain_sha256 = models.CharField(max_length=64)
    """The newest link of its chain of decisions and equity points."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["book", "name"], name="one_account_a_name")]

    def __str__(self) -> str:
        return f"{self.book}/{self.name}"


class Posting(models.Model):
    """One movement of money, with its cause. Its lines sum to zero, or the database refuses them."""

    append_only = True

    class Kind(models.TextChoices):
        START = "START"
        FILL = "FILL"
        FUNDING = "FUNDING"
        LIQUIDATION_FEE = "LIQUIDATION_FEE"
        SHORTFALL = "SHORTFALL"
        ADJUSTMENT = "ADJUSTMENT"

    book = models.CharField(max_length=64)
    account = models.ForeignKey(Account, models.PROTECT, related_name="postings")
    posting_id = models.CharField(max_length=32)
    sequence = models.BigIntegerField()
    posted_at = models.DateTimeField()
    kind = models.CharField(max_length=16, choices=Kind.choices)
    source_id = models.CharField(max_length=128)
    line_count = models.PositiveSmallIntegerField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["book", "kind", "source_id"], name="one_posting_a_cause"),
            models.UniqueConstraint(fields=["account", "sequence"], name="one_posting_a_number"),
        ]


class Line(models.Model):
    """An amount that a posting adds to a named account."""

    append_only = True

    pk = models.CompositePrimaryKey("posting_id", "account_name", "asset")
    posting = models.ForeignKey(Posting, models.PROTECT, related_name="lines")
    account_name = models.CharField(max_length=80)
    asset = models.CharField(max_length=16)
    amount = MoneyField()
