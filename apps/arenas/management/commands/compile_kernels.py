"""Compile the kernels once, where it can be seen, so that nothing later has to wait for it."""

from typing import Any

from apps.arenas.services import racing as arenas
from apps.common.command import HouseCommand, open_console


class Command(HouseCommand):
    help = "Compile the trading kernels into var/kernels; does nothing when they are there."

    def handle(self, *args: Any, **options: Any) -> None:
        """Compile, naming each kernel while it is compiled."""
        console = open_console(stderr=True)
        with console.status("looking for compiled kernels") as status:

            def report(name: str, number: int) -> None:
                status.update(f"compiling kernel {number}: {name} (once; about a minute in all)")

            if not console.is_terminal:
                console.print("compiling the kernels, once ...")
            compiled = arenas.compile_kernels(report)
        console.print(f"kernels ready: {compiled} compiled" if compiled else "kernels ready")
