"""Is the database there, up to date, and in the right hands?"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

import psycopg
from django.apps import apps
from django.conf import settings
from django.core.management import call_command
from django.db import connections
from psycopg import sql

from bitnerve.adapters.postgres.server import PrivateServer
from bitnerve.domain.errors import Refusal
from bitnerve.settings.database import APPLICATION

Report = Callable[[str], None]

OWNER = "owner"
"""The connection that migrates and keeps house; everybody else uses `default`."""


class NoDatabase(Refusal):
    """A database that does not answer or may not be used."""

    code = "NO_DATABASE"


def private_server(options: tuple[str, ...] = ()) -> PrivateServer:
    """Return the private server of this checkout."""
    place = settings.PRIVATE_SERVER
    return PrivateServer(folder=place.folder, socket=place.socket, as_nobody=place.as_nobody, options=options)


@contextlib.contextmanager
def running_database(report: Report = lambda _: None) -> Iterator[None]:
    """Have a database for a while: where none is configured, the private server, which its last user stops."""
    if not settings.HAS_OWN_SERVER:
        yield
        return
    server = private_server()
    try:
        server.start(report)
        yield
    finally:
        connections.close_all()
        server.release()


def prepare_database(report: Report = lambda _: None) -> None:
    """Make roles and database where they are missing, migrate as the owner, and give the application its rights."""
    if settings.HAS_OWN_SERVER:
        _make_roles()
    report("migrating the database")
    with _told(OWNER):
        call_command("migrate", database=OWNER, verbosity=0, interactive=False)
    grant_rights()
    with _told("default"):
        # A role that was there already may have another password than its owner.
        connections["default"].ensure_connection()


@contextlib.contextmanager
def _told(alias: str) -> Iterator[None]:
    """Turn what a connection cannot do into a refusal that names the place, and never the password."""
    from django.db.utils import OperationalError

    place = connections[alias].settings_dict
    try:
        yield
    except OperationalError as error:
        name = "DATABASE_URL" if alias == OWNER else "DATABASE_APP_URL"
        where = f"{place['HOST'] or 'localhost'}:{place['PORT'] or 5432}/{place['NAME']}"
        raise NoDatabase(f"{name}: {where} as {place['USER']}: {str(error).strip()}", host=place["HOST"]) from None


def forget_everything() -> None:
    """Empty the database: the private one is dropped, in another everything of the house is."""
    owner = connections[OWNER].settings_dict
    connections.close_all()
    if settings.HAS_OWN_SERVER:
        _make_roles()
        place = settings.PRIVATE_SERVER
        with psycopg.connect(host=str(place.socket), user="postgres", dbname="postgres", autocommit=True) as connection:
            name = sql.Identifier(owner["NAME"])
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))
        return
    with _told(OWNER), connections[OWNER].cursor() as cursor:
        cursor.execute("SELECT to_regclass('django_migrations') IS NOT NULL")
        if cursor.fetchone()[0]:
            tables = ", ".join(f'"{model._meta.db_table}"' for model in apps.get_models())
            cursor.execute(f"TRUNCATE {tables} RESTART IDENTITY CASCADE")


def _make_roles() -> None:
    """Make the two roles and the database on the private server, as its superuser."""
    owner, place = connections[OWNER].settings_dict, settings.PRIVATE_SERVER
    with psycopg.connect(host=str(place.socket), user="postgres", dbname="postgres", autocommit=True) as connection:
        names = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
        if owner["USER"] not in names:
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN CREATEDB CREATEROLE").format(sql.Identifier(owner["USER"]))
            )
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [owner["NAME"]]).fetchone():
            connection.execute(
                sql.SQL("CREATE DATABASE {} OWNER {}").format(
                    sql.Identifier(owner["NAME"]), sql.Identifier(owner["USER"])
                )
            )


def grant_rights() -> None:
    """Let the application read and write what its models hold, and touch nothing that is only ever added to."""
    role = connections["default"].settings_dict["USER"]
    with connections[OWNER].cursor() as cursor:
        _make_application(cursor, role)
        name = sql.Identifier(role).as_string(cursor.connection)
        cursor.execute(f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {name}")
        cursor.execute(f"GRANT USAGE ON SCHEMA public TO {name}")
        for model in apps.get_models(include_auto_created=True):
            rights = "SELECT, INSERT" if getattr(model, "append_only", False) else "SELECT, INSERT, UPDATE, DELETE"
            cursor.execute(f'GRANT {rights} ON "{model._meta.db_table}" TO {name}')
        cursor.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {name}")


def _make_application(cursor: object, role: str) -> None:
    """Make the application's role unless there is one; it signs in with the owner's password."""
    cursor.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [role])  # type: ignore[attr-defined]
    if cursor.fetchone():  # type: ignore[attr-defined]
        return
    if role != APPLICATION:
        raise NoDatabase(f"DATABASE_APP_URL: the server has no role {role}", role=role)
    password = connections[OWNER].settings_dict.get("PASSWORD") or None
    statement = sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
    cursor.execute(statement.as_string(cursor.connection))  # type: ignore[attr-defined]
