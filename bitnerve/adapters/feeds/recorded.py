"""How does a recorded market pass by? Bar after bar; no quotes are invented between two bars."""

from __future__ import annotations

from bitnerve.domain.errors import Refusal
from bitnerve.domain.kernel import zeros
from bitnerve.domain.market.recording import Recording
from bitnerve.domain.trading import tape
from bitnerve.domain.trading.account import Integers


class MarkPathUnsupported(Refusal):
    """Mark bars of the candles' own interval, which a replay can play and an arena cannot store yet."""

    code = "MARK_PATH_UNSUPPORTED"


class RecordedFeed:
    """A recording, handed out as if it were happening."""

    with_quotes = False

    def __init__(self, recording: Recording) -> None:
        """Raises `MarkPathUnsupported` for a recording whose marks have a path of their own."""
        if recording.mark_path is not None:
            raise MarkPathUnsupported(
                "mark: bars as fine as the candles' cannot be used in an arena; give coarser ones or none"
            )
        self._recording = recording
        self.bar_count: int | None = recording.bar_count

    def recording(self, bars: int) -> Recording:
        """Return the whole recording."""
        return self._recording

    def tape(self, bar: int, every_ms: int) -> Integers:
        """Return no quotes."""
        return zeros(0, tape.COLUMNS)
