"""How does a command of the house end when it is refused or interrupted?"""

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bitnerve.domain.errors import Refusal

REFUSED = 2
INTERRUPTED = 130


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
            raise CommandError("interrupted; nothing was written", returncode=INTERRUPTED) from None
