"""Feeds: markets that the arena can run on, each satisfying `engine.ports.Feed`."""
