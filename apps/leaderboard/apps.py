from django.apps import AppConfig


class LeaderboardConfig(AppConfig):
    """Equity points, standings, public pages, and the spectators' hub."""

    name = "apps.leaderboard"
    label = "leaderboard"
