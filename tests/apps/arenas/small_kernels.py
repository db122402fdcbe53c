"""Some small kernels, and the parts of an exercise that uses them: what a test can compile in a moment."""

import os
import signal
import threading
from typing import Any

from apps.arenas.services import exercise
from bitnerve.domain.kernel import inner, kernel


@inner
def doubled(number: int) -> int:
    return 2 * number


@kernel
def fourfold(number: int) -> int:
    return doubled(doubled(number))


@kernel
def sixfold(number: int) -> int:
    return 3 * doubled(number)


@inner
def spoilt(number: Any) -> int:
    return number.of_no_integer


@kernel
def spoilt_above(number: int) -> int:
    return spoilt(number)


def use_fourfold() -> None:
    assert fourfold(3) == 12


def use_sixfold() -> None:
    assert sixfold(3) == 18


def use_both() -> None:
    use_fourfold()
    use_sixfold()


def use_spoilt() -> None:
    spoilt_above(1)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def hang() -> None:
    use_fourfold()
    threading.Event().wait()


def run(*parts: str) -> None:
    """Run the command that compiles, as if the exercise consisted of these parts."""
    from django.core.management import execute_from_command_line

    exercise.PARTS = tuple(globals()[part] for part in parts)
    exercise.everything = use_both
    execute_from_command_line(["manage.py", "compile_kernels"])
