from django.apps import AppConfig


class ResearchConfig(AppConfig):
    """Recordings, replays and what is learned from them."""

    name = "apps.research"
    label = "research"
