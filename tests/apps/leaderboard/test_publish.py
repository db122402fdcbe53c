"""Does every published frame fit onto the one before, whoever published it?"""

import asyncio
import json

import pytest

from apps.arenas.models import Season
from apps.common.bus import LocalBus
from apps.leaderboard.services import frames as services
from bitnerve.engine.frames import Broadcast, merge_frame
from tests.apps.leaderboard.serving import make_season, publish


class Recorder(LocalBus):
    """A bus that remembers everything."""

    def __init__(self):
        super().__init__()
        self.sent = []

    def publish(self, channel, data):
        super().publish(channel, data)
        self.sent.append(Broadcast.unpack(data))


@pytest.fixture
def bus():
    return Recorder()


@pytest.fixture
def season(db):
    return make_season()


def test_the_first_frame_is_a_snapshot_and_the_next_a_delta(season, bus):
    numbers = [publish(season, bus, {"ada": {"rank": 1, "equity": equity}}) for equity in ("10", "11")]

    first, second = bus.sent
    assert numbers == [1, 2]
    assert first.delta == b""
    assert json.loads(second.delta)["rows"] == {"ada": {"equity": "11"}}
    assert json.loads(second.snapshot)["rows"] == {"ada": {"rank": 1, "equity": "11"}}
    assert Season.objects.get().frame == 2


def test_prices_and_decisions_are_kept_for_the_snapshot(season, bus):
    decision = {"id": 1, "entry": "ada", "action": "BUY"}
    publish(season, bus, {}, prices={"BTCUSDT": "1", "ETHUSDT": "5"}, decisions=[decision])
    publish(season, bus, {}, prices={"BTCUSDT": "2"})

    snapshot, delta = json.loads(bus.sent[1].snapshot), json.loads(bus.sent[1].delta)
    assert snapshot["prices"] == {"BTCUSDT": "2", "ETHUSDT": "5"}
    assert snapshot["decisions"] == [decision]
    assert delta["prices"] == {"BTCUSDT": "2"}
    assert "decisions" not in delta


def test_a_publisher_that_starts_anew_goes_on_counting_with_a_snapshot(season, bus):
    publish(season, bus, {"ada": {"rank": 1}})
    services._told.clear()

    assert publish(season, bus, {"ada": {"rank": 2}}) == 2
    assert bus.sent[1].delta == b""


def test_a_row_that_was_saved_whole_does_not_turn_the_numbers_back(season, bus):
    assert [publish(season, bus, {"ada": {"rank": rank}}) for rank in (1, 2)] == [1, 2]
    season.save()

    assert Season.objects.get().frame == 0
    assert publish(season, bus, {"ada": {"rank": 3}}) == 3
    assert bus.sent[-1].delta


def test_two_publishers_at_once_never_send_a_delta_that_does_not_fit(season, bus):
    publishers = [{}, {}]
    board, seq = None, None
    for number, who in enumerate([0, 0, 1, 0, 0, 1, 1, 0, 1, 1]):
        services._told.clear()
        services._told.update(publishers[who])
        rows = {f"entry {who}": {"equity": str(number)}, "both": {"equity": str(number)}}
        publish(season, bus, rows)
        publishers[who] = dict(services._told)
        sent = bus.sent[-1]
        frame = json.loads(sent.delta or sent.snapshot)
        assert frame["type"] == "snapshot" or frame["seq"] == seq + 1
        board, seq = merge_frame(board=board, frame=frame), frame["seq"]
        assert board["rows"] == rows


def test_who_lost_the_lease_publishes_nothing(season, bus):
    Season.objects.update(lease_epoch=4)

    assert publish(season, bus, {}, lease_epoch=3) is None
    assert publish(season, bus, {}, lease_epoch=4) == 1
    assert len(bus.sent) == 1


def test_a_season_that_is_over_or_stands_still_does_not_move(season, bus):
    publish(season, bus, {}, speed=60.0)
    publish(season, bus, {}, speed=0.0)
    season.state = "FINAL"
    publish(season, bus, {}, speed=60.0)

    assert [sent.is_moving for sent in bus.sent] == [True, False, False]
    assert services._told == {}


def test_the_last_frame_can_be_asked_for(season, bus):
    publish(season, bus, {"ada": {"rank": 1}})

    last = asyncio.run(bus.last(services.channel_of(season.slug)))
    assert Broadcast.unpack(last).number == 1
