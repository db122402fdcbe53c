import pytest

from apps.common.bus import LocalBus
from apps.leaderboard import hub
from apps.leaderboard.services import frames as services
from tests.apps.leaderboard.serving import Served


@pytest.fixture(autouse=True)
def nothing_told():
    """Every test is a publisher that has just started."""
    services._told.clear()


@pytest.fixture
def quick(monkeypatch):
    """Let a test's seconds be shorter than a season's."""
    monkeypatch.setattr(hub, "PACE_SECONDS", 0.05)
    monkeypatch.setattr(hub, "SWEEP_SECONDS", 0.1)
    monkeypatch.setattr(hub, "PLACES_SECONDS", 0.0)


@pytest.fixture
def bus():
    return LocalBus()


@pytest.fixture
def served(committed_db, bus, quick):
    server = Served(bus)
    yield server
    server.stop()
