"""How does a function become a kernel: compiled for `int64`, or run as written on unbounded integers?

`BITNERVE_KERNEL=numba` (the default) compiles every `@kernel` with numba. `BITNERVE_KERNEL=python` leaves the
same source uncompiled and makes `zeros` hand out object arrays of Python's own integers, which cannot overflow:
whatever the two modes disagree about is an overflow or a typing slip.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
import numpy.typing as npt

Function = TypeVar("Function", bound=Callable[..., Any])

MODE = os.environ.get("BITNERVE_KERNEL", "numba")
if MODE not in ("numba", "python"):
    raise ValueError(f"BITNERVE_KERNEL must be 'numba' or 'python', not {MODE!r}")
COMPILED = MODE == "numba"

INT64_MAX = 2**63 - 1
"""The largest value that a compiled kernel can hold; the doors refuse anything that could pass it."""

KERNELS: list[Any] = []
"""Every function that numba compiles, as numba's dispatchers; filled while modules are imported."""


def _kernel_sources() -> list[Path]:
    """Return the files in which kernels stand, and the constants that they freeze: they know this one."""
    here = Path(__file__).parent
    return [path for path in sorted(here.rglob("*.py")) if b"bitnerve.domain.kernel" in path.read_bytes()]


def _cache_folder() -> Path:
    """Return the folder of compiled kernels, one per state of the source.

    numba looks at a kernel's own file only, not at the files of the kernels it calls, so a shared folder would
    serve stale machine code after an edit next door. Hence a folder named by everything that can be inlined.
    """
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for path in _kernel_sources():
        digest.update(path.relative_to(here).as_posix().encode() + b"\0" + path.read_bytes())
    home = Path(os.environ.get("BITNERVE_VAR", here.parents[1] / "var"))
    folder = home / "kernels" / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        # A read-only checkout still runs: each process then compiles for itself.
        return Path(tempfile.mkdtemp(prefix="bitnerve-kernels-"))


FOLDER = _cache_folder()

if COMPILED:
    from numba.core import config

    config.CACHE_DIR = str(FOLDER)


@contextlib.contextmanager
def _held(path: Path) -> Iterator[None]:
    """Hold a lock file; whoever dies lets go of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def compile_once(dispatcher: Any, folder: Path) -> Any:
    """Let numba compile a function once: for types, not for literals, and in one process, not in all that need it.

    `folder` is where numba keeps what it has compiled. Two processes that wrote a function's index at the same time
    would lose an entry, or have one lead to the other's machine code; so each waits for the other, and then loads.
    Nobody waits in a circle, since kernels do not call themselves.
    """
    from numba import types
    from numba.core.compiler_lock import global_compiler_lock
    from numba.core.dispatcher import Dispatcher

    if not isinstance(dispatcher, Dispatcher):
        # Numba is switched off, and has handed the function back.
        return dispatcher
    resolve, compile_now = dispatcher.get_call_template, dispatcher.compile
    lock = folder / f"{dispatcher.py_func.__module__}.{dispatcher.py_func.__qualname__}.lock"

    def resolve_by_type(arguments: Any, keywords: Any) -> Any:
        # A literal argument would get a version of the kernel, and of all that it calls, of its own.
        return resolve(
            tuple(types.unliteral(argument) for argument in arguments),
            {name: types.unliteral(argument) for name, argument in keywords.items()},
        )

    def compile_alone(signature: Any) -> Any:
        # numba's own lock comes first, as in every thread: the other way round two threads could wait for each other.
        with global_compiler_lock, _held(lock):
            return compile_now(signature)

    dispatcher.get_call_template, dispatcher.compile = resolve_by_type, compile_alone
    KERNELS.append(dispatcher)
    return dispatcher


def _compiled(function: Function, **options: bool) -> Function:
    from numba import njit

    # No kernel allocates, so none needs reference counting, and none is called from C; the machine code is half as
    # long without.
    dispatcher = njit(cache=True, nogil=True, error_model="numpy", _nrt=False, no_cfunc_wrapper=True, **options)
    return cast(Function, compile_once(dispatcher(function), FOLDER))


def kernel(function: Function) -> Function:
    """Return the function as a kernel of the mode this process runs in."""
    return _compiled(function) if COMPILED else function


def inner(function: Function) -> Function:
    """Return the function as a kernel that only kernels call.

    Taking an `Exchange` apart for Python costs more code than most kernels have; the inner ones do without.
    """
    return _compiled(function, no_cpython_wrapper=True) if COMPILED else function


def zeros(*shape: int) -> npt.NDArray[Any]:
    """Return an integer array of zeros: `int64` when compiled, unbounded Python integers otherwise."""
    return np.zeros(shape, dtype=np.int64 if COMPILED else object)


def integers(values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Return `values` as a contiguous array of the integers that kernels of this mode work on."""
    array = np.asarray(values)
    if COMPILED:
        return np.ascontiguousarray(array, dtype=np.int64)
    boxed = np.empty(array.shape, dtype=object)
    # tolist() turns numpy's fixed-width scalars into Python integers; astype(object) would do so too, but
    # only for native integer dtypes.
    boxed[...] = np.array(array.tolist(), dtype=object).reshape(array.shape)
    return boxed
