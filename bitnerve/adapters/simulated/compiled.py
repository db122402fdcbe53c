"""How are the float loops of the simulated market compiled, and why may the compiled code be kept?

They are no kernels of the domain: they run on floats, no second mode checks them, and uncompiled they would
be hundreds of times slower. So they are compiled in either mode.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import numba
from numba.core import config

from bitnerve.domain.kernel import compile_once

Function = TypeVar("Function", bound=Callable[..., Any])


def _folder() -> str:
    """Return the folder of compiled code, one per state of this room's source.

    numba looks at a function's own file only, so a shared folder would serve stale machine code after an edit
    to a function that is called from another file.
    """
    here = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(here.glob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    home = Path(os.environ.get("BITNERVE_VAR", here.parents[2] / "var"))
    folder = home / "simulated" / digest.hexdigest()[:16]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return str(folder)
    except OSError:
        # A read-only checkout still runs: each process then compiles for itself.
        return tempfile.mkdtemp(prefix="bitnerve-simulated-")


FOLDER = _folder()


def compiled(function: Function) -> Function:
    """Return the function compiled, without `fastmath`: its operations are those of IEEE 754."""
    # The folder is a global of numba's, read when a function is decorated; the domain's kernels have their
    # own.
    other, config.CACHE_DIR = config.CACHE_DIR, FOLDER
    try:
        dispatcher = numba.njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True)(function)
    finally:
        config.CACHE_DIR = other
    result: Function = compile_once(dispatcher, Path(FOLDER))
    return result
