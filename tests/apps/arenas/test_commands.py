"""The commands that need no files: they end well, and print what they promise where there is no terminal."""

import re
import subprocess
import sys

import pytest

from bitnerve.domain.strategies.catalog import list_agents
from tests.house.checkout import ROOT


def manage(*arguments):
    """Run manage.py in a process of its own; its streams are pipes."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)


def test_race_shows_the_standings_and_the_hash():
    ended = manage("race", "--days", "1", "--symbols", "6")
    assert ended.returncode == 0, ended.stderr
    for agent in list_agents():
        assert agent.name in ended.stdout
    assert "1 days, 6 symbols, simulated market (seed 7)" in ended.stdout
    assert re.search(
        r"\d+ fills in 288 ticks; books balanced to the last unit, books_sha256 [0-9a-f]{16}", ended.stdout
    )
    assert "\x1b" not in ended.stdout + ended.stderr, "colors belong into terminals"
    shares = re.findall(r"^ *(\d+)%  \S+Z  \S+ leads with", ended.stderr, re.MULTILINE)
    assert len(shares) > 5
    assert shares[-1] == "100"


def test_tick_shows_what_every_agent_decided():
    ended = manage("tick", "--symbols", "6")
    assert ended.returncode == 0, ended.stderr
    assert re.match(r"tick \d+ at 2026-01-01T\d\d:\d\d:00Z, snapshot [0-9a-f]{16}", ended.stdout)
    rows = {line.split()[0] for line in ended.stdout.splitlines() if line.strip()}
    assert {agent.name for agent in list_agents()} <= rows
    assert "decides" in ended.stdout
    assert "verdict" in ended.stdout


def test_compile_kernels_says_that_they_are_ready():
    ended = manage("compile_kernels")
    assert ended.returncode == 0, ended.stderr
    assert re.search(r"^kernels ready(: \d+ compiled)?$", ended.stderr, re.MULTILINE)
    assert ended.stdout == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--symbols", "0"), "symbol_count: 0 is outside 1.."),
        (("--symbols", "-3"), "symbol_count: -3 is outside 1.."),
        (("--days", "0"), "from: 2026-01-01T00:00:00Z is not before to: 2026-01-01T00:00:00Z"),
        (("--days", "-20"), "bar_count: -1728 is below 1"),
        (("--seed", "-1"), "seed: -1 is outside 0..2^63 - 1"),
        (("--days", "many"), "argument --days: invalid int value: 'many'"),
    ],
)
def test_race_refuses_with_the_numbers(arguments, words, capsys):
    from django.core.management import execute_from_command_line

    with pytest.raises(SystemExit) as ended:
        execute_from_command_line(["manage.py", "race", *arguments])
    assert ended.value.code == 2
    assert words in capsys.readouterr().err.replace("\n", " ")
