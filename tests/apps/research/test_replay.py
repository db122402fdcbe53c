"""The command as people run it: what it answers, what it refuses, and what it leaves behind when it does not finish."""

import contextlib
import json
import os
import re
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import execute_from_command_line

from bitnerve.adapters.recordings import write_recording
from bitnerve.adapters.simulated import simulate
from bitnerve.domain.timeframe import DAY_MS, parse_instant
from tests.house.checkout import ROOT

START = parse_instant("2025-06-01", field="start")


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """15 days behind the first tick and 2 days of ticks of 6 symbols, in files, as arguments."""
    market = simulate(seed=11, start_at=START - 15 * DAY_MS, bar_count=17 * 288, symbol_count=6)
    written = write_recording(recording=market, folder=tmp_path_factory.mktemp("market"), exchange="simulated")
    return [
        *("--candles", *map(str, written.candles)),
        *("--funding", *map(str, written.funding)),
        *("--filters", str(written.filters)),
        *("--tiers", str(written.tiers)),
    ]


def manage(*arguments, **options):
    """Run manage.py in a process of its own."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False, **options)


def begin(*arguments):
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def ask(capsys, *arguments):
    """Run the command here, from the command line to the exit code; return (code, stderr)."""
    code = 0
    try:
        execute_from_command_line(["manage.py", "replay", *arguments])
    except SystemExit as ended:
        code = ended.code
    return code, re.sub(r"\s+", " ", capsys.readouterr().err)


def test_two_runs_leave_the_same_bytes_and_ledger_check_agrees(files, tmp_path):
    """The first as JSON with a plot, the second as text: books and leaderboard are the same."""
    one, two, plot = tmp_path / "one", tmp_path / "deep" / "two", tmp_path / "race.svg"
    window = ("--from", "2025-06-01", "--to", "2025-06-03", "--seed", "3")
    first = manage("replay", *files, *window, "--export", str(one), "--plot", str(plot), "--json")
    assert first.returncode == 0, first.stderr
    assert first.stderr == ""
    answer = json.loads(first.stdout)
    assert (answer["from"], answer["to"]) == ("2025-06-01T00:00:00Z", "2025-06-03T00:00:00Z")
    assert (answer["ticks"], answer["gaps"], len(answer["symbols"])) == (576, 0, 6)
    assert [row["rank"] for row in answer["standings"]] == list(range(1, 9))
    assert plot.read_text(encoding="utf-8").startswith("<svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one", "race.svg"]

    second = manage("replay", *files, *window, "--export", str(two))
    assert second.returncode == 0, second.stderr
    assert f"books_sha256 {answer['books_sha256']}" in second.stdout
    assert all(row["agent"] in second.stdout for row in answer["standings"])
    assert "100%" in second.stderr, "progress goes to the error stream"
    assert str(two) in second.stdout.replace("\n", "")
    contents = [{path.name: path.read_bytes() for path in folder.iterdir()} for folder in (one, two)]
    assert len(contents[0]) == 9
    assert contents[0] == contents[1]
    season = json.loads(contents[0]["season.json"])
    assert season["books_sha256"] == answer["books_sha256"]
    assert str(tmp_path).encode() not in b"".join(contents[0].values())

    checked = manage("ledger_check", str(one))
    assert (checked.returncode, checked.stdout.splitlines()[-1]) == (0, "clean")


WINDOW = ("--from", "2025-06-01", "--to", "2025-06-03")
OUTSIDE = "2025-05-17T00:00:00Z to 2025-06-03T00:00:00Z"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--agents", "rndom"), ("agents: 'rndom'", "did you mean random?")),
        (("--agents", ""), ("agents: ''",)),
        (("--symbols", "BTCUSDT,NOPE"), ("candles.parquet", "'NOPE'", "BTCUSDT")),
        (("--symbols", ","), ("symbols: name at least one",)),
        (("--from", "2025-06-03", "--to", "2025-06-01"), ("from: 2025-06-03T00:00:00Z", "before to: 2025-06-01")),
        (("--from", "2025-06-02", "--to", "2025-06-02"), ("from: 2025-06-02T00:00:00Z", "not before to")),
        (("--from", "2025-06-01T00:01Z"), ("from: 2025-06-01T00:01:00Z is not on the 5m tick grid",)),
        (("--to", "2025-06-02T00:30Z", "--tick", "1h"), ("to: 2025-06-02T00:30:00Z is not on the 1h tick grid",)),
        (("--from", "2024-01-01"), ("from: 2024-01-01T00:00:00Z lies outside the bars", OUTSIDE)),
        (("--to", "2026-01-01"), ("to: 2026-01-01T00:00:00Z lies outside the bars", OUTSIDE)),
        (("--from", "yesterday"), ("from: 'yesterday' is not a date",)),
        (("--from", "0001-01-01T00:00+14:00"), ("from: '0001-01-01T00:00+14:00' is not a date",)),
        (("--tick", "7m"), ("tick: 7m is not a multiple of the bars' 5m",)),
        (("--tick", "1m"), ("tick: 1m is not a multiple of the bars' 5m",)),
        (("--tick", "0m"), ("tick: '0m' is not an interval",)),
        (("--tick", "often"), ("tick: 'often' is not an interval",)),
        (("--tick", "30d"), ("from: 2025-06-01T00:00:00Z is not on the 30d tick grid",)),
        (("--capital", "0"), ("capital: 0 must be above 0 and at most 1000000000",)),
        (("--capital", "1000000000.00000001"), ("capital: 1000000000.00000001 must be above 0 and at most",)),
        (("--capital", "0.000000001"), ("capital: 1E-9 has more than 8 decimals",)),
        (("--capital=-5",), ("capital: '-5' is not plain decimal text",)),
        (("--capital", "-5"), ("capital: '-5' is not plain decimal text",)),
        (("--capital", "much"), ("capital: 'much' is not plain decimal text",)),
        (("--capital", "1e4"), ("capital: '1e4' is not plain decimal text",)),
        (("--capital", "1_000"), ("capital: '1_000' is not plain decimal text",)),
        (("--capital", "999999999999999999"), ("capital: 999999999999999999 is outside ±90000000000",)),
        (("--capital", ""), ("capital: '' is not plain decimal text",)),
        (("--seed", "x"), ("argument --seed: 'x' is not a whole number from 0 to 9223372036854775807",)),
        (("--seed", "-1"), ("argument --seed: '-1' is not",)),
        (("--seed", str(2**63)), ("argument --seed: '9223372036854775808' is not",)),
    ],
)
def test_what_is_refused_names_field_rule_and_numbers(files, tmp_path, capsys, arguments, words):
    target = tmp_path / "books"
    code, told = ask(capsys, *files, *WINDOW, "--export", str(target), *arguments)
    assert code == 2, told
    assert "Traceback" not in told
    for word in words:
        assert word in told
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_named(tmp_path, capsys):
    code, told = ask(capsys, "--candles", str(tmp_path / "nowhere.parquet"))
    assert code == 2
    assert "nowhere.parquet" in told
    code, told = ask(capsys)
    assert code == 2
    assert "--candles" in told


def test_a_target_that_cannot_be_written_is_refused_before_the_run(files, tmp_path, capsys):
    full, blocked = tmp_path / "full", tmp_path / "file"
    full.mkdir()
    (full / "mine.txt").write_text("keep")
    blocked.write_text("keep")
    for arguments, word in (
        (("--export", str(full)), f"{full}: is not empty"),
        (("--export", str(blocked)), f"{blocked}: is a file, not a folder"),
        (("--export", str(blocked / "books")), f"{blocked / 'books'}: cannot be written"),
        (("--plot", str(full)), f"{full}: is a folder; name a file"),
        (("--plot", str(tmp_path / "nowhere" / "race.svg")), "nowhere/race.svg: cannot be written: No such file"),
    ):
        code, told = ask(capsys, *files, *arguments)
        assert code == 2
        assert word in told
        assert "%" not in told, "no tick was run"
    assert (full / "mine.txt").read_text() == blocked.read_text() == "keep"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "full"]


def test_a_folder_without_permission_is_refused(files, tmp_path, capsys):
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(0o500)
    if os.access(locked, os.W_OK):
        pytest.skip("this user may write everywhere")
    code, told = ask(capsys, *files, "--export", str(locked / "books"))
    assert code == 2
    assert "cannot be written: Permission denied" in told


def test_a_file_that_cannot_grow_leaves_nothing_behind(files, tmp_path):
    """As on a full disk: the write fails in the middle of the export."""

    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (8192, 8192))

    target = tmp_path / "books"
    # Or the first file that cannot grow would be a compiled kernel.
    assert manage("compile_kernels").returncode == 0
    ended = manage("replay", *files, *WINDOW, "--agents", "all", "--export", str(target), preexec_fn=limit)
    assert ended.returncode == 2, ended.stderr
    assert "books: cannot be written" in ended.stderr.replace("\n", "")
    assert "Traceback" not in ended.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own that holds some of the books' files and not all of them."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(disk)], capture_output=True, text=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip(f"no disk may be mounted here: {mounted.stderr.strip()}")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def test_a_disk_that_runs_full_during_the_export_is_named_and_left_empty(files, small_disk):
    target = small_disk / "deep" / "books"
    ended = manage("replay", *files, *WINDOW, "--agents", "all", "--export", str(target))
    assert ended.returncode == 2, ended.stderr
    assert "books: the disk is full" in ended.stderr.replace("\n", "")
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""
    assert list(small_disk.iterdir()) == []
    # The room is there again: a smaller export fits.
    ended = manage("replay", *files, *WINDOW, "--agents", "cash", "--export", str(target))
    assert ended.returncode == 0, ended.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_an_answer_that_cannot_be_written_is_no_success(files):
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "manage.py", "replay", *files, *WINDOW, "--agents", "cash", "--json"]
        ended = subprocess.run(command, cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode != 0


def test_an_interrupt_in_the_middle_leaves_nothing_behind(files, tmp_path):
    running = begin("replay", *files, "--export", str(tmp_path / "books"), "--plot", str(tmp_path / "race.svg"))
    told = ""
    while "%" not in told:
        line = running.stderr.readline()
        assert line, told
        told += line
    running.send_signal(signal.SIGINT)
    out, rest = running.communicate(timeout=120)
    assert running.returncode == 130, rest
    assert "interrupted" in rest
    assert "Traceback" not in rest
    assert out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="a pipe cannot be filled from outside here")
def test_an_interrupt_during_the_export_leaves_nothing_behind(files, tmp_path):
    """The command is held up where it tells of the first file that it has written: nobody reads what it says."""
    listening, speaking = os.pipe()
    target = tmp_path / "deep" / "books"
    command = [sys.executable, "manage.py", "replay", *files, *WINDOW, "--export", str(target)]
    running = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=speaking)
    told = b""
    while b"making the books" not in told:
        told += os.read(listening, 4096)
        assert running.poll() is None, told
    fill(speaking)
    while not list(tmp_path.glob("deep/.books-*/*.parquet")):
        assert running.poll() is None
    running.send_signal(signal.SIGINT)
    os.close(speaking)
    while piece := os.read(listening, 1 << 20):
        told += piece
    os.close(listening)
    out, _ = running.communicate(timeout=120)
    assert running.returncode == 130, told
    assert b"interrupted; nothing was left half-written" in told
    assert b"Traceback" not in told
    assert out == b""
    assert list(tmp_path.iterdir()) == []


def fill(pipe):
    """Write into a pipe until there is no room for another byte, through a door of its own that does not wait."""
    door = os.open(f"/proc/self/fd/{pipe}", os.O_WRONLY | os.O_NONBLOCK)
    for size in (4096, 1):
        with contextlib.suppress(BlockingIOError):
            while True:
                os.write(door, b"." * size)
    os.close(door)
