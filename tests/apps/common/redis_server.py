"""A Redis server of a test's own, which may be emptied, stopped and started again."""

import shutil
import signal
import socket
import subprocess
import tempfile
import time

import pytest
import redis


class RedisServer:
    """The server, on a port that stays the same."""

    def __init__(self):
        self.program = shutil.which("redis-server")
        if self.program is None:
            pytest.skip("redis-server is not installed")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.client = redis.Redis(port=self.port)
        self.folder = tempfile.TemporaryDirectory()
        self.start()

    def start(self):
        """Start it, empty."""
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", self.folder.name]
        self.process = subprocess.Popen([self.program, *words], stdout=subprocess.DEVNULL)
        for _ in range(500):
            try:
                self.client.ping()
                return
            except redis.ConnectionError:
                time.sleep(0.02)
        raise AssertionError("Redis does not start")

    def stop(self):
        """Kill it, as a machine that fails does."""
        self.process.kill()
        self.process.wait()

    def freeze(self, frozen):
        """Let it hang without a word, its lines open; or go on."""
        self.process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def close(self):
        """Stop it for good."""
        self.stop()
        self.client.close()
        self.folder.cleanup()
