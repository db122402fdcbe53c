"""The addresses of the public pages."""

from django.urls import path

from apps.leaderboard import views

urlpatterns = [
    path("", views.landing, name="landing"),
    path("arenas/", views.arenas, name="arenas"),
    path("leaderboard/", views.leaderboard, name="leaderboard"),
    path("arenas/<slug:slug>/", views.arena, name="arena"),
    path("arenas/<slug:slug>/race.json", views.race_points, name="race-points"),
    path("arenas/<slug:slug>/<slug:tab>/", views.arena, name="arena-tab"),
    path("agents/<slug:slug>/", views.agent, name="agent"),
    path("agents/<slug:slug>/points.json", views.agent_points, name="agent-points"),
    path("agents/<slug:slug>/decisions/<int:number>/", views.decision, name="decision"),
    path("agents/<slug:slug>/<slug:tab>/", views.agent, name="agent-tab"),
]
