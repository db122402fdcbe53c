from django.apps import AppConfig


class MarketConfig(AppConfig):
    """Instruments, candles, funding, and snapshots as captured."""

    name = "apps.market"
    label = "market"
