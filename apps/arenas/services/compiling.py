"""Compile every kernel once, on all cores, so that nothing later has to wait for it."""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from apps.arenas.services import exercise
from bitnerve.adapters.simulated.compiled import FOLDER as SIMULATED
from bitnerve.domain.errors import BitNerveError
from bitnerve.domain.kernel import COMPILED, FOLDER, KERNELS
from bitnerve.domain.strategies.catalog import list_agents

Part = Callable[[], None]
Note = Callable[[str], None]
Report = Callable[[str, int, int], None]


class KernelFailed(BitNerveError):
    """A kernel that does not compile, or a process that ended while it compiled one."""


def compile_kernels(report: Report) -> int:
    """Compile what is not compiled yet, and return how many kernels that were.

    The way to need all kernels is to use them all. Unless that was done with just these sources, each part of the
    exercise is done in one of several processes; then, here, all of it, which compiles what the parts forgot. `report`
    is told the name of each kernel before it is compiled, its number, and how many there are at most.
    """
    if not COMPILED:
        return 0
    # Strategies are imported when they are listed, and bring their kernels along.
    list_agents()
    count = 0

    def note(name: str) -> None:
        nonlocal count
        count += 1
        report(name, count, len(KERNELS))

    stamp = _stamp()
    if stamp.is_file() and stamp.stat().st_mtime_ns > max(path.stat().st_mtime_ns for path in _sources()):
        return 0
    _use_at_once(exercise.PARTS, note)
    failed = _use(exercise.everything, note)
    if failed:
        raise KernelFailed(failed)
    stamp.touch()
    return count


def _stamp() -> Path:
    """Return the file that is newer than all sources of kernels once everything has been compiled."""
    import numba

    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return FOLDER / f"complete-{python}-{numba.__version__}-{Path(SIMULATED).name}"


def _sources() -> set[Path]:
    """Return the files whose times numba compares with those of what it has compiled."""
    return {Path(kernel.py_func.__code__.co_filename) for kernel in KERNELS}


def _use(part: Part, note: Note) -> str:
    """Run a part; return what went wrong: the kernel and the trace, or nothing."""
    from numba.core import event

    class Listener(event.Listener):
        failed: list[str] = []  # noqa: RUF012 - there is one listener

        def on_start(self, happening: event.Event) -> None:
            self.failed.clear()
            dispatcher = happening.data["dispatcher"]
            # numba compiles some functions of its own, for each process.
            if dispatcher in KERNELS:
                note(dispatcher.py_func.__name__)

        def on_end(self, happening: event.Event) -> None:
            # A kernel takes those that call it along; it is the first to fail. (An event says the opposite of whether
            # it has failed.)
            if sys.exc_info()[0]:
                self.failed.append(happening.data["dispatcher"].py_func.__qualname__)

    listener = Listener()
    try:
        with event.install_listener("numba:compile", listener):
            part()
    except Exception:
        what = f"the kernel {listener.failed[0]} does not compile" if listener.failed else "compiling ended early"
        return f"{what}\n{traceback.format_exc()}"
    return ""


def _use_at_once(parts: Sequence[Part], note: Note) -> None:
    """Use parts in as many processes as there are cores; raise `KernelFailed` when one fails, and end the others."""
    waiting = list(parts)
    with _processes(min(_core_count(), len(parts))) as processes:
        for pipe in processes:
            pipe.send(waiting.pop(0))
        while processes:
            for pipe in wait(list(processes)):
                try:
                    kind, text = pipe.recv()  # type: ignore[union-attr]
                except (EOFError, ConnectionError):
                    process = processes[pipe]  # type: ignore[index]
                    process.join()
                    raise KernelFailed(f"a process that compiled kernels has died ({process.exitcode})") from None
                if kind == "failed":
                    raise KernelFailed(text)
                if kind == "compiles":
                    note(text)
                elif waiting:
                    pipe.send(waiting.pop(0))  # type: ignore[union-attr]
                else:
                    del processes[pipe]  # type: ignore[arg-type]


def _core_count() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@contextlib.contextmanager
def _processes(count: int) -> Iterator[dict[Connection, BaseProcess]]:
    """Start processes that use the parts sent to them, by their pipes; all of them end here, whatever happens."""
    # Not forked: a console that counts has a thread.
    context = multiprocessing.get_context("spawn")
    started: dict[Connection, BaseProcess] = {}
    # It lets signals in again when it starts, which the first process below would have it do.
    resource_tracker.ensure_running()
    try:
        # Ctrl-C is for this process, which then ends the others: they are born deaf to it.
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            for _ in range(count):
                here, there = context.Pipe()
                process = context.Process(target=_work, args=(there,), daemon=True)
                process.start()
                there.close()
                started[here] = process
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        yield dict(started)
    finally:
        for pipe, process in started.items():
            # Nothing is lost: what is compiled is in its file, and a file that is being written is not there yet.
            process.kill()
            process.join()
            pipe.close()


def _work(pipe: Any) -> None:
    """Use one part after the other, until the other side is gone."""
    # The compiler makes garbage in circles all the time, and looking for it is a tenth of the work.
    gc.disable()
    with contextlib.suppress(EOFError, ConnectionError):
        while True:
            failed = _use(pipe.recv(), lambda name: pipe.send(("compiles", name)))
            pipe.send(("failed", failed) if failed else ("done", ""))
