"""Is every kernel compiled once, however many ask for it, and is it told plainly what does not go well?"""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.checkout import ROOT

HANGS_SECONDS = 240
READY = re.compile(r"^kernels ready: (\d+) compiled$", re.MULTILINE)


def start(home: Path, *parts: str) -> "subprocess.Popen[str]":
    """Start compiling small kernels in a folder of the test's own; Ctrl-C would reach its whole process group."""
    program = f"from tests.apps.arenas import small_kernels; small_kernels.run(*{parts!r})"
    return subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=os.environ | {"BITNERVE_VAR": str(home), "BITNERVE_KERNEL": "numba"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(process: "subprocess.Popen[str]") -> str:
    """Wait until the process and all that it has started are gone, and return what they said."""
    return process.communicate(timeout=HANGS_SECONDS)[1]


def compiled(said: str) -> int:
    found = READY.search(said)
    return int(found[1]) if found else 0


def test_parts_share_what_they_have_in_common(tmp_path: Path):
    first = start(tmp_path, "use_fourfold", "use_sixfold")
    said = finish(first)
    assert first.returncode == 0, said
    assert compiled(said) == 3
    assert re.search(r"^compiling the kernels, once: 1 of \d+$", said, re.MULTILINE)

    second = start(tmp_path, "use_fourfold", "use_sixfold")
    assert re.search(r"^kernels ready$", finish(second), re.MULTILINE)
    assert second.returncode == 0


def test_two_that_compile_at_once_do_not_do_the_same_work(tmp_path: Path):
    both = [start(tmp_path, "use_both"), start(tmp_path, "use_both")]
    said = [finish(one) for one in both]
    assert [one.returncode for one in both] == [0, 0], said
    assert sum(map(compiled, said)) == 3


def test_a_kernel_that_does_not_compile_is_named(tmp_path: Path):
    process = start(tmp_path, "hang", "use_spoilt")
    said = finish(process)
    assert process.returncode == 1
    assert "the kernel spoilt does not compile" in said
    assert "of_no_integer" in said
    assert "kernels ready" not in said


def test_a_process_that_dies_is_missed(tmp_path: Path):
    process = start(tmp_path, "hang", "die")
    said = finish(process)
    assert process.returncode == 1
    assert "a process that compiled kernels has died (-9)" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("everybody", [True, False])
def test_an_interrupt_ends_all_and_keeps_what_is_compiled(everybody: bool, tmp_path: Path):
    process = start(tmp_path, "hang", "hang")
    assert process.stderr is not None
    early = process.stderr.readline()
    # From a terminal it reaches every process, from a supervisor only the one that it knows.
    (os.killpg if everybody else os.kill)(process.pid, signal.SIGINT)
    said = early + finish(process)
    assert process.returncode == 130, said
    assert "interrupted; nothing was left half-written" in said
    assert "Traceback" not in said

    again = start(tmp_path, "use_both")
    assert compiled(finish(again)) <= 3
    assert again.returncode == 0
