"""Databases and login users on the embedded PostgreSQL, as an administrator would make them in production.

The owner migrates and is no superuser; the app's user has the roles of workers and key store; the codec server's user
reads payload keys and nothing else. Passwords are random and lie in one file that only its owner may read.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from contactsync.activities.store.migrate import migrate
from contactsync.errors import SettingsError
from contactsync.postgres import owner_connection
from contactsync.workers.embedded.folders import write_private
from contactsync.workers.embedded.postgres import Login, PostgresServer, new_password

if TYPE_CHECKING:
    import asyncpg

DATABASE = "contactsync"
OWNER, APP, CODEC = "contactsync_owner", "contactsync_worker", "contactsync_codec_server"
MEMBERSHIPS = (
    ("contactsync_app", APP),
    ("contactsync_keys", APP),
    ("contactsync_codec", CODEC),
)


@dataclass(frozen=True, slots=True)
class DatabaseUrls:
    """One database's URLs, passwords included: of its owner, the app's user and the codec server's user."""

    owner: str = field(repr=False)
    app: str = field(repr=False)
    codec: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Logins:
    """The login users of a server; the same for all its databases."""

    owner: Login
    app: Login
    codec: Login

    def urls(self, port: int, database: str) -> DatabaseUrls:
        """The URLs of a database for each of them."""
        owner, app, codec = (login.url(port, database) for login in self.all())
        return DatabaseUrls(owner, app, codec)

    def all(self) -> tuple[Login, Login, Login]:
        """Each of them."""
        return self.owner, self.app, self.codec


async def provision(server: PostgresServer, database: str = DATABASE) -> DatabaseUrls:
    """Make the login users and a migrated database, or bring what is there up to date.

    Raises:
        DatabaseError: as `migrate`.
        SettingsError: the file of passwords is damaged.
    """
    logins = await make_logins(server)
    await make_database(server, database)
    urls = logins.urls(server.port, database)
    await migrate(urls.owner)
    async with owner_connection(server.url()) as administrator:
        for group, member in MEMBERSHIPS:
            await administrator.execute(f"GRANT {group} TO {member}")
    return urls


async def make_logins(server: PostgresServer) -> Logins:
    """The login users, made or given the passwords of the file."""
    logins = _read_or_make(server.folder / "logins.json")
    async with owner_connection(server.url()) as administrator:
        for login in logins.all():
            await _make_login(administrator, login)
        await administrator.execute("REVOKE ALL ON DATABASE postgres, template1 FROM PUBLIC")
    return logins


async def make_database(server: PostgresServer, name: str, *, template: str = "template0") -> None:
    """A database that the owner owns and only the login users may enter; one that is there stays."""
    async with owner_connection(server.url()) as administrator:
        if await administrator.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            return
        await administrator.execute(f'CREATE DATABASE "{name}" OWNER {OWNER} TEMPLATE "{template}"')
        await administrator.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
        await administrator.execute(f'GRANT CONNECT ON DATABASE "{name}" TO {APP}, {CODEC}')


async def drop_database(server: PostgresServer, name: str) -> None:
    """Drop a database, ending the sessions that are still in it."""
    async with owner_connection(server.url()) as administrator:
        await administrator.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


async def _make_login(administrator: "asyncpg.Connection[asyncpg.Record]", login: Login) -> None:
    known = await administrator.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", login.name)
    rights = "CREATEROLE" if login.name == OWNER else "NOCREATEROLE"  # the first migration makes the groups
    verb = "ALTER" if known else "CREATE"
    await administrator.execute(f"{verb} ROLE {login.name} LOGIN NOSUPERUSER {rights} PASSWORD '{login.password}'")


def _read_or_make(file: Path) -> Logins:
    if not file.exists():
        write_private(file, json.dumps({name: new_password() for name in (OWNER, APP, CODEC)}))
    try:
        passwords: dict[str, str] = json.loads(file.read_text())
        return Logins(*_logins(passwords, (OWNER, APP, CODEC)))
    except (ValueError, KeyError, TypeError):
        raise SettingsError(f"{file} is damaged; remove it, and new passwords are made") from None


def _logins(passwords: dict[str, str], names: Sequence[str]) -> list[Login]:
    return [Login(name, passwords[name]) for name in names]
