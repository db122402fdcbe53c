"""Compile the kernels once, where it can be seen, so that nothing later has to wait for it."""

from typing import Any

from django.core.management.base import CommandError

from apps.arenas.services import compiling
from apps.common.command import HouseCommand, open_console

LINES_EVERY = 20
"""Kernels between two lines where there is no terminal to count in."""


class Command(HouseCommand):
    help = "Compile the trading kernels into var/kernels; does nothing when they are there."

    def handle(self, *args: Any, **options: Any) -> None:
        """Compile, and count the kernels meanwhile."""
        console = open_console(stderr=True)
        with console.status("looking for compiled kernels") as status:

            def report(name: str, number: int, most: int) -> None:
                said = f"compiling the kernels, once: {number} of {most}"
                status.update(f"{said} ({name})")
                if not console.is_terminal and number % LINES_EVERY == 1:
                    console.print(said)

            try:
                compiled = compiling.compile_kernels(report)
            except compiling.KernelFailed as failure:
                raise CommandError(str(failure), returncode=1) from None
        console.print(f"kernels ready: {compiled} compiled" if compiled else "kernels ready")
