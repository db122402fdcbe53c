"""Which instants are bar and tick boundaries? Asks no clock; all instants are integer milliseconds, UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from bitnerve.domain.errors import Refusal

SECOND_MS = 1_000
MINUTE_MS = 60_000
HOUR_MS = 3_600_000
DAY_MS = 86_400_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_INTERVAL = re.compile(r"\A([1-9][0-9]{0,3})(s|m|h|d)\Z", re.ASCII)
_UNIT_MS = {"s": SECOND_MS, "m": MINUTE_MS, "h": HOUR_MS, "d": DAY_MS}


class BadInstant(Refusal):
    """A date, a time or an interval that cannot be taken as it is written."""

    code = "BAD_INSTANT"


def parse_interval(text: str, *, field: str) -> int:
    """Return the milliseconds of an interval such as `30s`, `5m`, `1h` or `1d`."""
    match = _INTERVAL.match(text)
    if not match:
        raise BadInstant(f"{field}: {text!r} is not an interval such as 30s, 5m, 1h or 1d", field=field, value=text)
    return int(match[1]) * _UNIT_MS[match[2]]


def interval_text(interval_ms: int) -> str:
    """Return an interval in its largest whole unit, as `parse_interval` reads it."""
    unit = next(u for u in "dhms" if interval_ms % _UNIT_MS[u] == 0)
    return f"{interval_ms // _UNIT_MS[unit]}{unit}"


def parse_instant(text: str, *, field: str) -> int:
    """Return a date (`2025-02-15`) or a UTC time (`2025-02-15T08:00Z`) in milliseconds."""
    try:
        instant = datetime.fromisoformat(text)
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise BadInstant(
            f"{field}: {text!r} is not a date (2025-02-15) or a UTC time (2025-02-15T08:00Z)",
            field=field,
            value=text,
        ) from None
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def instant_text(at_ms: int) -> str:
    """Return `YYYY-MM-DDTHH:MM:SSZ`, the form of every exported instant."""
    return (_EPOCH + timedelta(milliseconds=at_ms)).strftime("%Y-%m-%dT%H:%M:%SZ")


def floor_to(at_ms: int, interval_ms: int) -> int:
    """Return the last boundary at or before an instant."""
    return at_ms // interval_ms * interval_ms


def ceil_to(at_ms: int, interval_ms: int) -> int:
    """Return the first boundary at or after an instant."""
    return -(-at_ms // interval_ms) * interval_ms
