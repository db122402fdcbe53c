"""Does whoever puts snapshots and deltas together see exactly what was published?"""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bitnerve.engine.frames import DECISIONS_KEPT, Broadcast, diff_boards, encode, keep_newest, merge_frame, plain

NAMES = st.sampled_from(["ada", "bob", "Ωmega", "__proto__", "at"])
VALUES = st.one_of(st.none(), st.integers(0, 3), st.sampled_from(["1.5", "BUY", ""]), st.floats(-1, 1, allow_nan=False))
ROWS = st.dictionaries(NAMES, st.dictionaries(st.sampled_from(["rank", "equity", "fees"]), VALUES, max_size=3))
PARTS = st.fixed_dictionaries(
    {
        "season_state": st.sampled_from(["WARM_UP", "LIVE"]),
        "tick": st.one_of(st.none(), st.fixed_dictionaries({"number": st.integers(0, 2)})),
        "speed": st.sampled_from([0.0, 60.0]),
        "rows": ROWS,
        "prices": st.dictionaries(st.sampled_from(["BTCUSDT", "ETHUSDT"]), st.sampled_from(["1", "2"])),
        "points": st.dictionaries(NAMES, st.sampled_from(["10", "20"])),
    }
)


def boards(parts, counts):
    """Give each board the newest decisions so far, as a publisher does."""
    decisions, number, made = [], 0, []
    for part, count in zip(parts, counts, strict=False):
        decisions = keep_newest(decisions, [{"id": number + step} for step in range(count)])
        number += count
        made.append(part | {"decisions": decisions})
    return made


def frames_of(made):
    """Return (snapshot, delta or None) of every board, numbered, as they arrive from JSON."""
    before, frames = None, []
    for seq, board in enumerate(made, start=1):
        changes = None if before is None else diff_boards(before=before, after=board)
        head = {"seq": seq, "at": f"{seq}"}
        pair = (
            {"type": "snapshot", **head, **board},
            None if changes is None else {"type": "delta", **head, **changes},
        )
        frames.append(json.loads(encode({"pair": pair}))["pair"])
        before = board
    return frames


@given(
    parts=st.lists(PARTS, min_size=1, max_size=12),
    counts=st.lists(st.integers(0, DECISIONS_KEPT), min_size=12, max_size=12),
    choices=st.lists(st.booleans(), min_size=12, max_size=12),
)
def test_any_mix_of_snapshots_and_deltas_gives_the_board_that_was_published(parts, counts, choices):
    made = boards(parts, counts)
    board = None
    for (snapshot, delta), truth, wants_snapshot in zip(frames_of(made), made, choices, strict=False):
        frame = snapshot if board is None or delta is None or wants_snapshot else delta
        board = merge_frame(board=board, frame=frame)
        assert {key: board[key] for key in truth} == json.loads(encode(truth))


def test_a_delta_holds_only_what_changed():
    before = board_of(ada={"rank": 1, "equity": "10.1", "sharpe": None}, bob={"rank": 2, "equity": "9.9"})
    after = board_of(ada={"rank": 1, "equity": "10.2", "sharpe": None}, bob={"rank": 2, "equity": "9.9"})

    assert diff_boards(before=before, after=after) == {"rows": {"ada": {"equity": "10.2"}}}
    assert diff_boards(before=after, after=after) == {}


def test_a_field_that_becomes_unknown_is_a_change():
    changes = diff_boards(before=board_of(ada={"sharpe": 1.5}), after=board_of(ada={"sharpe": None}))

    assert changes == {"rows": {"ada": {"sharpe": None}}}


@pytest.mark.parametrize(
    "after",
    [
        {"rows": {"bob": {"rank": 1}}},
        {"rows": {"ada": {}, "bob": {"rank": 1}}},
        {"prices": {}},
    ],
    ids=["a row", "a field", "a price"],
)
def test_what_is_gone_only_a_snapshot_can_tell(after):
    before = board_of(ada={"rank": 2}, bob={"rank": 1}) | {"prices": {"BTCUSDT": "1"}}

    assert diff_boards(before=before, after=before | after) is None


def test_exact_values_become_text_and_what_is_no_number_becomes_null():
    values = {
        "equity": Decimal("1E+4"),
        "tiny": Decimal("0.00000001"),
        "sharpe": float("nan"),
        "profit_factor": float("inf"),
        "at": datetime(2026, 1, 2, 3, 4, 5, 678900, tzinfo=UTC),
        "trades": 3,
    }

    assert plain(values) == {
        "equity": "10000",
        "tiny": "0.00000001",
        "sharpe": None,
        "profit_factor": None,
        "at": "2026-01-02T03:04:05.678Z",
        "trades": 3,
    }


def test_a_broadcast_survives_the_bus():
    broadcast = Broadcast(
        number=7, sent_at_ms=12, state="LIVE", is_moving=True, snapshot='{"a":"\nΩ"}'.encode(), delta=b"{}\n"
    )

    assert Broadcast.unpack(broadcast.pack()) == broadcast


@pytest.mark.parametrize("message", [b"", b"no frame", b"[]\n{}", b'{"number":1}\n{}', b'{"delta_bytes":1}\n{}'])
def test_what_is_no_broadcast_is_refused(message):
    with pytest.raises(ValueError, match=r"Expecting|not a frame"):
        Broadcast.unpack(message)


def board_of(**rows):
    return {"rows": rows, "prices": {}, "decisions": [], "points": {}, "speed": 1.0, "season_state": "LIVE"}
