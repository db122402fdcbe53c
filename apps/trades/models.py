"""What agents decided, what the governors made of it, what came of it on the venue, and what it was worth."""

from typing import ClassVar

from django.db import models

from apps.accounts.models import Account
from apps.arenas.models import Entry, Tick
from apps.common.fields import MoneyField, PriceField, QuantityField, RateField
from apps.market.models import Instrument

SIDES = [("BUY", "BUY"), ("SELL", "SELL")]
MARGIN_MODES = [("CROSS", "CROSS"), ("ISOLATED", "ISOLATED")]


class Decision(models.Model):
    """What an entry wanted at a tick, and the verdict on it. Written once, when it is reviewed or missed."""

    append_only = True

    class State(models.TextChoices):
        DECIDED = "DECIDED"
        MISSED = "MISSED"

    tick = models.ForeignKey(Tick, models.PROTECT, related_name="decisions")
    entry = models.ForeignKey(Entry, models.PROTECT, related_name="decisions")
    state = models.CharField(max_length=8, choices=State.choices)
    action = models.CharField(max_length=32)
    confidence = RateField(null=True)
    reason = models.TextField()
    orders = models.JSONField(default=list)
    """The orders asked for, in the words of the books."""
    verdict = models.TextField()
    """NO_ORDERS, ACCEPTED, or the rulings as JSON: order, outcome, rule, asked, allowed."""
    arrived_at = models.DateTimeField()
    """In the market's time: its orders meet what comes after."""
    decided_at = models.DateTimeField(auto_now_add=True)
    chain_sha256 = models.CharField(max_length=64)
    """The link that takes in this decision and the one before it."""

    class Meta:
        constraints: ClassVar = [models.UniqueConstraint(fields=["entry", "tick"], name="one_decision_a_tick")]
        indexes: ClassVar = [models.Index(fields=["tick", "entry"]), models.Index(fields=["entry", "-tick"])]


class Order(models.Model):
    """An order with everything that its venue keeps about it."""

    account = models.ForeignKey(Account, models.PROTECT, related_name="orders")
    order_id = models.CharField(max_length=32)
    instrument = models.ForeignKey(Instrument, models.PROTECT)
    decision = models.ForeignKey(Decision, models.PROTECT, null=True, related_name="placed")
    """The decision that asked for it; null for protections and liquidations."""
    parent = models.ForeignKey("self", models.PROTECT, null=True, related_name="protections")
    """The entry that a protection belongs to."""
    sequence = models.BigIntegerField()
    tick = models.BigIntegerField()
    ordinal = models.BigIntegerField()
    side = models.CharField(max_length=4, choices=SIDES)
    type = models.CharField(max_length=20)
    status = models.CharField(max_length=16)
    """ACKED while it works, PARTIAL once some of it has filled."""
    refusal_code = models.CharField(max_length=24, null=True)
    reason = models.CharField(max_length=16)
    time_in_force = models.CharField(max_length=10)
    trigger_by = models.CharField(max_length=4)
    margin_mode = models.CharField(max_length=8, choices=MARGIN_MODES)
    reduce_only = models.BooleanField()
    close_position = models.BooleanField()
    triggered = models.BooleanField()
    quantity = QuantityField()
    filled = QuantityField()
    # Prices as they were asked for: what makes no price is refused, and kept as it was.
    limit_price = MoneyField(null=True)
    trigger_price = MoneyField(null=True)
    callback_rate = RateField()
    stop_loss = MoneyField(null=True)
    take_profit = MoneyField(null=True)
    trailing_rate = RateField()
    leverage_asked = models.PositiveIntegerField()
    """0 keeps the symbol's."""
    leverage = models.PositiveIntegerField()
    """The one it was placed at."""
    alive_from = models.BigIntegerField()
    attempts = models.BigIntegerField()
    tried_in = models.BigIntegerField()
    fills_count = models.BigIntegerField()
    accepted_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "order_id"], name="one_order_an_id"),
            models.UniqueConstraint(fields=["account", "sequence"], name="one_order_a_number"),
            models.CheckConstraint(
                condition=models.Q(filled__lte=models.F("quantity")) | models.Q(status="REJECTED"),
                name="no_more_than_asked",
            ),
        ]
        indexes: ClassVar = [
            models.Index(fields=["account"], condition=models.Q(ended_at=None), name="working_orders"),
            models.Index(fields=["decision"]),
        ]


class Fill(models.Model):
    """A part of an order that met the market."""

    append_only = True

    account = models.ForeignKey(Account, models.PROTECT, related_name="fills")
    order = models.ForeignKey(Order, models.PROTECT, related_name="fills")
    fill_id = models.CharField(max_length=48)
    instrument = models.ForeignKey(Instrument, models.PROTECT)
    sequence = models.BigIntegerField()
    number = models.PositiveIntegerField()
    filled_at = models.DateTimeField()
    side = models.CharField(max_length=4, choices=SIDES)
    quantity = QuantityField()
    price = PriceField()
    base_price = PriceField()
    liquidity = models.CharField(max_length=5)
    fee = MoneyField()
    realized_pnl = MoneyField()
    position_after = QuantityField()
    reason = models.CharField(max_length=16)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "fill_id"], name="one_fill_an_id"),
            models.UniqueConstraint(fields=["account", "sequence"], name="one_fill_a_number"),
        ]
        indexes: ClassVar = [models.Index(fields=["account", "-filled_at"])]


class FundingPayment(models.Model):
    """What a position paid or received at a funding time; null where the rate is unknown."""

    append_only = True

    account = models.ForeignKey(Account, models.PROTECT, related_name="funding_payments")
    instrument = models.ForeignKey(Instrument, models.PROTECT)
    sequence = models.BigIntegerField()
    funded_at = models.DateTimeField()
    position_quantity = QuantityField()
    mark_price = PriceField()
    rate = RateField(null=True)
    amount = MoneyField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "instrument", "funded_at"], name="funded_once"),
            models.UniqueConstraint(fields=["account", "sequence"], name="one_funding_a_number"),
        ]


class Position(models.Model):
    """What an account holds of an instrument now, and the leverage it has set there."""

    pk = models.CompositePrimaryKey("account_id", "instrument_id")
    account = models.ForeignKey(Account, models.PROTECT, related_name="positions")
    instrument = models.ForeignKey(Instrument, models.PROTECT)
    quantity = QuantityField()
    cost_basis = MoneyField()
    margin = MoneyField()
    leverage = models.PositiveIntegerField()
    margin_mode = models.CharField(max_length=8, choices=MARGIN_MODES)
    opened_at = models.DateTimeField(null=True)
    """When the position that is held now was opened; null while flat."""


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
    """The link that takes in this point and the one before it."""


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
