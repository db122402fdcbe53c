"""How do exact numbers lie in the database?

Each kind is a domain of PostgreSQL that refuses what the house cannot hold: NaN, too many digits, and, unlike a plain
NUMERIC(p, s), more decimals than it has, which would be rounded away in silence (rule M3).
"""

from decimal import Decimal
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models


class ExactField(models.DecimalField):
    """A decimal that is stored as it is or not at all."""

    domain: str
    digits: int
    places: int

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs |= {"max_digits": self.digits, "decimal_places": self.places}
        super().__init__(*args, **kwargs)

    def deconstruct(self) -> Any:
        """Leave out what the kind of field says already."""
        name, path, args, kwargs = super().deconstruct()
        del kwargs["max_digits"], kwargs["decimal_places"]
        return name, path, args, kwargs

    def db_type(self, connection: Any) -> str:
        """Return the name of the domain."""
        return self.domain

    def get_db_prep_save(self, value: Any, connection: Any) -> Any:
        """Refuse a float, and more decimals than there is room for; Django alone would round them."""
        if isinstance(value, float):
            raise ValidationError(f"{self.name}: {value!r} is a float; exact numbers are decimals")
        if isinstance(value, Decimal) and value.is_finite() and value != round(value, self.places):
            raise ValidationError(f"{self.name}: {value} has more than {self.places} decimals")
        return super().get_db_prep_save(value, connection)


class MoneyField(ExactField):
    """An amount of the quote asset, at most ninety billion either way."""

    domain, digits, places = "exact_money", 30, 8


class PriceField(ExactField):
    """A price in the quote asset, above zero."""

    domain, digits, places = "exact_price", 30, 12


class QuantityField(ExactField):
    """A quantity of the base asset; its sign is a position's side."""

    domain, digits, places = "exact_quantity", 30, 12


class RateField(ExactField):
    """A rate per one."""

    domain, digits, places = "exact_rate", 18, 8
