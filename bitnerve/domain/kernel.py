"""How does a function become a kernel: compiled for `int64`, or run as written on unbounded integers?

`BITNERVE_KERNEL=numba` (the default) compiles every `@kernel` with numba. `BITNERVE_KERNEL=python` leaves the
same source uncompiled and makes `zeros` hand out object arrays of Python's own integers, which cannot overflow:
whatever the two modes disagree about is an overflow or a typing slip.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
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


def _cache_folder() -> Path:
    """Return the folder of compiled kernels, one per state of the source.

    numba looks at a kernel's own file only, not at the files of the kernels it calls, so a shared folder would
    serve stale machine code after an edit next door. Hence a folder named by everything that can be inlined.
    """
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(here.rglob("*.py")):
        source = path.read_bytes()
        # Kernels, and the constants that they freeze, stand in files that know this one.
        if b"bitnerve.domain.kernel" in source:
            digest.update(path.relative_to(here).as_posix().encode() + b"\0" + source)
    home = Path(os.environ.get("BITNERVE_VAR", here.parents[1] / "var"))
    folder = home / "kernels" / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return folder
    except OSError:
        # A read-only checkout still runs: each process then compiles for itself.
        return Path(tempfile.mkdtemp(prefix="bitnerve-kernels-"))


if COMPILED:
    from numba.core import config

    config.CACHE_DIR = str(_cache_folder())


def _compiled(function: Function, **options: bool) -> Function:
    from numba import njit, types

    # No kernel allocates, so none needs reference counting; without it the machine code is half as long.
    dispatcher = njit(cache=True, nogil=True, error_model="numpy", _nrt=False, **options)(function)
    resolve = dispatcher.get_call_template

    def resolve_by_type(arguments: Any, keywords: Any) -> Any:
        # A literal argument would get a version of the kernel, and of all that it calls, of its own.
        return resolve(
            tuple(types.unliteral(argument) for argument in arguments),
            {name: types.unliteral(argument) for name, argument in keywords.items()},
        )

    dispatcher.get_call_template = resolve_by_type
    return cast(Function, dispatcher)


def kernel(function: Function) -> Function:
    """Return the function as a kernel of the mode this process runs in."""
    return _compiled(function) if COMPILED else function


def inner(function: Function) -> Function:
    """Return the function as a kernel that only kernels call.

    Taking an `Exchange` apart for Python costs more code than most kernels have; the inner ones do without.
    """
    return _compiled(function, no_cpython_wrapper=True, no_cfunc_wrapper=True) if COMPILED else function


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
