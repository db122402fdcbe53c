"""Does everybody who watches see the same board, and does nobody who is slow or rude spoil it for the others?"""

import json
import socket
import time
from urllib.error import HTTPError
from urllib.request import urlopen

import pytest
from django.db import OperationalError, connections
from websockets.exceptions import InvalidStatus

from apps.common.bus import LocalBus
from apps.common.wire import MESSAGE_BYTES_MAX, server_settings
from apps.leaderboard import hub
from apps.leaderboard.selectors.live import Place
from bitnerve.engine.frames import merge_frame
from tests.apps.leaderboard.serving import (
    PATIENCE,
    Served,
    hear,
    hear_close,
    make_season,
    make_standing,
    publish,
    wait_until,
)


def test_a_spectator_is_shown_the_board_and_then_what_changes(served, bus):
    season = make_season()
    publish(season, bus, {"ada": {"rank": 1, "equity": "10"}, "bob": {"rank": 2, "equity": "9"}})

    with served.open() as client:
        first = hear(client)
        publish(season, bus, {"ada": {"rank": 1, "equity": "11"}, "bob": {"rank": 2, "equity": "9"}})
        second = hear(client)

    assert (first["type"], first["seq"], first["season"]) == ("snapshot", 1, "nerve-1")
    assert first["at"] == "2026-01-02T03:04:05.000Z"
    assert first["sent_at"].endswith("Z")
    assert first["rows"]["bob"] == {"rank": 2, "equity": "9"}
    assert (second["type"], second["seq"], second["rows"]) == ("delta", 2, {"ada": {"equity": "11"}})


def test_everybody_gets_the_same_bytes(served, bus):
    season = make_season()
    publish(season, bus, {"ada": {"equity": "1"}})
    with served.open() as one, served.open() as other:
        assert one.recv(timeout=PATIENCE) == other.recv(timeout=PATIENCE)
        for equity in ("2", "3"):
            publish(season, bus, {"ada": {"equity": equity}})
            message = one.recv(timeout=PATIENCE)
            assert message == other.recv(timeout=PATIENCE)
            assert json.loads(message)["rows"] == {"ada": {"equity": equity}}


def test_frames_that_come_too_fast_are_shown_as_one(served, bus, monkeypatch):
    monkeypatch.setattr(hub, "PACE_SECONDS", 1.0)
    season = make_season()
    publish(season, bus, {"ada": {"equity": "0"}})
    with served.open() as client:
        hear(client)
        for number in range(1, 31):
            publish(season, bus, {"ada": {"equity": str(number)}})
            time.sleep(0.01)
        heard = [hear(client), hear(client)]

    assert heard[-1]["type"] == "snapshot"
    assert heard[-1]["rows"] == {"ada": {"equity": "30"}}


def test_before_any_frame_the_database_tells_the_board(served, bus):
    season = make_season()
    make_standing(season, "ada", equity="10000.5")
    with served.open() as client:
        first = hear(client)
        # A delta against a frame that nobody has seen would not do.
        publish(season, bus, {"ada": {"rank": 1}, "bob": {"rank": 2}})
        second = hear(client)

    assert (first["type"], first["seq"]) == ("snapshot", 0)
    assert first["rows"]["ada"]["equity"] == "10000.5"
    assert first["rows"]["ada"]["state"] == "ACTIVE"
    assert (second["type"], sorted(second["rows"])) == ("snapshot", ["ada", "bob"])


def test_after_the_databases_board_a_running_publisher_sends_no_delta_that_does_not_fit(served, bus):
    season = make_season()
    make_standing(season, "ada")
    publish(season, bus, {"ada": {"rank": 1, "equity": "5"}})
    bus._last.clear()
    with served.open() as client:
        assert hear(client)["seq"] == 1
        publish(season, bus, {"ada": {"rank": 1, "equity": "6"}})
        assert hear(client)["rows"] == {"ada": {"rank": 1, "equity": "6"}}


def test_a_new_season_is_what_newcomers_see(served, bus):
    make_season(number=1, state="FINAL")
    publish(make_season(number=2), bus, {})
    with served.open() as client:
        assert hear(client)["season"] == "nerve-2"


def test_a_season_that_ends_says_so_and_sends_everybody_home(served, bus):
    season = make_season()
    publish(season, bus, {"ada": {"equity": "1"}})
    with served.open() as client:
        hear(client)
        season.state = "FINAL"
        season.save()
        publish(season, bus, {"ada": {"equity": "2"}})
        code, frames = hear_close(client)
    with served.open() as late:
        late_code, late_frames = hear_close(late)

    assert (code, [frame["season_state"] for frame in frames]) == (4010, ["FINAL"])
    assert late_code == 4010
    assert [(frame["type"], frame["rows"]) for frame in late_frames] == [("snapshot", {"ada": {"equity": "2"}})]


