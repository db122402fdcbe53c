"""Does `make` start the house anywhere, and say plainly why where it cannot?"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.checkout import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
TARGETS = set(re.findall(r"^([a-z]+):", MAKEFILE, re.MULTILINE))


def make(*words: str) -> subprocess.CompletedProcess[str]:
    # A make inside a make would inherit the outer one's variables.
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *words], cwd=ROOT, env=env, capture_output=True, text=True, check=False)


def write_python(path: Path, preamble: str) -> Path:
    """Write a program that is this Python, except for what the preamble pretends."""
    run = "sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')"
    program = f"import sys, runpy; {preamble}; {run}"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{program}" "$@"\n', encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("version", [(2, 7, 18), (3, 10, 13), (3, 15, 0)])
def test_a_python_that_is_not_served_is_refused_in_one_line(version: tuple[int, int, int], tmp_path: Path):
    python = write_python(tmp_path / "python", f"sys.version_info = {(*version, 'final', 0)!r}")
    venv = tmp_path / "venv"

    outcome = make("demo", f"PYTHON={python}", f"VENV={venv}")

    assert outcome.returncode != 0
    first, *rest = outcome.stderr.splitlines()
    assert first.startswith(f"BitNerve needs Python 3.11 to 3.14, this is {'.'.join(map(str, version))}.")
    assert [line for line in rest if not line.startswith("make: ***")] == []
    assert "Error 1" in rest[-1]
    assert not venv.exists()


def test_a_python_without_venv_is_refused_in_one_line(tmp_path: Path):
    python = write_python(tmp_path / "python", "sys.modules['ensurepip'] = None")
    venv = tmp_path / "venv"

    outcome = make("test", f"PYTHON={python}", f"VENV={venv}")

    assert outcome.returncode != 0
    assert outcome.stderr.startswith("This Python cannot make a virtual environment.")
    assert not venv.exists()


def test_a_missing_python_is_refused_in_one_line(tmp_path: Path):
    outcome = make("tick", "PYTHON=python-of-nobody", f"VENV={tmp_path / 'venv'}")

    assert outcome.returncode != 0
    assert "python-of-nobody is not here" in outcome.stderr.splitlines()[0]


def test_the_front_door_refuses_an_old_python_before_it_needs_django(tmp_path: Path):
    python = write_python(tmp_path / "python", "sys.version_info = (3, 9, 2, 'final', 0); sys.path[0] = '.'")

    outcome = subprocess.run([python, "manage.py", "tick"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert outcome.returncode == 1
    assert outcome.stderr.startswith("BitNerve needs Python 3.11 to 3.14, this is 3.9.2.")
    assert "Traceback" not in outcome.stderr


def test_a_plain_make_lists_every_door():
    outcome = make()

    assert outcome.returncode == 0
    listed = set(re.findall(r"^  make (\w+)", outcome.stdout, re.MULTILINE))
    assert {"demo", "test", "tick", "lint", "bench", "check", "clean", "lock"} <= listed
    assert listed == TARGETS - {"venv"}


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md"])
def test_every_command_that_a_page_promises_exists(page: str):
    promised = set(re.findall(r"\bmake ([a-z]+)\b(?=`|\s|$)", (ROOT / page).read_text(encoding="utf-8")))
    assert promised
    assert promised - TARGETS == set()


def test_the_demo_needs_no_tool_of_the_developers():
    planned = make("--dry-run", "--always-make", "demo", "VENV=/nowhere").stdout
    assert "requirements/web.txt" in planned
    assert "requirements/dev.txt" not in planned
    assert planned.index("compile_kernels") < planned.index("manage.py demo")
