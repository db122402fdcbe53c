from django.apps import AppConfig


class TradesConfig(AppConfig):
    """Decisions, orders, fills and positions."""

    name = "apps.trades"
    label = "trades"
