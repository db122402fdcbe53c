"""Which database does the house use: the one it is given, or a private server of its own?

Two roles everywhere: one owns and migrates, the application connects as the other, which owns nothing.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import unquote

import environ
from django.core.exceptions import ImproperlyConfigured

DATABASE = "bitnerve"
OWNER = "bitnerve_owner"
APPLICATION = "bitnerve_app"
SOCKET_PATH_MAX = 90
"""Bytes: the system's limit is about a hundred, the socket's own name included."""


class PrivateServer(NamedTuple):
    """Where a private PostgreSQL server of this checkout keeps its program, its data and its socket."""

    folder: Path
    socket: Path
    as_nobody: bool
    """The server refuses to run as root, so root lends it to the user nobody."""


def locate_private_server(var: Path, name: str) -> PrivateServer:
    """Return the places of the server called `name`: always the same ones for the same `var` folder and user."""
    mark = hashlib.sha256(str(var).encode()).hexdigest()[:12]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        folder = Path("/var/lib/bitnerve") / mark / name
        return PrivateServer(folder=folder, socket=folder / "socket", as_nobody=True)
    folder = var / name
    socket = folder / "socket"
    if len(os.fsencode(socket)) > SOCKET_PATH_MAX:
        socket = Path("/tmp") / f"bitnerve-{os.geteuid()}-{mark}-{name}"
    return PrivateServer(folder=folder, socket=socket, as_nobody=False)


def connect(env: environ.Env, server: PrivateServer) -> dict[str, dict[str, Any]]:
    """Return Django's DATABASES: `default` for the application, `owner` for migrations and upkeep.

    DATABASE_URL names the owner. DATABASE_APP_URL names the application's role; without it, it is `bitnerve_app`
    with the owner's password, host and database.
    """
    common = {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": True, "ATOMIC_REQUESTS": False}
    if env.str("DATABASE_URL", default=""):
        owner = _read(env, "DATABASE_URL")
        application = {**owner, "USER": APPLICATION}
        if env.str("DATABASE_APP_URL", default=""):
            application = _read(env, "DATABASE_APP_URL")
    else:
        place = {"ENGINE": "django.db.backends.postgresql", "NAME": DATABASE, "HOST": str(server.socket)}
        owner, application = {**place, "USER": OWNER}, {**place, "USER": APPLICATION}
    return {"default": {**application, **common}, "owner": {**owner, **common, "CONN_MAX_AGE": 0}}


def _read(env: environ.Env, name: str) -> dict[str, Any]:
    """Return where a variable points; raise `ImproperlyConfigured`, which never shows what may hold a password."""
    try:
        place: dict[str, Any] = env.db_url(name)
    except (ValueError, ImproperlyConfigured):
        place = {}
    if place.get("ENGINE") != "django.db.backends.postgresql" or not place.get("NAME"):
        raise ImproperlyConfigured(f"{name}: not an address like postgres://user:password@host:5432/database")
    # A socket's folder stands in an address with its slashes as %2F.
    return {**place, "HOST": unquote(place["HOST"] or "")}


class OwnerMigrates:
    """A router: only the owner's connection may migrate."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """Return whether a migration may run over a connection."""
        return db == "owner"
