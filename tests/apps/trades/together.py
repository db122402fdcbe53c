"""Several at once: each in a thread with a database connection of its own, all let go at the same instant."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

from django.db import connections

SECONDS_MAX = 120


def run_together(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Return what each call returned; the first error of any is raised here."""
    start = threading.Barrier(len(calls))
    results: list[Any] = [None] * len(calls)
    errors: list[BaseException] = []

    def run(number: int, call: Callable[[], Any]) -> None:
        try:
            start.wait(SECONDS_MAX)
            results[number] = call()
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SECONDS_MAX)
        assert not thread.is_alive(), "somebody hangs"
    if errors:
        raise errors[0]
    return results
