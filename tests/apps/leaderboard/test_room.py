"""Whatever order frames, spectators and jams come in: does a delta only ever follow the frame that it was made from?"""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from apps.leaderboard import hub
from bitnerve.engine.frames import Broadcast

ACTIONS = st.lists(
    st.one_of(
        st.just(("take", 1, True, True)),
        st.tuples(st.just("take"), st.integers(-1, 2), st.booleans(), st.booleans()),
        st.tuples(st.just("enter")),
        st.tuples(st.just("leave"), st.integers(0, 5)),
        st.tuples(st.just("jam"), st.integers(0, 5)),
        st.tuples(st.just("free"), st.integers(0, 5)),
        st.tuples(st.just("sweep")),
        st.tuples(st.just("turn")),
    ),
    min_size=15,
    max_size=60,
)


class Line:
    """A wire that can be jammed, and remembers what went over it."""

    def __init__(self):
        self.is_jammed = False
        self.heard = []

    def write(self, text):
        if self.is_jammed:
            return False
        kind, number = text.payload.split()
        self.heard.append((kind, int(number)))
        return True

    def hang_up(self, code, reason):
        raise AssertionError("nobody is sent away here")


def frame(number, *, with_delta=True):
    delta = b"delta %d" % number if with_delta else b""
    return Broadcast(
        number=number, sent_at_ms=0, state="LIVE", is_moving=True, snapshot=b"snapshot %d" % number, delta=delta
    )


async def play(actions):
    """Return every wire that stayed to the end, all that ever were, and the newest number."""
    hub.PACE_SECONDS, pace = 0.0, hub.PACE_SECONDS
    try:
        room, lines, present = hub.Room(newest=frame(3), is_complete=True), [], []
        for name, *details in actions:
            if name == "take":
                step, with_delta, is_complete = details
                room.take(frame(room.newest.number + step, with_delta=with_delta), is_complete=is_complete)
            elif name == "enter":
                lines.append(Line())
                present.append(lines[-1])
                room.enter(lines[-1])
            elif name == "sweep":
                room.sweep()
            elif name == "turn":
                await asyncio.sleep(0.0001)
            elif details[0] < len(present):
                if name == "leave":
                    room.leave(present.pop(details[0]))
                else:
                    present[details[0]].is_jammed = name == "jam"
        for line in present:
            line.is_jammed = False
        await asyncio.sleep(0.0001)
        room.sweep()
        return present, lines, room.newest.number
    finally:
        hub.PACE_SECONDS = pace


@settings(max_examples=300, deadline=None)
@given(actions=ACTIONS)
def test_a_delta_follows_the_frame_it_was_made_from_and_everybody_ends_with_the_newest(actions):
    present, lines, newest = asyncio.run(play(actions))

    for line in lines:
        for before, (kind, number) in zip([None, *line.heard], line.heard, strict=False):
            if kind == b"delta":
                assert before is not None
                assert before[1] == number - 1
    assert [line.heard[-1][1] for line in present] == [newest] * len(present)
