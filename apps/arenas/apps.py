from django.apps import AppConfig


class ArenasConfig(AppConfig):
    """Arenas, their seasons, and the ticks in which entries act."""

    name = "apps.arenas"
    label = "arenas"