def test_an_end_that_the_bus_lost_is_read_from_the_database(served, bus):
    season = make_season()
    make_standing(season, "ada")
    publish(season, bus, {"ada": {"equity": "1"}})
    with served.open() as client:
        hear(client)
        season.state = "FINAL"
        season.save(update_fields=["state"])
        with served.open() as late:
            assert hear_close(late)[0] == 4010
        code, frames = hear_close(client)

    assert (code, frames[-1]["season_state"]) == (4010, "FINAL")


def test_a_board_that_stands_still_is_repeated(served, bus, monkeypatch):
    monkeypatch.setattr(hub, "REPEAT_SECONDS", 0.3)
    season = make_season()
    publish(season, bus, {}, speed=0.0)
    with served.open() as client:
        assert [hear(client)["seq"] for _ in range(3)] == [1, 1, 1]


@pytest.mark.parametrize("arena", ["nowhere", "no%20where", "x" * 300, "%ff", "a%00b"])
def test_an_arena_that_there_is_not_is_named_by_its_code(served, arena):
    with served.open(arena) as client:
        assert hear_close(client) == (4004, [])


def test_an_address_that_there_is_not_is_refused(served):
    with pytest.raises(InvalidStatus) as refused:
        served.open("nerve/../../elsewhere")
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize(
    "origin",
    ["https://evil.example", "null", "http://", "http://[", "file://localhost", "http://localhost.evil.example"],
)
def test_a_page_of_somebody_else_is_refused(served, origin):
    make_season()
    with pytest.raises(InvalidStatus) as refused:
        served.open(origin=origin)
    assert refused.value.response.status_code == 403


@pytest.mark.parametrize("origin", ["http://localhost", "http://127.0.0.1:8000", "https://LOCALHOST", None])
def test_our_own_page_and_a_program_are_let_in(served, origin):
    make_season()
    with served.open(origin=origin) as client:
        assert hear(client)["type"] == "snapshot"


def test_a_list_of_hosts_that_names_everybody_lets_no_page_in(committed_db, bus, quick, settings):
    settings.ALLOWED_HOSTS = ["*"]
    server = Served(bus)
    with pytest.raises(InvalidStatus):
        server.open(origin="https://evil.example")
    server.stop()


def opened(server, clients):
    try:
        clients.append(server.open())
    except InvalidStatus:
        return False
    return True


def test_one_address_holds_so_many_sockets_and_no_more(committed_db, bus, quick, settings):
    settings.SOCKETS_PER_ADDRESS_MAX = 3
    make_season()
    server = Served(bus)
    clients = [server.open() for _ in range(3)]
    with pytest.raises(InvalidStatus):
        server.open()
    clients.pop().close()
    wait_until(lambda: opened(server, clients))
    # Somebody else, told apart by the proxy that we trust.
    clients.append(server.open(additional_headers={"X-Forwarded-For": "203.0.113.9"}))

    assert [hear(client)["type"] for client in clients] == ["snapshot"] * 4
    for client in clients:
        client.close()
    server.stop()


def test_who_talks_too_much_is_sent_away(served):
    make_season()
    with served.open() as client:
        hear(client)
        for _ in range(11):
            client.send("hello")
        assert hear_close(client)[0] == 4029


def test_who_talks_a_little_is_not(served, bus):
    season = make_season()
    with served.open() as client:
        hear(client)
        client.send("hello")
        client.send(b"\xff" * MESSAGE_BYTES_MAX)
        publish(season, bus, {})
        assert hear(client)["seq"] == 1


def test_a_message_too_large_ends_the_visit(served):
    make_season()
    with served.open() as client:
        hear(client)
        client.send("x" * (MESSAGE_BYTES_MAX + 1))
        assert hear_close(client)[0] == 1009


def wide_rows(number):
    """Rows of which every one changes: about 60 KB."""
    return {f"entry {row}": {"equity": f"{number}." + "7" * 280} for row in range(200)}


