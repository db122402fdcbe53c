"""How long does a whole season take from the command line: every agent, nine months of bars, books written?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.measure import figure

ROOT = Path(__file__).parents[2]
CANDLES = "ohlcv/binance_perp_5m.parquet"
OTHERS = {
    "--funding": "funding/binance_funding_marketlab.parquet",
    "--mark": "ohlcv/binance_mark_1h.parquet",
    "--tiers": "instruments/binance_leverage_tiers.parquet",
    "--filters": "instruments/binance_usdm_filters.parquet",
}
AIM_SECONDS, AIM_GIB = 20.0, 1.5


def run() -> list[dict[str, Any]]:
    """Return wall time and peak memory of `replay --agents all --export`, or say that the recordings are absent."""
    recordings = Path(os.environ.get("BITNERVE_RECORDINGS", ROOT.parent / "shared" / "data"))
    work = "replay of --agents all over 9 months x 8 symbols, export included"
    if not (recordings / CANDLES).exists():
        peer = f"skipped: BITNERVE_RECORDINGS holds no {CANDLES}"
        return [figure(work=work, value=None, unit="", aim=f"<= {AIM_SECONDS:g} s", peer=peer)]
    words = [sys.executable, str(ROOT / "manage.py"), "replay", "--candles", str(recordings / CANDLES)]
    for option, name in OTHERS.items():
        words += [option, str(recordings / name)]
    # Compiling is once for each state of the source; what is measured is a replay with warm kernels.
    subprocess.run([sys.executable, str(ROOT / "manage.py"), "compile_kernels"], check=True, capture_output=True)
    seconds, busy, gibibytes, books = min(_replay(words) for _ in range(2))
    return [
        figure(
            work=work,
            value=seconds,
            unit="s",
            aim=f"<= {AIM_SECONDS:g} s",
            met=seconds <= AIM_SECONDS,
            peer=f"kernels compiled before; {busy:.1f} s of processor time; books {books[:16]}",
        ),
        figure(
            work="the same, peak memory",
            value=gibibytes,
            unit="GiB",
            aim=f"<= {AIM_GIB:g} GiB",
            met=gibibytes <= AIM_GIB,
        ),
    ]


def _replay(words: list[str]) -> tuple[float, float, float, str]:
    """Return (wall seconds, processor seconds, peak GiB, sha256 of the books) of one replay in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        answer, complaint = Path(folder) / "answer", Path(folder) / "complaint"
        words = [*words, "--agents", "all", "--json", "--export", str(Path(folder) / "books")]
        with answer.open("wb") as output, complaint.open("wb") as errors:
            start = time.perf_counter()
            process = subprocess.Popen(words, stdout=output, stderr=errors, cwd=ROOT)
            # Unlike getrusage() of all children, this is the memory of this one.
            _, status, usage = os.wait4(process.pid, 0)
            seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise RuntimeError(f"replay failed:\n{complaint.read_text()[-2000:]}")
        busy = usage.ru_utime + usage.ru_stime
        return seconds, busy, usage.ru_maxrss / 2**20, json.loads(answer.read_text()).get("books_sha256", "")
