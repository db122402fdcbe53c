"""Ask one after the other, and be answered by all: who fails, hangs or leaves is answered for by a HOLD."""

from __future__ import annotations

import contextlib
import ctypes
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any

from apps.trades.services.checking import clean_text
from bitnerve.domain.decisions.decision import Decision, hold

Ask = Callable[[], Any]


class _GivenUp(BaseException):
    """Raised inside a thread that nobody waits for any more."""


class Asker:
    """Asks whoever is due, each under a key, and remembers who has not come back.

    Somebody who hangs is not asked again while the thread of the last time lives: a thread a tick would bring the
    whole process to its knees.
    """

    def __init__(self, whom: str) -> None:
        """`whom` is who is asked, in the words of a reason."""
        self._whom = whom
        self._stuck: dict[Hashable, threading.Thread] = {}

    def ask_all(self, asks: Mapping[Any, Ask], *, seconds_each: float, seconds: float) -> dict[Any, Any]:
        """Return what each answers, or a HOLD that says why there is no answer."""
        until = time.monotonic() + seconds
        answers: dict[Any, Any] = {key: self._still_stuck() for key in asks if self._is_stuck(key)}
        keys = [key for key in asks if key not in answers]
        while keys and time.monotonic() < until:
            turn = _Turn(self._whom, [asks[key] for key in keys])
            stuck = turn.wait(seconds_each, until)
            answers |= dict(zip(keys, turn.answers, strict=False))
            if stuck is None:
                break
            self._stuck[keys[stuck]] = turn.thread
            answers[keys[stuck]] = hold(f"{self._whom} took longer than {min(seconds_each, seconds):g} s")
            keys = keys[stuck + 1 :]
        late = hold(f"no time was left to ask {self._whom}")
        return {key: answers.get(key, late) for key in asks}

    def _is_stuck(self, key: Hashable) -> bool:
        thread = self._stuck.get(key)
        if thread is not None and not thread.is_alive():
            self._stuck.pop(key, None)
            thread = None
        return thread is not None

    def _still_stuck(self) -> Decision:
        return hold(f"{self._whom} has not come back from an earlier tick")


class _Turn:
    """A thread that asks one after the other, and a watch over how long each takes."""

    def __init__(self, whom: str, asks: Sequence[Ask]) -> None:
        self._whom, self._asks = whom, asks
        self.answers: list[Any] = []
        """As far as they have come, without gaps."""
        self._given_up = False
        self._since = time.monotonic()
        self._lock = threading.Lock()
        self._done = threading.Event()
        self.thread = threading.Thread(target=self._run, name="strategies", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        from django.db import connection

        with contextlib.suppress(_GivenUp):
            for ask in self._asks:
                answer = self._answer(ask)
                with self._lock:
                    if self._given_up:
                        break
                    self.answers.append(answer)
                    self._since = time.monotonic()
            connection.close()
            self._done.set()

    def _answer(self, ask: Ask) -> Any:
        try:
            return ask()
        except _GivenUp:
            raise
        except BaseException as error:
            # Whatever it is, sys.exit() included, it is the failure of one and must stay with that one.
            return hold(clean_text(f"{self._whom} failed: {_spell(error)}"))

    def wait(self, seconds_each: float, until: float) -> int | None:
        """Return None when all have answered, or the number of the one that takes too long, and give the thread up."""
        while True:
            limit = min(self._since + seconds_each, until)
            if self._done.wait(max(0.0, limit - time.monotonic()) + 0.001):
                return None
            with self._lock:
                if len(self.answers) < len(self._asks) and time.monotonic() >= min(self._since + seconds_each, until):
                    self._given_up = True
                    break
        # Ends a loop of Python; one that waits inside the system ends when it comes back.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.thread.ident or 0), ctypes.py_object(_GivenUp))
        return len(self.answers)


def _spell(error: BaseException) -> str:
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return type(error).__name__
