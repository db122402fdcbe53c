from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """Competitors and their immutable versions."""

    name = "apps.agents"
    label = "agents"
