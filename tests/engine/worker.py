"""Plays scenarios in a process whose kernels run uncompiled, on integers without bounds.

One process serves a whole test run: JSON lines in, JSON lines out. A numpy RuntimeWarning is an error there, as in
the tests themselves.
"""

import atexit
import json
import os
import subprocess
import sys
import warnings
from pathlib import Path


class Worker:
    _shared = None

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tests.engine.worker"],
            cwd=Path(__file__).parents[2],
            env=os.environ | {"BITNERVE_KERNEL": "python"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        atexit.register(self.close)

    @classmethod
    def shared(cls):
        if cls._shared is None:
            cls._shared = cls()
        return cls._shared

    def ask(self, request):
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "failed" not in answer, answer["failed"]
        return answer["answer"]

    def play(self, scenario):
        return self.ask({"scenario": scenario})

    def call(self, module, function, arguments):
        """Call a function with many lists of arguments; an OverflowError is None."""
        return self.ask({"module": module, "function": function, "arguments": arguments})

    def close(self):
        self.process.stdin.close()
        self.process.wait(timeout=10)


def main():
    import importlib
    import traceback

    warnings.simplefilter("error", RuntimeWarning)
    from bitnerve.domain.kernel import COMPILED
    from tests.engine.driver import play

    assert not COMPILED
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "scenario" in request:
                answer = play(request["scenario"])
            else:
                function = getattr(importlib.import_module(request["module"]), request["function"])
                answer = [called(function, arguments) for arguments in request["arguments"]]
            reply = {"answer": answer}
        except Exception:
            reply = {"failed": traceback.format_exc()}
        sys.stdout.write(json.dumps(reply) + "\n")
        sys.stdout.flush()


def called(function, arguments):
    try:
        return function(*arguments)
    except OverflowError:
        return None


if __name__ == "__main__":
    main()
