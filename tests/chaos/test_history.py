"""The proof of these tests is worth something: what goes back is seen, by its columns and by its content."""

from tests.chaos.ground import Ground

from contactsync.postgres import owner_connection

_WAS = """
    SELECT h.contact_id, h.sealed, h.source_version, h.observed, c.content_mac
    FROM history.contact h JOIN contactsync.contact c USING (tenant_id, contact_id)
    WHERE h.connection_id = $1 AND c.deleted_at IS NULL AND h.source_version < c.source_version
    ORDER BY h.written LIMIT 1
"""
_CONTENT_BACK = "UPDATE contactsync.contact SET sealed = $2 WHERE contact_id = $1"
_COLUMNS_BACK = "UPDATE contactsync.contact SET source_version = $2, observed = $3 WHERE contact_id = $1"


async def test_a_row_that_goes_back_is_seen(ground: Ground) -> None:
    """One that gets its old content is told by the content, one that gets its old version by the columns."""
    async with ground.place() as place:
        await place.first_pass()
        place.ledger.change_a_bit()
        async with place.heir():
            await place.finished()
        await place.check()
        async with owner_connection(ground.superuser_url) as connection:
            was = await connection.fetchrow(_WAS, place.sync.connection_id)
            assert was is not None
            await connection.execute(_CONTENT_BACK, was["contact_id"], was["sealed"])
            content = await place.went_back()
            await connection.execute(_COLUMNS_BACK, was["contact_id"], was["source_version"], was["observed"])
            columns = await place.went_back()
        assert len(content) == 1
        assert "version 1 after 2" in content[0]
        assert [found for found in columns if "an older version over a newer one" in found]


async def test_a_row_that_is_removed_is_seen(ground: Ground) -> None:
    """Without its tombstone, what arrives late could bring a contact back."""
    async with ground.place() as place:
        await place.first_pass()
        async with owner_connection(ground.superuser_url) as connection:
            await connection.execute(
                "DELETE FROM contactsync.contact WHERE connection_id = $1", place.sync.connection_id
            )
        found = await place.went_back()
        assert len(found) == len(place.ledger.people())
