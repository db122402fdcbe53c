"""The shape of a tick: names, queues, arguments, and how much travels for how many."""

import inspect
import subprocess
import sys
from datetime import timedelta

import pytest
from celery import current_app
from django.conf import settings

from apps.agents.services import register_agent
from apps.arenas.models import Season, Tick
from apps.arenas.services import ticks
from apps.common import dispatch
from apps.market.services import make_instant
from apps.trades.models import Decision
from apps.trades.services import acting, entering
from apps.users.services import platform_team
from bitnerve.domain.strategies.catalog import list_agents
from bitnerve.domain.timeframe import DAY_MS, parse_instant
from tests.apps.trades.arena import open_season, simulated_market
from worker import graph
from worker.app import app
from worker.queues import CONTROL, CPU, QUEUES, ROUTES
from worker.tasks import arena as tasks

START = parse_instant("2026-01-01", field="start")
OURS = {graph.OPEN_TICK, graph.ACT, graph.CLOSE_TICK}


def test_every_task_has_a_name_of_the_graph_and_a_queue():
    app.loader.import_default_modules()
    names = {name for name in app.tasks if not name.startswith("celery.")}
    assert names == OURS == ROUTES.keys()
    assert {route["queue"] for route in ROUTES.values()} == set(QUEUES) == {CONTROL, CPU}
    assert {queue.name for queue in app.conf.task_queues} == set(QUEUES)
    assert ROUTES[graph.ACT]["queue"] != ROUTES[graph.CLOSE_TICK]["queue"]


def test_A5_a_task_takes_ids_and_integers_and_travels_as_json():
    for name in OURS:
        annotations = inspect.get_annotations(app.tasks[name].run, eval_str=True)
        assert annotations.pop("return") is None
        assert annotations
        assert set(annotations.values()) <= {int, list[int]}, name
    assert app.conf.task_serializer == "json"
    assert app.conf.accept_content == ["json"]


def test_A6_every_task_may_be_lost_repeated_or_take_too_long():
    # Within one process nothing outlives the worker that a late acknowledgement could protect.
    alone = app.conf.broker_url.startswith("memory")
    assert app.conf.task_acks_late is not alone
    assert app.conf.task_reject_on_worker_lost is not alone
    assert app.conf.task_ignore_result
    assert 0 < app.conf.task_soft_time_limit < app.conf.task_time_limit
    # Whatever a chunk is allowed fits into what its task is.
    for allowed in (acting.ALLOWED, acting.ALLOWED_STEPPED):
        assert 2 * allowed.together < app.conf.task_soft_time_limit


def test_a_task_makes_one_call_into_one_service():
    for task in (tasks.open_tick, tasks.act, tasks.close_tick):
        source = inspect.getsource(task.run)
        assert source.count("acting.") + source.count("closing.") == 1


HEAVY = ("litellm", "ccxt", "lightgbm", "statsmodels", "matplotlib", "mlx", "torch", "sklearn")


@pytest.mark.parametrize("module", ["worker.app", "worker.process", "worker.app, worker.tasks.arena"])
def test_importing_a_worker_loads_nothing_heavy(module):
    code = f"import {module}, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    environment = {"DJANGO_SETTINGS_MODULE": "bitnerve.settings.test", "PATH": ""}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.fixture
def messages(monkeypatch):
    """What is sent, kept in order until it is delivered."""
    kept = []
    monkeypatch.setattr(dispatch, "_send", lambda name, arguments: kept.append((name, arguments)))
    return kept


def deliver(messages, *, reverse=False):
    """Run everything that was sent, and what that sends, in order or the newest first."""
    delivered = []
    while messages:
        name, arguments = messages.pop(-1 if reverse else 0)
        delivered.append((name, arguments))
        assert len(delivered) < 100, "messages beget messages"
        app.tasks[name].run(**arguments)
    return delivered


@pytest.mark.parametrize("reverse", [False, True], ids=["in_order", "newest_first"])
def test_a_tick_of_a_thousand_entries_takes_at_most_twenty_messages(committed_db, messages, reverse):
    market = simulated_market(seed=3, start_at=START - DAY_MS, symbol_count=2)
    starts_at = make_instant(START)
    season = open_season(market, starts_at=starts_at, ends_at=starts_at + timedelta(minutes=5), seed=3, agents=[])
    (strategy,) = (one.strategy for one in list_agents() if one.strategy.name == "random")
    team = platform_team()
    versions = [
        register_agent(team=team, name=f"agent-{number:04}", strategy=strategy.name, parameters=strategy.parameters)
        for number in range(1000)
    ]
    entering.enter_season(season=season, versions=versions)

    (lease,) = ticks.hold_leases(holder="test", seconds=600)
    graph.start_tick(ticks.claim_tick(lease))
    delivered = deliver(messages, reverse=reverse)
    assert len(delivered) <= 20
    assert [name for name, _ in delivered].count(graph.ACT) == 5
    for _, arguments in delivered:
        for value in arguments.values():
            assert type(value) is int or all(type(one) is int for one in value)
    assert Tick.objects.get().state == Tick.State.CLOSED
    assert Decision.objects.count() == 1000

    # The tick after the last decides nothing: it is opened and closed.
    graph.start_tick(ticks.claim_tick(lease))
    assert [name for name, _ in deliver(messages)] == [graph.OPEN_TICK, graph.CLOSE_TICK]
    assert Season.objects.get().state == Season.State.FINAL


def test_what_is_sent_goes_through_the_houses_app():
    assert current_app.conf.task_routes == ROUTES
