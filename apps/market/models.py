"""What a venue offers and what was seen of it."""

from typing import ClassVar

from django.db import models

from apps.common.fields import MoneyField, PriceField, QuantityField, RateField


class Market(models.Model):
    """One venue with its instruments, and where its prices come from."""

    class Source(models.TextChoices):
        SIMULATED = "SIMULATED"
        RECORDED = "RECORDED"

    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=64)
    source = models.CharField(max_length=16, choices=Source.choices)
    parameters = models.JSONField()
    """What the feed is made from: a seed and a start, or files by name and sha256."""
    interval_ms = models.PositiveIntegerField()
    starts_at = models.DateTimeField()
    """When its first bar opens."""
    collected_until = models.DateTimeField()
    """Candles, marks and funding before this instant are stored."""

    def __str__(self) -> str:
        return self.name


class Instrument(models.Model):
    """One perpetual: its grids, minimums, fees and margin tiers."""

    market = models.ForeignKey(Market, models.CASCADE, related_name="instruments")
    symbol = models.CharField(max_length=32)
    tick_size = PriceField()
    lot_size = QuantityField()
    min_quantity = QuantityField()
    min_notional = MoneyField()
    maker_fee_rate = RateField()
    taker_fee_rate = RateField()
    tiers = models.JSONField()
    """[{notional_until, maintenance_rate, deduction, leverage_max}], decimals as text."""
    inferred = models.BooleanField(default=False)

    class Meta:
        ordering: ClassVar = ["symbol"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["market", "symbol"], name="one_instrument_a_symbol")]

    def __str__(self) -> str:
        return self.symbol


class Candle(models.Model):
    """A bar of an instrument; kept by months."""

    append_only = True

    pk = models.CompositePrimaryKey("instrument_id", "opened_at")
    instrument = models.ForeignKey(Instrument, models.DO_NOTHING, db_constraint=False)
    opened_at = models.DateTimeField()
    open = PriceField()
    high = PriceField()
    low = PriceField()
    close = PriceField()
    volume = QuantityField()
    quote_volume = MoneyField()


class Mark(models.Model):
    """The mark price of an instrument at an instant; kept by months."""

    append_only = True

    pk = models.CompositePrimaryKey("instrument_id", "at")
    instrument = models.ForeignKey(Instrument, models.DO_NOTHING, db_constraint=False)
    at = models.DateTimeField()
    price = PriceField()


class FundingRate(models.Model):
    """What longs pay shorts at a funding time; null where the venue's rate is missing."""

    append_only = True

    instrument = models.ForeignKey(Instrument, models.CASCADE)
    funded_at = models.DateTimeField()
    rate = RateField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["instrument", "funded_at"], name="one_rate_a_funding_time")
        ]


class Snapshot(models.Model):
    """Everything that could be seen at a tick, by its hash: what was seen before, and the bars and marks since."""

    append_only = True

    market = models.ForeignKey(Market, models.PROTECT)
    series = models.CharField(max_length=64)
    """Whose ticks it was taken for: the slug of a season."""
    taken_at = models.DateTimeField()
    seen_from = models.DateTimeField()
    """When the first bar opens that the snapshot before did not hold."""
    sha256 = models.CharField(max_length=64)
    flaws = models.JSONField(default=list)
    """[{symbol, rule}]: prices on which nobody may take new risk."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["series", "taken_at"], name="one_snapshot_an_instant")]
