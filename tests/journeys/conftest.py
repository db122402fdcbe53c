"""A real browser before a real server: the pages as people get them, in every state that they can be in."""

from __future__ import annotations

import contextlib
import shutil
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

AXE = Path(__file__).parents[1] / "vendor" / "axe" / "axe.min.js"
STARTED_WITHIN_S = 20


@dataclass(frozen=True, slots=True)
class Site:
    """A served house whose database is in one of its states, and the addresses of all its pages."""

    state: str
    url: str
    pages: list[str]


@pytest.fixture(scope="session")
def server(django_db_setup: None) -> Iterator[str]:
    """Serve the application on loopback; the address it answers at."""
    import uvicorn
    from django.db import connections
    from django.test import override_settings

    # The server's threads must hold no connection when the database is dropped.
    connections["default"].settings_dict["CONN_MAX_AGE"] = 0

    with override_settings(WHITENOISE_USE_FINDERS=True, WHITENOISE_AUTOREFRESH=True), _free_port() as listening:
        server = uvicorn.Server(uvicorn.Config(_application(), log_level="warning", lifespan="auto"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        deadline = time.monotonic() + STARTED_WITHIN_S
        while not server.started and time.monotonic() < deadline:
            time.sleep(0.05)
        assert server.started
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        server.should_exit = True
        thread.join(timeout=STARTED_WITHIN_S)


def _application() -> Any:
    from django.core.asgi import get_asgi_application

    try:
        from apps.asgi import application
    except ImportError:
        return get_asgi_application()
    return application


@contextlib.contextmanager
def _free_port() -> Iterator[socket.socket]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        yield listening


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium; the tests that need it skip visibly where there is none.

    Not for a whole session: while it is open a loop runs in the thread, and tests that bring their own cannot.
    """
    from playwright.sync_api import expect, sync_playwright

    # A busy machine gets time: rows change places at most every five seconds, which is what is waited for by default.
    expect.set_options(timeout=30_000)
    program = shutil.which("chromium") or shutil.which("chromium-browser")
    if program is None:
        pytest.skip("no chromium on this machine")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Return a function that opens an address in a window of its own, and fails a test whose page complains."""
    contexts = []
    complaints: list[str] = []

    def open_page(url: str, *, feed: bool = False, **options: Any) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1440, "height": 900}, **options})
        if not feed:
            # Frames come from the test alone, so that nothing moves between two looks.
            context.route("**/live.js", lambda route: route.fulfill(body="", content_type="text/javascript"))
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(f"{url}: {error}"))
        page.on("console", lambda message: _note(complaints, url, message))
        page.goto(url, wait_until="load")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert complaints == []


def _note(complaints: list[str], url: str, message: Any) -> None:
    """Keep what a page says of its own mistakes: a broken policy above all."""
    told = f"{message.text} {message.location.get('url', '')}"
    # A page that is not there says so, and the feed's script and socket are looked at by their own tests.
    expected = ("/nowhere/", "live.js", "WebSocket")
    if message.type == "error" and not any(word in told for word in expected):
        complaints.append(f"{url}: {told}")


STATES = {
    "empty": lambda season_with: None,
    "normal": lambda season_with: season_with(agents=14, ticks=864, flaws=[{"symbol": "ETHUSDT", "rule": "STALE"}]),
    "stale": lambda season_with: season_with(agents=9, ticks=200, age=timedelta(minutes=7), skipped=[200]),
    "full": lambda season_with: season_with(agents=200, ticks=60),
    "final": lambda season_with: season_with(agents=9, ticks=200, state="FINAL"),
    "begun": lambda season_with: _before_its_first_tick(),
}


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, server: str, django_db_blocker: Any) -> Iterator[Site]:
    """The house in the state that a test names by `indirect` parametrization; emptied afterwards."""
    import os

    from django.db import connections

    from tests.factories import season_with

    # The browser's driver runs a loop in this thread, which Django would take for its own.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    with django_db_blocker.unblock():
        _empty()
        STATES[request.param](season_with)
        site = Site(state=request.param, url=server, pages=_pages())
        # Closed where it was opened: the browser's driver has a context of its own for what comes between.
        connections["default"].close()
        yield site
        _empty()
        connections["default"].close()
    os.environ.pop("DJANGO_ALLOW_ASYNC_UNSAFE")


def _before_its_first_tick() -> None:
    """Leave a season with entries and nothing else, as it is between being made and being run."""
    from apps.arenas.models import Season
    from tests.factories.season import enter_only

    enter_only(agents=4, state=Season.State.WARM_UP)


def _empty() -> None:
    from django.apps import apps
    from django.db import connections

    tables = ", ".join(f'"{model._meta.db_table}"' for model in apps.get_models() if model._meta.managed)
    with connections["owner"].cursor() as cursor:
        cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")
    connections["owner"].close()


def _pages() -> list[str]:
    from apps.arenas.models import Arena, Entry
    from apps.leaderboard.views.agent import AGENT_TABS
    from apps.leaderboard.views.arena import TABS
    from apps.trades.models import Decision

    pages = ["/", "/arenas/", "/nowhere/"]
    for arena in Arena.objects.filter(seasons__isnull=False)[:1]:
        pages += [f"/arenas/{arena.slug}/", *(f"/arenas/{arena.slug}/{tab}/" for tab in TABS if tab != "race")]
    acted = Decision.objects.exclude(verdict="NO_ORDERS").order_by("-pk").first()
    entry = acted.entry if acted else Entry.objects.order_by("name").first()
    if entry:
        agent = entry.version.agent.slug
        pages += [f"/agents/{agent}/", *(f"/agents/{agent}/{tab}/" for tab in AGENT_TABS if tab != "positions")]
    if acted:
        pages.append(f"/agents/{agent}/decisions/{acted.pk}/")
    return pages
