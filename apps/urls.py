"""Where each address leads: the roof of this floor."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("apps.leaderboard.urls")),
]
