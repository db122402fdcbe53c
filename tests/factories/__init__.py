"""Rows for tests, made by the engine itself: what a page shows of a season adds up, for it was really traded."""

from tests.factories.season import MadeSeason, arena_without_seasons, season_with

__all__ = ["MadeSeason", "arena_without_seasons", "season_with"]
