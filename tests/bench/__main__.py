"""How fast are the kernels next to their peers? `python -m tests.bench [names]` measures and prints one table.

The exit code is 0 whether or not an aim is met: a figure is reported as it is. It is 1 when a benchmark failed.
"""

from __future__ import annotations

import importlib
import os
import platform
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from bitnerve.domain.kernel import MODE


def main(names: list[str]) -> int:
    """Run the named benchmarks, or all, and print what they measured."""
    # A pipe has no width of its own; the table is made to be read in one piece there too.
    console = Console(width=None if sys.stdout.isatty() else 160)
    known = sorted(path.stem.removeprefix("bench_") for path in Path(__file__).parent.glob("bench_*.py"))
    unknown = [name for name in names if name not in known]
    if unknown:
        console.print(f"no benchmark named {', '.join(unknown)}; there are {', '.join(known)}")
        return 1
    chosen = names or known
    rows: list[dict[str, Any]] = []
    failed = []
    start = time.perf_counter()
    for number, name in enumerate(chosen, start=1):
        console.print(f"[{number}/{len(chosen)}] {name} ...", markup=False)
        began = time.perf_counter()
        try:
            rows += importlib.import_module(f"tests.bench.bench_{name}").run()
        except Exception:
            failed.append(name)
            console.print(traceback.format_exc(), markup=False)
        console.print(f"      {time.perf_counter() - began:.0f} s")
    console.print(_table(rows))
    aims = [row["met"] for row in rows if row["met"] is not None]
    console.print(
        f"{sum(aims)} of {len(aims)} aims met, in {time.perf_counter() - start:.0f} s on {os.cpu_count()} cores "
        f"({platform.machine()}, Python {platform.python_version()}, kernels: {MODE}); "
        f"{os.getloadavg()[0]:.1f} processes were running in the last minute: above 2, others slowed this down"
    )
    if failed:
        console.print(f"failed: {', '.join(failed)}")
    return 1 if failed else 0


def _table(rows: list[dict[str, Any]]) -> Table:
    table = Table("work", title="Benchmarks: wall time, best of several runs")
    table.add_column("measured", justify="right")
    for name in ("aim", "met", "peer, in the same run"):
        table.add_column(name)
    words = {True: "yes", False: "NO", None: "-"}
    for row in rows:
        value = "-" if row["value"] is None else _short(row["value"])
        table.add_row(row["work"], f"{value} {row['unit']}".strip(), row["aim"], words[row["met"]], row["peer"])
    return table


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
