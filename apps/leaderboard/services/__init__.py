"""Rank entries when a tick closes (`standings`), and show what everybody is worth between ticks (`live`)."""
