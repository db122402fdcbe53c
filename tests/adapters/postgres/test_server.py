"""A private server that is left before it stands leaves no process behind, and the next start makes it good."""

import signal
from pathlib import Path

import psutil
import pytest

from bitnerve.adapters.postgres.server import PrivateServer
from bitnerve.settings.database import locate_private_server


@pytest.fixture
def server(tmp_path):
    place = locate_private_server(tmp_path, "postgres")
    made = PrivateServer(folder=place.folder, socket=place.socket, as_nobody=place.as_nobody)
    yield made
    made.stop()


def processes_of(server):
    found = []
    for process in psutil.process_iter():
        try:
            if any(str(server._folder) in word for word in process.cmdline()):
                found.append(process.cmdline())
        except psutil.Error:
            continue
    return found


def test_a_signal_as_the_process_starts_is_kept_until_it_is_known(server, monkeypatch):
    started = PrivateServer._run

    def run(self, arguments, programs, **options):
        process = started(self, arguments, programs, **options)
        if str(arguments[0]).endswith("/postgres"):
            signal.raise_signal(signal.SIGINT)
        return process

    with monkeypatch.context() as patch:
        patch.setattr(PrivateServer, "_run", run)
        with pytest.raises(KeyboardInterrupt):
            server.start()
    server.end_use()
    assert processes_of(server) == []


@pytest.mark.parametrize("step", ["initializing", "launching"])
def test_an_interrupted_start_leaves_no_process_behind(server, monkeypatch, step):
    def interrupt(*_):
        assert processes_of(server)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        if step == "initializing":
            import subprocess

            patch.setattr(subprocess.Popen, "communicate", interrupt)
        else:
            # Asked for the first time before there is a server, then while one comes up.
            answers = iter([lambda *_: False, interrupt])
            patch.setattr(server, "_answers", lambda *_: next(answers)())
        with pytest.raises(KeyboardInterrupt):
            server.start()
    server.release()
    assert processes_of(server) == []
    assert server.start()
    assert Path(server._socket / ".s.PGSQL.5432").exists()
