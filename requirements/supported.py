"""Which Pythons do the pinned wheels serve? Plain enough for the older ones to read the answer."""

import sys

OLDEST = (3, 11)
NEWEST = (3, 14)


def require_python():
    """Leave with one clear line and exit code 1 unless this Python is served."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        wanted = "{}.{} to {}.{}".format(*OLDEST + NEWEST)
        found = "{}.{}.{}".format(*sys.version_info[:3])
        sys.exit(f"BitNerve needs Python {wanted}, this is {found}. Name another: make PYTHON=python3.12 ...")


def require_venv():
    """Leave with one clear line and exit code 1 unless this Python can make an environment."""
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        sys.exit("This Python cannot make a virtual environment. On Debian: apt install python3-venv")


if __name__ == "__main__":
    require_python()
    require_venv()
