"""Login users and databases of the embedded PostgreSQL."""

import asyncpg
import pytest

from contactsync.activities.store.migrate import check_schema
from contactsync.postgres import Database
from contactsync.workers.embedded.provision import DatabaseUrls


async def test_the_app_uses_a_migrated_database(database: Database) -> None:
    """The app's user finds the schema of this version."""
    await check_schema(database)


@pytest.mark.parametrize("who", ["owner", "app", "codec"])
async def test_nobody_is_a_superuser(database_urls: DatabaseUrls, who: str) -> None:
    """No login user is a superuser or may pass by row-level security."""
    connection = await asyncpg.connect(getattr(database_urls, who))
    row = await connection.fetchrow("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = current_user")
    await connection.close()
    assert row is not None
    assert tuple(row) == (False, False)


async def test_a_wrong_password_is_refused(database_urls: DatabaseUrls) -> None:
    """Loopback is no reason to trust anybody."""
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(database_urls.app, password="guessed")


async def test_databases_are_separate(database_urls: DatabaseUrls) -> None:
    """The app's user may not enter the server's own database."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(database_urls.app, database="postgres")
