"""The addresses of the public pages."""

from django.urls import path

from apps.leaderboard.views import agent, arena, front, points

urlpatterns = [
    path("", front.landing, name="landing"),
    path("arenas/", front.arenas, name="arenas"),
    path("leaderboard/", front.leaderboard, name="leaderboard"),
    path("arenas/<slug:slug>/", arena.arena, name="arena"),
    path("arenas/<slug:slug>/race.json", points.race_points, name="race-points"),
    path("arenas/<slug:slug>/<slug:tab>/", arena.arena, name="arena-tab"),
    path("agents/<slug:slug>/", agent.agent, name="agent"),
    path("agents/<slug:slug>/points.json", points.agent_points, name="agent-points"),
    path("agents/<slug:slug>/decisions/<int:number>/", agent.decision, name="decision"),
    path("agents/<slug:slug>/<slug:tab>/", agent.agent, name="agent-tab"),
]
