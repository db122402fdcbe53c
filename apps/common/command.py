"""How does a command of the house speak, and how does it end when it is refused or interrupted?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from bitnerve.domain.errors import Refusal

REFUSED = 2
INTERRUPTED = 130
WIDE = 112
"""Columns that the widest table needs; what a console without a terminal takes itself to have."""


def open_console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """Return a console that knows its width; where there is no terminal, a wide one."""
    console = Console(stderr=stderr, quiet=quiet, highlight=False)
    if not console.is_terminal:
        console.width = WIDE
    return console


class HouseCommand(BaseCommand):
    """A command that answers a refusal with its text and exit code 2, and Ctrl-C with 130; never with a traceback."""

    requires_system_checks: list[str] = []  # noqa: RUF012 - Django declares it on instances too

    def execute(self, *args: Any, **options: Any) -> str | None:
        """Run the command."""
        try:
            return super().execute(*args, **options)
        except Refusal as refusal:
            raise CommandError(str(refusal), returncode=REFUSED) from None
        except KeyboardInterrupt:
            raise CommandError("interrupted; nothing was left half-written", returncode=INTERRUPTED) from None