def open_slow(served):
    """Return a client that asks and then does not read."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.connect(("127.0.0.1", served.port))
    request = (
        "GET /ws/v1/public/arenas/nerve HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    client.sendall(request.encode())
    return client


def read_frames(client, until):
    """Read raw WebSocket frames as (opcode, payload) until one is what is waited for."""
    client.settimeout(PATIENCE)
    stream = client.makefile("rb")
    while stream.readline().strip():
        pass
    frames = []
    while not frames or not until(frames[-1]):
        head = stream.read(2)
        size = head[1]
        if size >= 126:
            size = int.from_bytes(stream.read(2 if size == 126 else 8))
        frames.append((head[0] & 15, stream.read(size)))
    return frames


def test_a_slow_reader_skips_to_the_newest_board_and_nobody_waits_for_it(served, bus):
    season = make_season()
    publish(season, bus, wide_rows(0))
    slow = open_slow(served)
    with served.open(max_size=None) as quick:
        board = merge_frame(board=None, frame=hear(quick))
        for number in range(1, 31):
            publish(season, bus, wide_rows(number))
            frame = hear(quick)
            # Who keeps up gets every frame as a delta, whatever the slow one does.
            assert (frame["type"], frame["seq"]) == ("delta", number + 1)
            board = merge_frame(board=board, frame=frame)
        frames = read_frames(slow, until=lambda frame: b'"seq":31,' in frame[1][:60])
    slow.close()

    heard = [json.loads(text) for opcode, text in frames if opcode == 1]
    assert len(heard) < 12, "old frames are not kept for it"
    mine = None
    for before, frame in zip([None, *heard], heard, strict=False):
        assert frame["type"] == "snapshot" or frame["seq"] == before["seq"] + 1
        mine = merge_frame(board=mine, frame=frame)
    assert heard[-1]["type"] == "snapshot"
    assert mine == board


def test_who_stays_behind_is_sent_away(served, bus, monkeypatch):
    monkeypatch.setattr(hub, "BEHIND_SECONDS_MAX", 0.5)
    season = make_season()
    slow = open_slow(served)
    deadline = time.monotonic() + 2
    number = 0
    while time.monotonic() < deadline:
        publish(season, bus, wide_rows(number := number + 1))
        time.sleep(0.05)

    frames = read_frames(slow, until=lambda frame: frame[0] == 8)
    slow.close()

    assert int.from_bytes(frames[-1][1][:2]) == 4008
    assert len(frames) < 12


def test_everybody_is_asked_for_a_sign_of_life(committed_db, bus, quick):
    make_season()
    server = Served(bus, ws_ping_interval=0.2)
    client = open_slow(server)
    frames = read_frames(client, until=lambda frame: frame[0] == 9)
    client.close()
    server.stop()

    assert server_settings()["ws_ping_interval"] == 20
    assert [opcode for opcode, _ in frames] == [1, 9]


def test_who_asks_for_answers_and_reads_none_is_cut_off(served):
    make_season()
    client = open_slow(served)
    client.settimeout(PATIENCE)
    ping = b"\x89\xfd" + bytes(4) + b"?" * 125

    with pytest.raises(ConnectionError):
        client.sendall(ping * 100_000)
    client.close()


def test_any_other_server_can_carry_it_too(committed_db, bus, quick):
    season = make_season()
    publish(season, bus, {"ada": {"equity": "1"}})
    server = Served(bus, ws="websockets-sansio")
    with server.open() as client:
        assert hear(client)["type"] == "snapshot"
        publish(season, bus, {"ada": {"equity": "2"}})
        assert hear(client)["rows"] == {"ada": {"equity": "2"}}
        season.state = "FINAL"
        publish(season, bus, {})
        assert hear_close(client)[0] == 4010
    with server.open("nowhere") as client:
        assert hear_close(client)[0] == 4004
    server.stop()


def test_a_server_that_stops_says_goodbye_and_its_successor_goes_on(committed_db, bus, quick):
    season = make_season()
    publish(season, bus, {"ada": {"equity": "1"}})
    server = Served(bus)
    client = server.open()
    hear(client)
    server.stop()
    assert hear_close(client)[0] == 1012

    publish(season, bus, {"ada": {"equity": "2"}})
    successor = Served(bus, port=server.port)
    with successor.open() as client:
        assert (hear(client)["seq"]) == 2
    successor.stop()


def test_while_the_database_is_away_newcomers_are_asked_to_come_back(committed_db, bus, quick):
    make_season()
    place = connections["default"].settings_dict
    name, server = place["NAME"], Served(bus)
    place["NAME"] = "bitnerve_nowhere"
    try:
        with server.open() as client:
            assert hear_close(client) == (1013, [])
    finally:
        place["NAME"] = name
    with server.open() as client:
        assert hear(client)["type"] == "snapshot"
    server.stop()


async def test_arenas_that_are_known_stay_known_while_the_database_is_away(monkeypatch):
    monkeypatch.setattr(hub, "PLACES_SECONDS", 0.0)
    place = Place(season_id=1, slug="nerve-1", state="LIVE")
    answers = iter([{"nerve": place}])

    async def find_places():
        try:
            return next(answers)
        except StopIteration:
            raise OperationalError from None

    lobby = hub.Hub(bus=LocalBus(), channel_of=str, find_places=find_places, recall=None)

    assert [await lobby.find("nerve"), await lobby.find("nerve"), await lobby.find("other")] == [place, place, None]


def test_the_same_server_answers_for_pages(served):
    with pytest.raises(HTTPError) as answer:
        urlopen(f"http://127.0.0.1:{served.port}/nowhere-at-all")
    assert answer.value.code == 404
    assert "default-src 'none'" in answer.value.headers["Content-Security-Policy"]
