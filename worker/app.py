"""The Celery app: how tasks travel, and what every task does when it fails.

Nothing relies on a broker for exactly-once (rule A6): a lost message is found again by the dispatcher's sweep, a
repeated one finds its work done.
"""

from __future__ import annotations

import logging
import os
from typing import Any

from celery import Celery, Task
from kombu import Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bitnerve.settings.dev")

import django

django.setup()

from django.conf import settings  # noqa: E402

from worker.queues import CONTROL, QUEUES, ROUTES  # noqa: E402

logger = logging.getLogger(__name__)

SECONDS_SOFT, SECONDS_HARD = 60, 90
"""What a task may take; threads know no hard limit, so every step inside has a limit of its own as well."""


SEND_SECONDS_MAX = 3.0
"""How long a broker may take to accept a message: less than a lease, which whoever drives must renew meanwhile."""


class House(Celery):  # type: ignore[misc]
    """Whoever sends is told when the broker hangs. Whoever listens waits for it: a message whose receipt it could not
    confirm would count as unfinished work for ever.
    """

    def connection_for_write(self, url: str | None = None, *args: Any, **options: Any) -> Any:
        """Return a connection to send over."""
        patience = {"socket_timeout": SEND_SECONDS_MAX, "socket_connect_timeout": SEND_SECONDS_MAX}
        return super().connection_for_write(url, *args, **{"transport_options": patience} | options)


class HouseTask(Task):  # type: ignore[misc]
    """A task whose failure is written down once, with its name and ids, and never with anything secret."""

    abstract = True

    def on_failure(self, exc: BaseException, task_id: str, args: Any, kwargs: dict[str, Any], einfo: Any) -> None:
        """Log what failed; the sweep sends it again while its tick is open."""
        logger.error("%s(%s) failed: %s: %s", self.name, kwargs, type(exc).__name__, exc)


def make_app(broker_url: str) -> Celery:
    """Return the app on a broker; `memory://` works within one process."""
    # Within one process nothing outlives the worker, so late acknowledgements would protect nothing, and its threads
    # would wait for them: the loop that makes them sleeps while there is nothing to fetch.
    alone = broker_url.startswith("memory")
    celery = House("bitnerve", task_cls=HouseTask, include=["worker.tasks.arena"])
    celery.conf.update(
        broker_url=broker_url,
        broker_connection_retry_on_startup=True,
        broker_transport_options={"polling_interval": 0.05} if alone else {},
        # Whoever sends while the broker is away is told at once: the sweep sends again, and leases must be renewed.
        task_publish_retry=False,
        accept_content=["json"],
        task_serializer="json",
        task_ignore_result=True,
        task_store_errors_even_if_ignored=False,
        task_acks_late=not alone,
        task_reject_on_worker_lost=not alone,
        task_soft_time_limit=SECONDS_SOFT,
        task_time_limit=SECONDS_HARD,
        task_default_queue=CONTROL,
        task_queues=[Queue(name) for name in QUEUES],
        task_routes=ROUTES,
        task_create_missing_queues=False,
        worker_prefetch_multiplier=0 if alone else 1,
        worker_hijack_root_logger=False,
        worker_send_task_events=False,
        worker_enable_remote_control=False,
        timezone="UTC",
    )
    celery.set_default()
    return celery


app = make_app(settings.REDIS_URL or "memory://localhost/")
