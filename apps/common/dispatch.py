"""Send tasks by name, after the commit of whatever they are about."""

from __future__ import annotations

from typing import Any

from celery import current_app
from django.db import transaction


def send(name: str, **arguments: int | list[int]) -> None:
    """Send a task once the transaction is committed, at once where there is none. Arguments are ids and integers."""
    transaction.on_commit(lambda: _send(name, arguments))


def _send(name: str, arguments: dict[str, Any]) -> None:
    current_app.send_task(name, kwargs=arguments)
