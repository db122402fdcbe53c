"""What has changed on the board since the frame before, and what does it show after a frame?

A board is everything a spectator sees of a season at one instant, as a mapping of JSON's own values: `season_state`,
`tick`, `speed`, `rows` by entry, `prices` by symbol, the newest `points` and the newest `decisions`. A frame is what
travels: a snapshot carries the whole board, a delta only what is new since the frame before.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

DECISIONS_KEPT = 20
"""The newest decisions that a snapshot repeats, so that whoever missed a delta misses none of them."""

_WHOLE = ("season_state", "tick", "speed", "points")
"""Parts of a board that a delta repeats whole when they changed."""

_PLAIN = (str, int, bool, type(None))

Board = dict[str, Any]


def plain(value: Any) -> Any:
    """Return a value as JSON can hold it exactly: decimals and instants as text, what is no number as null."""
    # Most values are these, and a season of a thousand has many of them every second.
    if type(value) in _PLAIN:
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return f"{value:f}"
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def diff_boards(*, before: Board, after: Board) -> Board | None:
    """Return the parts of `after` that `before` does not have; None where only a snapshot can tell the change.

    That is when a row, a field or a price is gone: a delta can add and replace, not take away.
    """
    changes: Board = {key: after[key] for key in _WHOLE if key in after and after[key] != before.get(key)}
    if not before["prices"].keys() <= after["prices"].keys() or not before["rows"].keys() <= after["rows"].keys():
        return None
    rows = {}
    for entry, row in after["rows"].items():
        known = before["rows"].get(entry, {})
        if not known.keys() <= row.keys():
            return None
        changed = {field: value for field, value in row.items() if field not in known or known[field] != value}
        if changed or entry not in before["rows"]:
            rows[entry] = changed
    prices = {key: price for key, price in after["prices"].items() if before["prices"].get(key) != price}
    seen = {decision["id"] for decision in before["decisions"]}
    decisions = [decision for decision in after["decisions"] if decision["id"] not in seen]
    parts = {"rows": rows, "prices": prices, "decisions": decisions}
    return changes | {key: part for key, part in parts.items() if part}


def merge_frame(*, board: Board | None, frame: Mapping[str, Any]) -> Board:
    """Return the board after a frame. `static/js/live.js` does the same in the browser, and is tested against this."""
    if board is None or frame["type"] == "snapshot":
        return {key: value for key, value in frame.items() if key != "type"}
    merged = board | {key: value for key, value in frame.items() if key != "type"}
    rows = frame.get("rows", {})
    merged["rows"] = board["rows"] | {entry: board["rows"].get(entry, {}) | row for entry, row in rows.items()}
    merged["prices"] = board["prices"] | frame.get("prices", {})
    merged["decisions"] = keep_newest(board["decisions"], frame.get("decisions", []))
    return merged


def keep_newest(kept: Sequence[Any], fresh: Sequence[Any]) -> list[Any]:
    """Return the newest decisions of both, each once, oldest first."""
    by_id = {decision["id"]: decision for decision in [*kept, *fresh]}
    return list(by_id.values())[-DECISIONS_KEPT:]


def encode(document: Mapping[str, Any]) -> bytes:
    """Return a document as compact JSON."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


@dataclass(frozen=True, slots=True)
class Broadcast:
    """One frame on its way to the hubs, in both forms: whoever has the frame before takes the delta."""

    number: int
    sent_at_ms: int
    """By the wall clock of whoever published it."""
    state: str
    """Of the season."""
    is_moving: bool
    """Whether the next frame follows within seconds, so that silence means a cut."""
    snapshot: bytes
    delta: bytes
    """Empty where only the snapshot will do."""

    def pack(self) -> bytes:
        """Return the frame as one message: a line of JSON, then the delta, then the snapshot."""
        head = {key: value for key, value in asdict(self).items() if key not in ("snapshot", "delta")}
        return b"%s\n%s%s" % (encode(head | {"delta_bytes": len(self.delta)}), self.delta, self.snapshot)

    @classmethod
    def unpack(cls, message: bytes) -> Broadcast:
        """Return the frame of a message. Raises `ValueError` for what is none."""
        line, _, body = message.partition(b"\n")
        head = json.loads(line)
        try:
            length = head.pop("delta_bytes")
            return cls(delta=body[:length], snapshot=body[length:], **head)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not a frame: {line[:80]!r}") from error
