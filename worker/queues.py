"""Which queue does each kind of work travel on?"""

CONTROL = "control"
"""Opening and closing ticks: short, and nothing may wait behind something long."""
CPU = "cpu"
"""Entries of pure maths, many to a task."""

QUEUES = (CONTROL, CPU)

ROUTES = {
    "arena.open_tick": {"queue": CONTROL},
    "arena.close_tick": {"queue": CONTROL},
    "arena.act": {"queue": CPU},
}
