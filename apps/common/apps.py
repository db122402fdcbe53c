from django.apps import AppConfig


class CommonConfig(AppConfig):
    """What every app of this floor stands on: exact columns, the database, the bus, commands."""

    name = "apps.common"
    label = "common"
