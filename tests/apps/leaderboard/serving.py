"""A season to watch, and the real server that shows it, in a thread of the test's process."""

import json
import threading
import time
from datetime import UTC, datetime
from decimal import Decimal

import uvicorn
from websockets.sync.client import connect

from apps.accounts.models import Account
from apps.agents.models import Agent, AgentVersion
from apps.arenas.models import Arena, Entry, Season
from apps.asgi import make_application
from apps.common.wire import server_settings
from apps.leaderboard.models import Standing
from apps.leaderboard.services.frames import publish_frame
from apps.market.models import Market
from apps.users.models import Team

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
PATIENCE = 20


def make_season(*, arena="nerve", number=1, state="LIVE"):
    """Return a season whose clock runs."""
    market, _ = Market.objects.get_or_create(
        slug="sim",
        defaults={
            "source": "SIMULATED",
            "parameters": {},
            "interval_ms": 60_000,
            "starts_at": AT,
            "collected_until": AT,
        },
    )
    arena, _ = Arena.objects.get_or_create(slug=arena, defaults={"name": arena})
    return Season.objects.create(
        arena=arena,
        number=number,
        slug=f"{arena.slug}-{number}",
        market=market,
        mode="PAPER",
        state=state,
        rules={},
        tick_ms=60_000,
        with_quotes=False,
        seed=1,
        starts_at=AT,
        ends_at=AT,
        speed=60.0,
        clock_at=AT,
        anchored_at=AT,
    )


def make_standing(season, name, *, rank=1, equity="10000"):
    """Return where an entry of the season stands."""
    team, _ = Team.objects.get_or_create(slug="house", defaults={"name": "House"})
    agent = Agent.objects.create(team=team, slug=name, name=name)
    version = AgentVersion.objects.create(
        agent=agent, number=1, brain="STRATEGY", strategy="hold", parameters={}, sha256=""
    )
    money = Decimal(equity)
    account = Account.objects.create(
        kind="PAPER",
        book=season.slug,
        name=name,
        capital=money,
        cash=money,
        equity=money,
        equity_peak=money,
        equity_at_midnight=money,
        played_until=AT,
        chain_sha256="",
    )
    entry = Entry.objects.create(season=season, version=version, account=account, name=name)
    return Standing.objects.create(
        entry=entry,
        season=season,
        as_of=AT,
        rank=rank,
        equity=money,
        total_return=0.0,
        drawdown_max=0.0,
        drawdown_now=0.0,
        trades=0,
        exposure_gross=0.0,
        exposure_net=0.0,
        fees=Decimal(0),
        funding=Decimal(0),
        realized_pnl=Decimal(0),
        liquidations=0,
    )


def publish(season, bus, rows, **others):
    """Publish a board of a few rows."""
    return publish_frame(season=season, at=AT, rows=rows, bus=bus, **{"tick": None, "speed": 60.0} | others)


class Served:
    """The application of the house behind a real server on loopback."""

    def __init__(self, bus, *, port=0, **settings):
        config = server_settings(port=port) | {"app": make_application(bus=bus), "log_level": "warning"} | settings
        self.server = uvicorn.Server(uvicorn.Config(**config))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        wait_until(lambda: self.server.started)
        self.port = self.server.servers[0].sockets[0].getsockname()[1]

    def url(self, arena="nerve"):
        return f"ws://127.0.0.1:{self.port}/ws/v1/public/arenas/{arena}"

    def open(self, arena="nerve", **options):
        return connect(self.url(arena), compression=None, legacy=True, open_timeout=PATIENCE, **options)

    def stop(self):
        self.server.should_exit = True
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


def hear(client):
    """Return the next frame that a client is sent."""
    return json.loads(client.recv(timeout=PATIENCE))


def hear_close(client):
    """Return the code with which a client is sent away, and the frames before."""
    from websockets.exceptions import ConnectionClosed

    frames = []
    try:
        while True:
            frames.append(hear(client))
    except ConnectionClosed as closed:
        return closed.rcvd.code if closed.rcvd else None, frames


def wait_until(condition):
    """Wait for something that happens in another thread."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.01)
