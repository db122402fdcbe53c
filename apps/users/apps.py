from django.apps import AppConfig


class UsersConfig(AppConfig):
    """People, and the teams that everything of theirs belongs to."""

    name = "apps.users"
    label = "users"
